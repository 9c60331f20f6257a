// What Microsoft's answers say: pages of a delta query, single objects, errors. Bounded in size, depth and count;
// nothing of an answer is believed beyond that it is of its type.
//
// https://learn.microsoft.com/graph/delta-query-overview, …/api/user-delta, …/api/group-delta, …/graph/errors.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace postern::sources::microsoft365 {

inline constexpr std::size_t longest_answer = 16U << 20U;  ///< octets of a body

enum class collection : std::uint8_t { users, groups };
/// "users", "groups"
std::string_view to_string(collection which) noexcept;
/// Path and query of the first page of all, and of one object. `id` is one of `directory_object`.
std::string first_target(collection of);
std::string object_target(collection of, std::string_view id);

/// A user or a group, as far as it was told. What is not told is empty or false.
struct directory_object {
    std::string id;  ///< lower case, of letters, digits and hyphens
    bool removed = false;
    /// All that was asked for was told. False: only what changed; the object has to be asked for.
    bool whole = false;
    std::string mail;
    std::string principal_name;  ///< users: userPrincipalName
    std::string display_name;    ///< groups
    std::string first_name;      ///< users
    std::string last_name;       ///< users
    bool guest = false;          ///< users
    bool enabled = true;         ///< users
    bool licensed = false;       ///< users
    bool mail_enabled = false;   ///< groups
    std::vector<std::string> proxy_addresses;
};

struct delta_page {
    std::vector<directory_object> objects;
    std::string next_link;   ///< one of the two is there
    std::string delta_link;  ///< of the last page
};
/// The errors say what is wrong with the answer: "it is no JSON …", "@odata.nextLink is no string".
tl::expected<delta_page, std::string> parse_page(std::string_view body, collection of);
tl::expected<directory_object, std::string> parse_one(std::string_view body, collection of);

/// A JSON object within the bounds.
tl::expected<boost::json::value, std::string> parse_object(std::string_view body);

struct graph_error {
    std::string code;  ///< "syncStateNotFound"; empty: the answer has none
    std::string message;
};
graph_error parse_error(std::string_view body);
/// `error_description` of the token endpoint (RFC 6749 5.2), or `error`; empty if there is none.
std::string token_error_text(std::string_view body);

}  // namespace postern::sources::microsoft365
