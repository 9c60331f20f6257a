// A request's path against a path of the description: "/v1/domains/{domain}".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::api {

inline constexpr std::size_t max_argument_octets = 2048;

/// The parameters' values, decoded, in order; nullopt: it is not this path, or a value is empty, too long or not UTF-8.
std::optional<std::vector<std::string>> match_path(std::string_view pattern, std::string_view path);

}  // namespace postern::api
