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

static_assert(timestamps_head == (option_nop << 24U | option_nop << 16U | option_timestamps << 8U | 10U));

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

bool nothing_but_timestamps(const segment_options& o) noexcept {
    return o.has_timestamps && !o.sack_permitted && !o.has_window_scale && o.mss == 0 && o.sack_blocks == 0;
}

/// `plain`: nothing but timestamps.
std::size_t options_size(const segment_options& o, bool plain) noexcept {
    if (plain) {
        return 12;
    }
    std::size_t n = 0;
    n += o.mss != 0 ? 4 : 0;
    n += o.has_window_scale ? 4 : 0;
    n += o.has_timestamps ? 12 : o.sack_permitted ? 4 : 0;  // SACK-permitted takes the place of the padding
    n += o.sack_blocks != 0 ? 4 + 8 * std::size_t{o.sack_blocks} : 0;
    return n;
}

/// Aligned as RFC 7323 appendix A has it, with padding in front.
std::uint8_t* write_options(const segment_options& o, bool plain, std::uint8_t* p) noexcept {
    if (plain) {
        net::write32(p, timestamps_head);
        net::write32(p + 4, o.timestamp);
        net::write32(p + 8, o.timestamp_echo);
        return p + 12;
    }
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
        net::write32(p, o.timestamp);
        net::write32(p + 4, o.timestamp_echo);
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
            net::write32(p, o.sack[i].begin);
            net::write32(p + 4, o.sack[i].end);
            p += 8;
        }
    }
    return p;
}

/// No operations, timestamps, and nothing else: what nearly every segment of today's clients has.
bool only_timestamps(segment_options& to, const std::uint8_t* at, std::size_t size) noexcept {
    if (size != 12 || net::read32(at) != timestamps_head) {
        return false;
    }
    to.has_timestamps = true;
    to.timestamp = net::read32(at + 4);
    to.timestamp_echo = net::read32(at + 8);
    return true;
}

}  // namespace

namespace {

/// Whether the data offset lies in the segment, or what is wrong with it.
tl::expected<std::size_t, header_error> offset_of(std::span<const std::uint8_t> octets) noexcept {
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
    return offset;
}

}  // namespace

tl::expected<void, header_error> read_segment(segment& out, const shard::endpoint& from, const shard::endpoint& to,
                                              std::span<const std::uint8_t> octets, checksum_state state) noexcept {
    if (const auto offset = offset_of(octets); !offset) {
        return tl::unexpected(offset.error());
    }
    if (state == checksum_state::verify && checksum(from, to, octets) != 0) {
        return tl::unexpected(header_error::bad_checksum);
    }
    out.peer.address = from.address;
    out.local.address = to.address;
    return read_fields(out, octets);
}

tl::expected<void, header_error> read_fields(segment& out, std::span<const std::uint8_t> octets) noexcept {
    const auto found = offset_of(octets);
    if (!found) {
        return tl::unexpected(found.error());
    }
    const std::size_t offset = *found;
    const std::uint8_t* const at = octets.data();
    out.peer.port = net::read16(at);
    out.local.port = net::read16(at + 2);
    if (out.peer.port == 0 || out.local.port == 0) {
        return tl::unexpected(header_error::no_port);
    }
    out.seq = net::read32(at + 4);
    out.ack = net::read32(at + 8);
    out.flags = at[13] & 0x3f;
    out.window = net::read16(at + 14);
    out.options = {};
    if (offset != least_header && !only_timestamps(out.options, at + least_header, offset - least_header) &&
        !read_options(out.options, octets.subspan(least_header, offset - least_header))) {
        return tl::unexpected(header_error::bad_options);
    }
    const std::span<const std::uint8_t> rest = octets.subspan(offset);
    out.payload = {reinterpret_cast<const char*>(rest.data()), rest.size()};
    return {};
}

tl::expected<segment, header_error> read_segment(const shard::endpoint& from, const shard::endpoint& to,
                                                 std::span<const std::uint8_t> octets, checksum_state state) noexcept {
    segment s;
    if (const auto done = read_segment(s, from, to, octets, state); !done) {
        return tl::unexpected(done.error());
    }
    return s;
}

std::size_t header_size(const outgoing& s) noexcept {
    return least_header + options_size(s.options, nothing_but_timestamps(s.options));
}

std::size_t write_segment(const outgoing& s, std::span<std::uint8_t> out, checksum_by by) noexcept {
    const bool plain = nothing_but_timestamps(s.options);
    const std::size_t head = least_header + options_size(s.options, plain);
    const std::size_t size = head + s.payload_size;
    if (head > largest_header || size > out.size()) {
        return 0;
    }
    std::uint8_t* const p = out.data();
    net::write16(p, s.local.port);
    net::write16(p + 2, s.peer.port);
    net::write32(p + 4, s.seq);
    net::write32(p + 8, s.ack);
    p[12] = static_cast<std::uint8_t>(head / 4 << 4);
    p[13] = s.flags;
    net::write16(p + 14, s.window);
    net::write32(p + 16, 0);  // checksum, urgent pointer
    std::uint8_t* to = write_options(s.options, plain, p + least_header);
    for (const std::span<const char> part : s.payload) {
        std::memcpy(to, part.data(), part.size());
        to += part.size();
    }
    net::checksum_sum sum;
    sum.add_pseudo(s.local.address, s.peer.address, protocol_tcp, size);
    if (by == checksum_by::nic) {
        net::write16(p + 16, static_cast<std::uint16_t>(~sum.complement()));
        return size;
    }
    if ((plain || head == least_header) && s.payload.size() <= 1) {
        // From what was written, not from where: reading it back in other pieces would wait for the stores.
        sum.add16(s.local.port).add16(s.peer.port).add32(s.seq).add32(s.ack).add16(s.window);
        sum.add16(static_cast<std::uint16_t>(head / 4 << 12 | s.flags));
        if (plain) {
            sum.add32(timestamps_head).add32(s.options.timestamp).add32(s.options.timestamp_echo);
        }
        if (!s.payload.empty()) {
            const std::span<const char> part = s.payload[0];
            sum.add({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()});
        }
    } else {
        sum.add(out.first(size));
    }
    net::write16(p + 16, sum.complement());
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
