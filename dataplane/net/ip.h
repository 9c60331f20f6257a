// IPv4 and IPv6 packets: headers read with every bound checked, and written. RFC 791, RFC 1122 3.2.1, RFC 8200.
//
// Fragments are counted and dropped: a TCP segment that respects our MSS and path MTU is never fragmented on its way
// here, and putting strangers' fragments together would hold memory for them. (An IPv6 atomic fragment is whole and is
// taken, RFC 6946.)
#pragma once

#include <cstdint>
#include <optional>
#include <tl/expected.hpp>

#include "dataplane/net/address.h"
#include "dataplane/net/drop.h"
#include "dataplane/net/octets.h"

namespace postern::net {

namespace protocol {
inline constexpr std::uint8_t icmp = 1;
inline constexpr std::uint8_t tcp = 6;
inline constexpr std::uint8_t udp = 17;
inline constexpr std::uint8_t icmpv6 = 58;
}  // namespace protocol

// Of what we send.
inline constexpr std::uint16_t ipv4_first_word = 0x4500;  ///< version 4, 20 octets of header, no service class
inline constexpr std::uint16_t do_not_fragment = 0x4000;  ///< with identification 0: RFC 6864 4.1
inline constexpr std::uint8_t own_hop_limit = 64;

/// Who answers for the IPv4 header's checksum of a packet that arrived.
enum class checked : std::uint8_t {
    no,   ///< unknown, or bad by the word of the NIC: verified here
    yes,  ///< verified by the NIC
};

struct ip_packet {
    ip_address from{};
    ip_address to{};
    std::uint8_t protocol = 0;   ///< of the payload, behind extension headers
    std::uint8_t hop_limit = 0;  ///< TTL
    octets payload;              ///< without the frame's padding
    octets whole;                ///< header and payload
};

tl::expected<ip_packet, drop> read_ipv4(octets packet, checked header = checked::no) noexcept;
tl::expected<ip_packet, drop> read_ipv6(octets packet) noexcept;

/// The protocol of what a fragment is of, if its header says so: in IPv6 only one that follows the fixed header.
std::optional<std::uint8_t> fragment_protocol(octets packet) noexcept;

/// What a quoted packet in an ICMP error says of itself; no more than header and 8 octets are there. RFC 792, RFC 4443.
struct quoted_packet {
    ip_address from{};
    ip_address to{};
    std::uint8_t protocol = 0;
    std::uint16_t size = 0;  ///< of the whole packet, by its header
    octets payload;          ///< at least 8 octets
};
tl::expected<quoted_packet, drop> read_quoted(octets quoted) noexcept;

constexpr std::size_t ip_header_size(const ip_address& to) noexcept {
    return is_ipv4(to) ? 20 : 40;
}
/// A header without options in front of `payload` octets. IPv4 with DF and identification 0 (RFC 6864 4.1: an atomic
/// datagram); `checksum` false leaves the header's checksum 0, for the NIC to fill in.
void write_ip(writer& out, const ip_address& from, const ip_address& to, std::uint8_t protocol, std::uint8_t hop_limit,
              std::size_t payload, bool checksum = true) noexcept;

}  // namespace postern::net
