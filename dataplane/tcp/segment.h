// A TCP segment as the endpoint takes and gives it: addresses from the IP header, fields of the TCP header in host
// order, options taken apart. RFC 9293 3.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/shard/seam.h"
#include "dataplane/tcp/sequence.h"

namespace postern::tcp {

namespace flag {
inline constexpr std::uint8_t fin = 0x01;
inline constexpr std::uint8_t syn = 0x02;
inline constexpr std::uint8_t rst = 0x04;
inline constexpr std::uint8_t psh = 0x08;
inline constexpr std::uint8_t ack = 0x10;
inline constexpr std::uint8_t urg = 0x20;  ///< read, and of no effect
}  // namespace flag

inline constexpr std::size_t most_sack_blocks = 4;

/// The options that this endpoint knows; absent ones have their defaults.
struct segment_options {
    std::uint32_t timestamp = 0;       ///< TSval
    std::uint32_t timestamp_echo = 0;  ///< TSecr
    std::uint16_t mss = 0;             ///< 0: absent
    std::uint8_t window_scale = 0;
    bool has_window_scale : 1 = false;
    bool has_timestamps : 1 = false;
    bool sack_permitted : 1 = false;
    std::uint8_t sack_blocks = 0;
    std::array<seq_range, most_sack_blocks> sack{};
};

/// A segment that arrived. `payload` is the frame's own memory and lives for the turn.
struct segment {
    shard::endpoint peer;   ///< source; IPv4 in its mapped form
    shard::endpoint local;  ///< destination
    std::uint32_t seq = 0;
    std::uint32_t ack = 0;
    std::uint16_t window = 0;  ///< as it stands in the header
    std::uint8_t flags = 0;
    segment_options options;
    std::span<const char> payload;
    /// What is below IP, opaque here: of the last valid segment of a connection, given back with its replies.
    std::uint64_t link = 0;

    bool has(std::uint8_t f) const noexcept { return (flags & f) != 0; }
    /// Sequence numbers it takes.
    std::uint32_t length() const noexcept {
        return static_cast<std::uint32_t>(payload.size()) + (has(flag::syn) ? 1 : 0) + (has(flag::fin) ? 1 : 0);
    }
};

/// A segment to be sent; everything it refers to lives for the call it is passed to.
struct outgoing {
    shard::endpoint local;  ///< source
    shard::endpoint peer;   ///< destination
    std::uint32_t seq = 0;
    std::uint32_t ack = 0;
    std::uint16_t window = 0;
    std::uint8_t flags = 0;
    segment_options options;
    std::span<const std::span<const char>> payload;  ///< parts, in order
    std::size_t payload_size = 0;
    std::uint64_t link = 0;  ///< see segment
};

/// The segment that nearly all replies are: ACK and PSH, payload in one piece, no options but timestamps.
struct plain_reply {
    const shard::endpoint& local;
    const shard::endpoint& peer;
    std::uint32_t seq = 0;
    std::uint32_t ack = 0;
    std::uint16_t window = 0;
    bool has_timestamps = false;
    std::uint32_t timestamp = 0;
    std::uint32_t timestamp_echo = 0;
    std::span<const char> payload;
    std::uint64_t link = 0;  ///< see segment
};

/// Where the endpoint's segments go: it frames and sends them.
class segment_sink {
public:
    /// False: there is no frame for it now. What must arrive is sent again later.
    virtual bool send(const outgoing& s) noexcept = 0;
    /// The same for a reply of that form, for those who have a shorter way for it.
    virtual bool send_reply(const plain_reply& r) noexcept {
        outgoing s;
        s.local = r.local;
        s.peer = r.peer;
        s.seq = r.seq;
        s.ack = r.ack;
        s.window = r.window;
        s.flags = flag::ack | flag::psh;
        s.options.has_timestamps = r.has_timestamps;
        s.options.timestamp = r.timestamp;
        s.options.timestamp_echo = r.timestamp_echo;
        s.payload = {&r.payload, 1};
        s.payload_size = r.payload.size();
        s.link = r.link;
        return send(s);
    }

protected:
    ~segment_sink() = default;
};

}  // namespace postern::tcp
