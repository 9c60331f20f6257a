// The query of a request: bounded, each parameter at most once, none that the resource does not know.
//
// A handler takes what it knows (`text`, `number`, `flag`, `paging`) and then asks `finish`, which refuses the rest: a
// mistyped filter must not silently answer with the whole list. Cursors are opaque outside: base64url of
// "ORDER\0POSITION", so that a cursor of another order is refused instead of skipping rows.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/problem.h"

namespace postern::api {

inline constexpr std::size_t max_query_octets = 4096;
inline constexpr std::size_t max_query_parameters = 32;
inline constexpr std::uint32_t default_limit = 100;
inline constexpr std::uint32_t max_limit = 1000;

struct page_request {
    std::uint32_t limit = default_limit;
    std::string order;  ///< one of the resource's orders, "-" in front for descending; the first if none was asked
    std::string after;  ///< the position after which the page begins; empty: from the start
};

/// A query's parameters as they come, decoded; 400 for one that is too long, has too many, or is not UTF-8.
struct decoded_parameter {
    std::string name;
    std::string value;
};
answer<std::vector<decoded_parameter>> decode_query(std::string_view raw, std::size_t max_octets, std::size_t most);

std::string make_cursor(std::string_view order, std::string_view position);

class query {
public:
    static answer<query> parse(std::string_view raw);

    /// The value, nullopt if absent. A value of over `longest` octets is an error.
    std::optional<std::string> text(std::string_view name, std::size_t longest = 1024);
    std::optional<std::int64_t> number(std::string_view name, std::int64_t least, std::int64_t most);
    std::optional<bool> flag(std::string_view name);  ///< "true" or "false"
    /// One of `words`.
    std::optional<std::string> word(std::string_view name, std::initializer_list<std::string_view> words);
    /// `limit`, `cursor`, `sort`; `orders` are those that the resource has, the first is the usual one.
    page_request paging(std::initializer_list<std::string_view> orders);

    void refuse(std::string_view name, std::string detail);  ///< adds an error for a parameter
    /// Success if all parameters were known and good.
    answer<void> finish();

private:
    struct parameter {
        std::string name;
        std::string value;
        bool used = false;
    };
    parameter* find(std::string_view name);

    std::vector<parameter> _parameters;
    std::vector<field_error> _errors;
};

}  // namespace postern::api
