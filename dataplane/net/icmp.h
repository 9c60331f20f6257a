// ICMP and ICMPv6: echo, and the errors that tell of a smaller path MTU. RFC 792, RFC 1191, RFC 4443, RFC 8201.
#pragma once

#include <cstdint>
#include <tl/expected.hpp>

#include "dataplane/net/ip.h"

namespace postern::net {

namespace icmp_type {
inline constexpr std::uint8_t echo_reply = 0;
inline constexpr std::uint8_t unreachable = 3;
inline constexpr std::uint8_t echo = 8;
}  // namespace icmp_type
inline constexpr std::uint8_t icmp_code_fragmentation_needed = 4;

namespace icmpv6_type {
inline constexpr std::uint8_t packet_too_big = 2;
inline constexpr std::uint8_t echo = 128;
inline constexpr std::uint8_t echo_reply = 129;
inline constexpr std::uint8_t mld_query = 130;
inline constexpr std::uint8_t neighbour_solicitation = 135;
inline constexpr std::uint8_t neighbour_advertisement = 136;
inline constexpr std::uint8_t mld_report = 143;
}  // namespace icmpv6_type

struct icmp_message {
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint32_t rest = 0;  ///< the four octets behind the checksum
    octets body;             ///< what is behind them
};

/// Of a packet whose protocol is ICMP or ICMPv6, each of its own family; the checksum is verified.
tl::expected<icmp_message, drop> read_icmp(const ip_packet& packet) noexcept;

/// What such an error says, for the owner of the quoted packet to believe or not (RFC 5927).
struct path_mtu_report {
    quoted_packet quoted;
    std::uint16_t next_mtu = 0;  ///< 0: an old router that does not say
};
tl::expected<path_mtu_report, drop> read_path_mtu(const ip_packet& packet, const icmp_message& message) noexcept;

/// A message with its checksum; `from` and `to` say which family.
void write_icmp(writer& out, const ip_address& from, const ip_address& to, const icmp_message& message) noexcept;

}  // namespace postern::net
