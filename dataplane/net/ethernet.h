// Ethernet II frames, with one 802.1Q tag or none. IEEE 802.3, 802.1Q.
#pragma once

#include <cstdint>
#include <tl/expected.hpp>

#include "dataplane/net/address.h"
#include "dataplane/net/drop.h"
#include "dataplane/net/octets.h"

namespace postern::net {

namespace ether_type {
inline constexpr std::uint16_t ipv4 = 0x0800;
inline constexpr std::uint16_t arp = 0x0806;
inline constexpr std::uint16_t vlan = 0x8100;
inline constexpr std::uint16_t ipv6 = 0x86dd;
}  // namespace ether_type

/// A VLAN's number, 1 to 4094; 0: untagged.
using vlan_id = std::uint16_t;

struct ethernet_frame {
    mac_address to{};
    mac_address from{};
    vlan_id vlan = 0;
    std::uint16_t type = 0;
    octets payload;  ///< with the padding of short frames
};

/// A priority tag (VLAN 0) counts as untagged.
tl::expected<ethernet_frame, drop> read_ethernet(octets frame) noexcept;

constexpr std::size_t ethernet_header_size(vlan_id vlan) noexcept {
    return vlan == 0 ? 14 : 18;
}
void write_ethernet(writer& out, const mac_address& to, const mac_address& from, vlan_id vlan,
                    std::uint16_t type) noexcept;

}  // namespace postern::net
