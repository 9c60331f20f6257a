// Base64 (RFC 4648): the ordinary alphabet with padding, and the one for URLs without. One way to write each text, and
// only that way is read: neither spaces, nor padding that is missing or too much, nor bits that are left over.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::encoding {

std::string to_base64(std::string_view octets);
std::optional<std::string> from_base64(std::string_view text);

std::string to_base64url(std::string_view octets);
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace postern::encoding
