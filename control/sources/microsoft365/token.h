// Asking for an access token and what the answer says: client credentials (RFC 6749 4.4; RFC 7523 2.2 with a
// certificate) at the tenant's token endpoint. No connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "control/sources/microsoft365/settings.h"

namespace postern::sources::microsoft365 {

/// The form that is posted, with the secret or an assertion made at `now` (seconds since 1970). The error is a
/// sentence: which secret is not there.
tl::expected<std::string, std::string> token_form(const tenant_settings& settings, std::int64_t now);

struct access_token {
    std::string text;
    std::chrono::seconds lifetime{0};
};
/// The error says what the answer lacks.
tl::expected<access_token, std::string> parse_token(std::string_view body);

/// Why the token endpoint said no, in words with what to do.
std::string token_refusal(const tenant_settings& settings, unsigned status, std::string_view body);

}  // namespace postern::sources::microsoft365
