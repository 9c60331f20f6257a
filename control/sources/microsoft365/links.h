// Where requests may go. Graph hands out links to follow; only those on the host that the settings name are followed,
// and of them only path and query are taken: what comes in an answer never chooses a host.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::sources::microsoft365 {

/// Scheme is always https.
struct origin {
    std::string host;  ///< lower case; an IPv6 address in brackets
    std::uint16_t port = 443;
    /// "https://graph.microsoft.com", the port where it is not 443.
    std::string url() const;
    friend bool operator==(const origin&, const origin&) = default;
};

/// "https://graph.microsoft.com", "https://[2001:db8::1]:8443/". Nothing for anything else: another scheme, a path, a
/// user.
std::optional<origin> read_origin(std::string_view url);

/// Path and query of a link on `on`, at most 16 KiB of printable ASCII; nothing for a link to elsewhere.
std::optional<std::string> target_on(const origin& on, std::string_view link);
/// Whether it is such a path and query.
bool is_target(std::string_view text) noexcept;

/// What is not unreserved as %XX (RFC 3986 2.1, 2.3).
std::string percent_encoded(std::string_view text);

}  // namespace postern::sources::microsoft365
