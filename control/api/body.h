// A JSON body read into checked values. Every wrong member is collected with its JSON pointer, so that one answer shows
// all that is to be corrected; unknown members are errors, since a mistyped name must not pass as success.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/problem.h"

namespace postern::api {

inline constexpr std::size_t max_json_depth = 16;
inline constexpr std::size_t max_bulk_items = 10'000;

/// A text as JSON; 400 with the place for one that is not.
answer<boost::json::value> parse_json(std::string_view text);
/// The body of a request as JSON; 400 with the place for text that is not, 415 for a Content-Type that is not JSON.
answer<boost::json::value> parse_json(const request& from);
answer<boost::json::object> parse_json_object(const request& from);

class members {
public:
    /// Refers to `object` and `errors`, which must outlive it.
    members(const boost::json::object& object, std::string pointer, std::vector<field_error>& errors);

    bool has(std::string_view name) const;
    bool is_null(std::string_view name) const;
    void known(std::string_view name) { _known.push_back(name); }  ///< looked at by other means
    /// A string of at most `longest` octets without control characters; nullopt if absent or wrong (then reported).
    std::optional<std::string> text(std::string_view name, std::size_t longest = 255);
    std::string required_text(std::string_view name, std::size_t longest = 255);  ///< "" if absent or empty: reported
    /// A required reference: a positive number or a string, as text.
    std::string id_or_name(std::string_view name);
    std::optional<std::int64_t> number(std::string_view name, std::int64_t least, std::int64_t most);
    std::optional<bool> flag(std::string_view name);
    std::optional<std::string> word(std::string_view name, std::initializer_list<std::string_view> words);
    std::optional<std::vector<std::string>> texts(std::string_view name, std::size_t most, std::size_t longest = 1024);
    /// An array of objects; each is given to the caller with its pointer.
    std::optional<std::vector<const boost::json::object*>> objects(std::string_view name, std::size_t most);

    void refuse(std::string_view name, std::string detail);
    std::string pointer(std::string_view name) const;
    /// Reports every member that was not asked for.
    void finish();

private:
    const boost::json::value* take(std::string_view name);

    const boost::json::object& _object;
    std::string _pointer;
    std::vector<field_error>& _errors;
    std::vector<std::string_view> _known;
};

}  // namespace postern::api
