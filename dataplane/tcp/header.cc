#include "dataplane/tcp/header.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/checksum.h"

namespace postern::tcp {
namespace {

constexpr std::uint8_t option_end = 0;
constexpr std::uint8_t option_nop = 1;
constexpr std::uint8_t option_mss = 2;
constexpr std::uint8_t option_window_scale = 3;
constexpr std::uint8_t option_sack_permitted = 4;
constexpr std::uint8_t option_sack = 5;
constexpr std::uint8_t option_timestamps = 8;
constexpr std::uint8_t most_window_scale = 14;  // RFC 7323 2.3

constexpr std::uint8_t protocol_tcp = 6;

void put32(std::uint8_t* at, std::uint32_t value) noexcept {
    net::write16(at, static_cast<std::uint16_t>(value >> 16));
    net::write16(at + 2, static_cast<std::uint16_t>(value));
}

void read_option(segment_options& to, std::uint8_t kind, std::span<const std::uint8_t> value) noexcept {
    switch (kind) {
        case option_mss:
            if (value.size() == 2) {
                to.mss = net::read16(value.data());
            }
            break;
        case option_window_scale:
            if (value.size() == 1) {
                to.has_window_scale = true;
                to.window_scale = std::min(value[0], most_window_scale);
            }
            break;
        case option_sack_permitted:
            if (value.empty()) {
                to.sack_permitted = true;
            }
            break;
        case option_sack:
            if (!value.empty() && value.size() % 8 == 0 && value.size() / 8 <= most_sack_blocks) {
                to.sack_blocks = static_cast<std::uint8_t>(value.size() / 8);
                for (std::size_t i = 0; i < to.sack_blocks; ++i) {
                    to.sack[i] = {net::read32(value.data() + 8 * i), net::read32(value.data() + 8 * i + 4)};
                }
            }
            break;
        case option_timestamps:
            if (value.size() == 8) {
                to.has_timestamps = true;
                to.timestamp = net::read32(value.data());
                to.timestamp_echo = net::read32(value.data() + 4);
            }
            break;
        default:
            break;
    }
}

bool read_options(segment_options& to, std::span<const std::uint8_t> list) noexcept {
    while (!list.empty() && list[0] != option_end) {
        if (list[0] == option_nop) {
            list = list.subspan(1);
            continue;
        }
        if (list.size() < 2 || list[1] < 2 || list[1] > list.size()) {
            return false;
        }
        read_option(to, list[0], list.subspan(2, list[1] - 2U));
        list = list.subspan(list[1]);
    }
    return true;
}

std::size_t options_size(const segment_options& o) noexcept {
    std::size_t n = 0;
    n += o.mss != 0 ? 4 : 0;
    n += o.has_window_scale ? 4 : 0;
    n += o.has_timestamps ? 12 : o.sack_permitted ? 4 : 0;  // SACK-permitted takes the place of the padding
    n += o.sack_blocks != 0 ? 4 + 8 * std::size_t{o.sack_blocks} : 0;
    return n;
}

/// Aligned as RFC 7323 appendix A has it, with padding in front.
std::uint8_t* write_options(const segment_options& o, std::uint8_t* p) noexcept {
    if (o.mss != 0) {
        p[0] = option_mss;
        p[1] = 4;
        net::write16(p + 2, o.mss);
        p += 4;
    }
    if (o.has_timestamps || o.sack_permitted) {
        p[0] = o.sack_permitted ? option_sack_permitted : option_nop;
        p[1] = o.sack_permitted ? 2 : option_nop;
        p[2] = o.has_timestamps ? option_timestamps : option_nop;
        p[3] = o.has_timestamps ? 10 : option_nop;
        p += 4;
    }
    if (o.has_timestamps) {
        put32(p, o.timestamp);
        put32(p + 4, o.timestamp_echo);
        p += 8;
    }
    if (o.has_window_scale) {
        p[0] = option_nop;
        p[1] = option_window_scale;
        p[2] = 3;
        p[3] = o.window_scale;
        p += 4;
    }
    if (o.sack_blocks != 0) {
        p[0] = option_nop;
        p[1] = option_nop;
        p[2] = option_sack;
        p[3] = static_cast<std::uint8_t>(2 + 8 * o.sack_blocks);
        p += 4;
        for (std::size_t i = 0; i < o.sack_blocks; ++i) {
            put32(p, o.sack[i].begin);
            put32(p + 4, o.sack[i].end);
            p += 8;
        }
    }
    return p;
}

}  // namespace

tl::expected<segment, header_error> read_segment(const shard::endpoint& from, const shard::endpoint& to,
                                                 std::span<const std::uint8_t> octets, checksum_state state) noexcept {
    if (octets.size() < least_header) {
        return tl::unexpected(header_error::too_short);
    }
    const std::size_t offset = std::size_t{octets[12]} >> 4 << 2;
    if (offset < least_header) {
        return tl::unexpected(header_error::bad_offset);
    }
    if (offset > octets.size()) {
        return tl::unexpected(header_error::too_short);
    }
    if (state == checksum_state::verify && checksum(from, to, octets) != 0) {
        return tl::unexpected(header_error::bad_checksum);
    }
    segment s;
    s.peer = from;
    s.local = to;
    s.peer.port = net::read16(octets.data());
    s.local.port = net::read16(octets.data() + 2);
    if (s.peer.port == 0 || s.local.port == 0) {
        return tl::unexpected(header_error::no_port);
    }
    s.seq = net::read32(octets.data() + 4);
    s.ack = net::read32(octets.data() + 8);
    s.flags = octets[13] & 0x3f;
    s.window = net::read16(octets.data() + 14);
    if (offset > least_header && !read_options(s.options, octets.subspan(least_header, offset - least_header))) {
        return tl::unexpected(header_error::bad_options);
    }
    const std::span<const std::uint8_t> rest = octets.subspan(offset);
    s.payload = {reinterpret_cast<const char*>(rest.data()), rest.size()};
    return s;
}

std::size_t header_size(const outgoing& s) noexcept {
    return least_header + options_size(s.options);
}

std::size_t write_segment(const outgoing& s, std::span<std::uint8_t> out, checksum_by by) noexcept {
    const std::size_t head = header_size(s);
    const std::size_t size = head + s.payload_size;
    if (head > largest_header || size > out.size()) {
        return 0;
    }
    std::uint8_t* p = out.data();
    net::write16(p, s.local.port);
    net::write16(p + 2, s.peer.port);
    put32(p + 4, s.seq);
    put32(p + 8, s.ack);
    p[12] = static_cast<std::uint8_t>(head / 4 << 4);
    p[13] = s.flags;
    net::write16(p + 14, s.window);
    put32(p + 16, 0);  // checksum, urgent pointer
    p = write_options(s.options, p + least_header);
    for (const std::span<const char> part : s.payload) {
        std::memcpy(p, part.data(), part.size());
        p += part.size();
    }
    const std::uint16_t sum =
        by == checksum_by::software
            ? checksum(s.local, s.peer, out.first(size))
            : static_cast<std::uint16_t>(
                  ~net::checksum_sum().add_pseudo(s.local.address, s.peer.address, protocol_tcp, size).complement());
    net::write16(out.data() + 16, sum);
    return size;
}

std::uint16_t checksum(const shard::endpoint& from, const shard::endpoint& to,
                       std::span<const std::uint8_t> octets) noexcept {
    return net::checksum_sum()
        .add_pseudo(from.address, to.address, protocol_tcp, octets.size())
        .add(octets)
        .complement();
}

}  // namespace postern::tcp
