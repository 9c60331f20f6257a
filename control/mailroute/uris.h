// URIs of the MailRoute-compatible API: "/api/v1/domain/12/".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::mailroute {

inline constexpr std::string_view base_path = "/api/v1/";

std::string object_uri(std::string_view resource, std::int64_t id);

/// A positive number in digits, as ids are.
std::optional<std::int64_t> parse_id(std::string_view text);

/// The object that a client names: by its URI (with or without a server in front and a slash at the end), or by its id
/// alone. nullopt: it is none of the resource's.
std::optional<std::int64_t> parse_reference(std::string_view text, std::string_view resource);

}  // namespace postern::mailroute
