// The Unicode half of the normal form: UTF-8 local parts (libunistring) and internationalised domains (libidn2).
//
// Both write into the caller's buffer and give the octets written. Only called for text with octets over 127.
#pragma once

#include <span>
#include <string_view>
#include <tl/expected.hpp>

#include "smtp/recipients/address.h"

namespace postern::recipients::unicode {

/// RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

/// True if there is a C1 control, a line or a paragraph separator. Precondition: is_utf8(text).
bool has_controls(std::string_view text) noexcept;

/// NFC and full case folding, applied until nothing changes. Precondition: is_utf8(text).
tl::expected<std::size_t, address_error> fold(std::string_view text, std::span<char> out) noexcept;

/// A-labels of a domain (RFC 5891 with the mapping of UTS 46, non-transitional). What comes out is ASCII in lower case,
/// still to be checked as a host name. Precondition: is_utf8(domain) and no NUL.
tl::expected<std::size_t, address_error> to_ascii(std::string_view domain, std::span<char> out) noexcept;

}  // namespace postern::recipients::unicode
