// The generator's frames: Ethernet, IPv4, TCP with timestamps as today's clients have them; read and written for one
// server, with every checksum made and verified in software.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/net/address.h"
#include "dataplane/net/octets.h"
#include "perf/rig/client_table.h"

namespace postern::perf::rig {

inline constexpr net::mac_address server_mac{0x02, 0, 0, 0, 0, 0x01};
inline constexpr net::mac_address client_mac{0x02, 0, 0, 0, 0, 0x02};
inline constexpr net::ip_address server_address = net::ipv4(198, 18, 0, 1);  // RFC 2544 C.2.2
inline constexpr std::uint32_t first_client = 0x0a000001;                    // 10.0.0.1 and those behind it
inline constexpr std::uint16_t server_port = 25;

/// Octets in front of a payload.
inline constexpr std::size_t headers = 14 + 20 + 32;

struct client_segment {
    client_table::name who;
    std::uint32_t seq = 0;
    std::uint32_t ack = 0;
    std::uint32_t timestamp = 0;
    std::uint32_t timestamp_echo = 0;
    std::uint8_t flags = 0;
};

/// Writes all but the payload, which stands at `headers` already, and returns the frame's size. A SYN has the options
/// of a Linux client and no payload.
std::size_t write_frame(const client_segment& s, std::size_t payload, std::span<std::uint8_t> out) noexcept;

/// What the server sent; nothing: not TCP for a client of ours, or its checksum is wrong.
struct server_segment {
    client_table::name to;
    std::uint32_t seq = 0;
    std::uint32_t timestamp = 0;
    std::uint8_t flags = 0;
    std::span<const char> payload;
};
enum class reading : std::uint8_t { good, other, bad_checksum };
reading read_frame(std::span<const std::uint8_t> frame, server_segment& out) noexcept;

}  // namespace postern::perf::rig
