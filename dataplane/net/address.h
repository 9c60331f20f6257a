// Addresses of the link and the network layer, and which network an address is in.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "dataplane/shard/address.h"

namespace postern::net {

/// An Ethernet address, in the order of the wire.
using mac_address = std::array<std::uint8_t, 6>;
inline constexpr mac_address broadcast_mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

using shard::ip_address;
using shard::ipv4;
using shard::is_ipv4;
using shard::same;

inline constexpr ip_address unspecified_ipv4 = ipv4(0, 0, 0, 0);
inline constexpr ip_address unspecified_ipv6{};
inline constexpr ip_address all_nodes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
inline constexpr ip_address mld_routers{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16};

constexpr bool is_multicast(const ip_address& a) noexcept {
    return is_ipv4(a) ? (a[12] & 0xf0U) == 0xe0 : a[0] == 0xff;
}
constexpr bool is_unspecified(const ip_address& a) noexcept {
    return same(a, unspecified_ipv4) || same(a, unspecified_ipv6);
}
constexpr bool is_loopback(const ip_address& a) noexcept {
    constexpr ip_address one{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return is_ipv4(a) ? a[12] == 127 : same(a, one);
}
/// fe80::/10.
constexpr bool is_link_local(const ip_address& a) noexcept {
    return a[0] == 0xfe && (a[1] & 0xc0U) == 0x80;
}
/// A source that may be answered: a host's own address.
constexpr bool is_host(const ip_address& a) noexcept {
    if (is_ipv4(a)) {
        using words = std::array<std::uint32_t, 4>;
        const std::uint32_t whole = std::bit_cast<words>(a)[3];
        return (a[12] & 0xf0U) != 0xe0 && a[12] != 127 && whole != UINT32_MAX && whole != 0;
    }
    return !is_multicast(a) && !is_unspecified(a) && !is_loopback(a);
}
constexpr bool is_group(const mac_address& a) noexcept {
    return (a[0] & 1U) != 0;
}

/// Whether both are in one network of so many leading bits: of 32 for IPv4, of 128 for IPv6.
constexpr bool same_network(const ip_address& a, const ip_address& b, unsigned prefix) noexcept {
    if (is_ipv4(a) != is_ipv4(b)) {
        return false;
    }
    const unsigned bits = prefix + (is_ipv4(a) ? 96U : 0U);
    for (unsigned i = 0; i < bits / 8; ++i) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    const unsigned rest = bits % 8;
    return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0;
}

/// ff02::1:ffXX:XXXX, where neighbours ask for an IPv6 address. RFC 4291 2.7.1.
constexpr ip_address solicited_node(const ip_address& of) noexcept {
    return {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, of[13], of[14], of[15]};
}
/// The Ethernet address of an IPv6 multicast group. RFC 2464 7.
constexpr mac_address multicast_mac(const ip_address& group) noexcept {
    return {0x33, 0x33, group[12], group[13], group[14], group[15]};
}
/// fe80:: with the interface identifier made of the Ethernet address. RFC 4291 appendix A.
constexpr ip_address link_local_of(const mac_address& mac) noexcept {
    return {0xfe,   0x80,   0,    0,    0,      0,      0,     0, static_cast<std::uint8_t>(mac[0] ^ 2U),
            mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
}

/// An Ethernet address as one number, for what carries it along without looking inside; 0: none.
constexpr std::uint64_t link_of(const mac_address& mac) noexcept {
    std::uint64_t value = 0;
    for (const std::uint8_t octet : mac) {
        value = value << 8U | octet;
    }
    return value;
}
constexpr mac_address mac_of(std::uint64_t link) noexcept {
    mac_address mac{};
    for (std::size_t i = mac.size(); i > 0; --i, link >>= 8U) {
        mac[i - 1] = static_cast<std::uint8_t>(link);
    }
    return mac;
}

}  // namespace postern::net
