#include "dataplane/tcp/header.h"

#include <algorithm>
#include <cstring>

#include "dataplane/shard/endpoint_text.h"

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

constexpr std::uint16_t get16(const std::uint8_t* p) noexcept {
    return static_cast<std::uint16_t>(p[0] << 8 | p[1]);
}
constexpr std::uint32_t get32(const std::uint8_t* p) noexcept {
    return std::uint32_t{get16(p)} << 16 | get16(p + 2);
}
constexpr void put16(std::uint8_t* p, std::uint16_t v) noexcept {
    p[0] = static_cast<std::uint8_t>(v >> 8);
    p[1] = static_cast<std::uint8_t>(v);
}
constexpr void put32(std::uint8_t* p, std::uint32_t v) noexcept {
    put16(p, static_cast<std::uint16_t>(v >> 16));
    put16(p + 2, static_cast<std::uint16_t>(v));
}

/// Adds 16-bit words in network order; an odd last octet is padded with a zero.
std::uint64_t add(std::uint64_t sum, std::span<const std::uint8_t> octets) noexcept {
    std::size_t i = 0;
    for (; i + 4 <= octets.size(); i += 4) {
        sum += get32(octets.data() + i);
    }
    if (i + 2 <= octets.size()) {
        sum += get16(octets.data() + i);
        i += 2;
    }
    if (i < octets.size()) {
        sum += std::uint64_t{octets[i]} << 8;
    }
    return sum;
}

std::uint16_t fold(std::uint64_t sum) noexcept {
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(sum);
}

/// RFC 9293 3.1, RFC 8200 8.1: a mapped address counts as the IPv4 address that it is; its prefix is not summed.
std::uint64_t pseudo_header(const shard::endpoint& from, const shard::endpoint& to, std::size_t size) noexcept {
    constexpr std::uint64_t protocol_tcp = 6;
    const std::size_t skip = is_ipv4(from) ? 12 : 0;
    std::uint64_t sum = protocol_tcp + size;
    sum = add(sum, std::span(from.address).subspan(skip));
    return add(sum, std::span(to.address).subspan(skip));
}

void read_option(segment_options& to, std::uint8_t kind, std::span<const std::uint8_t> value) noexcept {
    switch (kind) {
        case option_mss:
            if (value.size() == 2) {
                to.mss = get16(value.data());
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
                    to.sack[i] = {get32(value.data() + 8 * i), get32(value.data() + 8 * i + 4)};
                }
            }
            break;
        case option_timestamps:
            if (value.size() == 8) {
                to.has_timestamps = true;
                to.timestamp = get32(value.data());
                to.timestamp_echo = get32(value.data() + 4);
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
        put16(p + 2, o.mss);
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
                                                 std::span<const std::uint8_t> octets,
                                                 checksum_state state) noexcept {
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
    s.peer.port = get16(octets.data());
    s.local.port = get16(octets.data() + 2);
    if (s.peer.port == 0 || s.local.port == 0) {
        return tl::unexpected(header_error::no_port);
    }
    s.seq = get32(octets.data() + 4);
    s.ack = get32(octets.data() + 8);
    s.flags = octets[13] & 0x3f;
    s.window = get16(octets.data() + 14);
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
    put16(p, s.local.port);
    put16(p + 2, s.peer.port);
    put32(p + 4, s.seq);
    put32(p + 8, s.ack);
    p[12] = static_cast<std::uint8_t>(head / 4 << 4);
    p[13] = s.flags;
    put16(p + 14, s.window);
    put32(p + 16, 0);  // checksum, urgent pointer
    p = write_options(s.options, p + least_header);
    for (const std::span<const char> part : s.payload) {
        std::memcpy(p, part.data(), part.size());
        p += part.size();
    }
    const std::uint16_t sum =
        by == checksum_by::nic ? fold(pseudo_header(s.local, s.peer, size)) : checksum(s.local, s.peer, out.first(size));
    put16(out.data() + 16, sum);
    return size;
}

std::uint16_t checksum(const shard::endpoint& from, const shard::endpoint& to,
                       std::span<const std::uint8_t> octets) noexcept {
    return static_cast<std::uint16_t>(~fold(add(pseudo_header(from, to, octets.size()), octets)));
}

}  // namespace postern::tcp
