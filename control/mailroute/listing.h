// The query of a list, read by the resource's description: filters ("name__startswith=a", "domain=12",
// "domain__name=example.com", "id__in=1,2"), `q`, `order_by`, `limit` and `offset`.
//
// A parameter that the resource does not know is refused: a mistyped filter must not answer with the whole list.
// Texts are compared without regard to the case of ASCII letters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/mailroute/description.h"

namespace postern::mailroute {

inline constexpr std::size_t max_query_octets = 12 * 1024;
inline constexpr std::size_t max_parameters = 64;
inline constexpr std::size_t max_values = 1000;  ///< of one `__in`
inline constexpr std::uint32_t usual_limit = 20;
inline constexpr std::uint32_t max_limit = 1000;

/// As the directory's queries take parameters (control/directory/connection.h).
using sql_value = std::variant<std::nullptr_t, std::int64_t, std::string>;

struct list_request {
    std::string conditions;  ///< " AND …" for each filter, with a `?` for each of `values`
    std::vector<sql_value> values;
    std::string order;  ///< without ORDER BY
    std::uint32_t limit = usual_limit;
    std::uint32_t offset = 0;
    std::string kept;  ///< the query without limit and offset, encoded, for the links to other pages

    bool filtered() const noexcept { return !conditions.empty(); }
};

/// 400 with the reason for what can't be read.
result<list_request> read_list_request(const resource& of, std::string_view query);

/// The ids of "id__in=1,2", which must be the whole query.
result<std::vector<std::int64_t>> read_ids(std::string_view query);

}  // namespace postern::mailroute
