// The frame that nearly all are: Ethernet without a tag, IPv4 without options, and TCP whose only options are
// timestamps, as RFC 7323 appendix A has them. Every field has its place, so that one such frame is read, from Ethernet
// to TCP, by comparisons of words. What it is not, the port and TCP's header look at (interface.h, tcp/header.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/interface.h"
#include "dataplane/port/queue.h"
#include "dataplane/tcp/header.h"

namespace postern::port::plain_frame {

inline constexpr std::size_t ip_at = 14;
inline constexpr std::size_t tcp_at = 34;
inline constexpr std::size_t timestamps_at = 54;
inline constexpr std::size_t payload_at = 66;
inline constexpr std::uint8_t header_words = 8;  ///< of TCP: its data offset

/// Reads the segment of such a frame to an address of ours; `own` is the port's `untagged_link`, asked for once for a
/// burst, and 0 takes none. False: the frame is none, or something is wrong with it, and the port is to look
/// (`interface::usual`, `interface::input`). The caller counts it by `interface::count_segments`. Of `out`, what absent
/// options would say may be what it was before.
[[gnu::always_inline]] inline bool read(const received_frame& frame, std::uint64_t own, const net::interface& port,
                                        tcp::segment& out) noexcept {
    constexpr std::uint32_t type_and_version = std::uint32_t{net::ether_type::ipv4} << 16U | net::ipv4_first_word;
    constexpr std::uint32_t but_for_service_class = 0xffffff00;
    constexpr std::uint32_t fragment_and_protocol = 0x3fff00ff;  // more fragments, offset
    const std::size_t size = frame.octets.size();
    if (size < payload_at || own == 0) {
        return false;
    }
    const std::uint8_t* const at = frame.octets.data();
    const std::uint8_t* const ip = at + ip_at;
    const std::uint8_t* const tcp = at + tcp_at;
    const std::size_t packet_size = net::read16(ip + 2);
    if (net::read48(at) != own || (at[6] & 1U) != 0 ||
        (net::read32(at + ip_at - 2) & but_for_service_class) != type_and_version ||
        (net::read32(ip + 6) & fragment_and_protocol) != net::protocol::tcp || packet_size < payload_at - ip_at ||
        packet_size > size - ip_at || tcp[12] >> 4U != header_words ||
        net::read32(at + timestamps_at) != tcp::timestamps_head) {
        return false;
    }
    std::array<std::uint32_t, 2> ends{};  // as they lie in memory
    std::memcpy(ends.data(), ip + 12, sizeof ends);
    if (!port.from_stranger_to_us(ends[0], ends[1]) || (!frame.ip_checked && !net::is_whole_ipv4_header(ip))) {
        return false;
    }
    const std::size_t segment_size = packet_size - (tcp_at - ip_at);
    if (!frame.segment_checked) {
        // The addresses lie in front of the segment.
        net::checksum_sum sum;
        sum.add64(net::protocol::tcp + segment_size).add({tcp - sizeof ends, segment_size + sizeof ends});
        if (sum.complement() != 0) {
            return false;
        }
    }
    out.peer = {net::ipv4(ip + 12), net::read16(tcp)};
    out.local = {net::ipv4(ip + 16), net::read16(tcp + 2)};
    if (out.peer.port == 0 || out.local.port == 0) {
        return false;
    }
    out.seq = net::read32(tcp + 4);
    out.ack = net::read32(tcp + 8);
    out.flags = tcp[13] & 0x3fU;
    out.window = net::read16(tcp + 14);
    out.options.timestamp = net::read32(at + timestamps_at + 4);
    out.options.timestamp_echo = net::read32(at + timestamps_at + 8);
    out.options.mss = 0;
    out.options.window_scale = 0;
    out.options.has_window_scale = false;
    out.options.has_timestamps = true;
    out.options.sack_permitted = false;
    out.options.sack_blocks = 0;
    out.payload = {reinterpret_cast<const char*>(at) + payload_at, packet_size - (payload_at - ip_at)};
    out.link = net::read48(at + 6);
    return true;
}

}  // namespace postern::port::plain_frame
