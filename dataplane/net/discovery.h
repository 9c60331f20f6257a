// Neighbour Discovery and Multicast Listener Discovery messages. RFC 4861 4.3 and 4.4, RFC 3810 5.2.
#pragma once

#include <optional>
#include <span>

#include "dataplane/net/icmp.h"

namespace postern::net {

/// A solicitation or an advertisement.
struct neighbour_message {
    bool solicitation = true;
    ip_address target{};
    std::optional<mac_address> mac;  ///< source (solicitation) or target (advertisement) link-layer address
    bool solicited = false;          ///< flags of an advertisement
    bool override_known = false;
};

/// With the validity checks of RFC 4861 7.1: hop limit 255, code 0, options that can be walked, a target that is no
/// group; a solicitation from the unspecified address goes to a solicited-node group and names no link-layer address.
tl::expected<neighbour_message, drop> read_neighbour(const ip_packet& packet, const icmp_message& message) noexcept;

/// The ICMPv6 message with its checksum.
void write_neighbour(writer& out, const ip_address& from, const ip_address& to,
                     const neighbour_message& message) noexcept;
constexpr std::size_t neighbour_size(const neighbour_message& message) noexcept {
    return message.mac ? 32 : 24;
}

/// An MLDv2 report that these groups are listened to (CHANGE_TO_EXCLUDE of nothing). To `mld_routers`, hop limit 1,
/// with a hop-by-hop router alert: extension header and message.
inline constexpr std::size_t most_groups = 32;
void write_mld_report(writer& out, const ip_address& from, std::span<const ip_address> groups) noexcept;
constexpr std::size_t mld_report_size(std::size_t groups) noexcept {
    return 8 + 8 + groups * 20;
}

}  // namespace postern::net
