// A client assertion: a JSON web token (RFC 7519) that proves the application by its certificate's key, as Microsoft's
// token endpoint takes it (PS256, x5t#S256; RFC 7518 3.5, RFC 7515 4.1.8, RFC 7523 3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "control/sources/settings_reader.h"

namespace postern::sources::microsoft365 {

struct assertion_claims {
    std::string audience;   ///< URL of the token endpoint
    std::string client_id;  ///< issuer and subject
    std::int64_t now = 0;   ///< seconds since 1970; good from then on for 10 minutes
};
/// Both in PEM form; the first certificate counts. The error is a sentence without anything of the key.
tl::expected<std::string, std::string> make_assertion(const assertion_claims& claims, const std::string& certificate,
                                                      const std::string& key);

/// Whether the certificate can be read and, unless `key` is empty, the key is an RSA key of it, not encrypted.
settings_check check_key_pair(const std::string& certificate, const std::string& key);

/// When the certificate ends, seconds since 1970; 0 if it can't be read.
std::int64_t end_of_certificate(const std::string& certificate);

}  // namespace postern::sources::microsoft365
