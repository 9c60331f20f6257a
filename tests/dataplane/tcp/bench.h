// The endpoint on a bench: a probe as its session layer, a recorder as its port, virtual time, segments by hand.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/shard/connection_limits.h"
#include "dataplane/tcp/endpoint.h"
#include "dataplane/tcp/turn.h"
#include "tests/dataplane/shard/probe.h"

namespace postern::tcp::testing {

using namespace std::chrono_literals;

/// A segment that the endpoint sent, with its payload.
struct sent_segment {
    outgoing head;  ///< its payload spans are not valid any more
    std::string payload;

    bool has(std::uint8_t f) const { return (head.flags & f) != 0; }
    std::uint32_t end() const {
        return head.seq + static_cast<std::uint32_t>(payload.size()) + (has(flag::syn) ? 1 : 0) +
               (has(flag::fin) ? 1 : 0);
    }
};

class recorder final : public segment_sink {
public:
    std::deque<sent_segment> out;
    std::size_t frames = SIZE_MAX;  ///< how many more it takes
    bool keeps = true;              ///< false: what is sent is lost

    bool send(const outgoing& s) noexcept override {
        if (frames == 0) {
            return false;
        }
        --frames;
        if (!keeps) {
            return true;
        }
        out.push_back({s, {}});
        out.back().head.payload = {};
        for (const std::span<const char> part : s.payload) {
            out.back().payload.append(part.data(), part.size());
        }
        return true;
    }
};

inline shard::endpoint ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port) {
    shard::endpoint e;
    e.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
    e.port = port;
    return e;
}
inline shard::endpoint ipv6(std::uint8_t last, std::uint16_t port) {
    shard::endpoint e;
    e.address = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
    e.port = port;
    return e;
}

inline const shard::endpoint server_v4 = ipv4(198, 51, 100, 1, 25);
inline const shard::endpoint server_v6 = ipv6(1, 25);
inline constexpr secrets fixed_secrets{{1, 2}, {3, 4}, {5, 6}};

class bench {
public:
    explicit bench(const settings& s = {}, shard::connection_limits::limits l = {1'000'000, 1'000'000})
        : limits({&l, 1}), tcp(_listeners, limits, port, s, fixed_secrets, time) {}

    shard::instant time{1000s};
    recorder port;

private:
    std::vector<endpoint::listener> _listeners = {{server_v4, 0}, {server_v6, 0}};

public:
    shard::connection_limits limits;
    endpoint tcp;
    shard::probe<endpoint> layer{tcp};

    void turn(std::span<const segment> burst = {}) { run_turn(tcp, layer, time, burst); }
    void input(const segment& s) { turn({&s, 1}); }
    /// Lets time pass, with a turn at each timer on the way.
    void advance(shard::instant by) {
        const shard::instant end = time + by;
        for (;;) {
            time = std::min(end, std::max(time, tcp.next_timer()));
            turn();
            settle();
            if (time >= end) {
                return;
            }
            time += 1ns;
        }
    }
    /// Turns until nothing is left to do at this instant.
    void settle() {
        for (int i = 0; i < 1000 && !tcp.may_sleep(); ++i) {
            turn();
        }
    }
    /// The next segment that was sent.
    sent_segment take() {
        if (port.out.empty()) {
            return {};
        }
        sent_segment s = std::move(port.out.front());
        port.out.pop_front();
        return s;
    }
    std::vector<sent_segment> take_all() {
        std::vector<sent_segment> all(port.out.begin(), port.out.end());
        port.out.clear();
        return all;
    }
};

/// A client by hand: knows its numbers, and makes segments that would be right.
class client {
public:
    explicit client(bench& b, const shard::endpoint& from = ipv4(192, 0, 2, 1, 40000),
                    const shard::endpoint& to = server_v4)
        : at(b), self(from), server(to) {}

    bench& at;
    shard::endpoint self;
    shard::endpoint server;
    std::uint32_t seq = 1000;  ///< next to send
    std::uint32_t ack = 0;     ///< next expected of the server
    std::uint16_t window = 65535;
    segment_options syn_options{.mss = 1460};
    std::uint32_t timestamp = 0;  ///< sent if the SYN had timestamps
    std::uint32_t echo = 0;

    segment make(std::uint8_t flags, std::string_view payload = {}) const {
        segment s;
        s.peer = self;
        s.local = server;
        s.seq = seq;
        s.ack = (flags & flag::ack) != 0 ? ack : 0;
        s.flags = flags;
        s.window = window;
        s.payload = {payload.data(), payload.size()};
        s.link = 0x1122;
        if (syn_options.has_timestamps) {
            s.options.has_timestamps = true;
            s.options.timestamp = timestamp;
            s.options.timestamp_echo = echo;
        }
        return s;
    }
    segment make_syn() const {
        segment s = make(flag::syn);
        s.options = syn_options;
        s.options.timestamp = timestamp;
        return s;
    }
    /// SYN and the answer's numbers. The SYN-ACK.
    sent_segment syn() {
        at.input(make_syn());
        sent_segment answer = at.take();
        ++seq;
        heed(answer);
        return answer;
    }
    /// Through the handshake.
    void open() {
        syn();
        at.input(make(flag::ack));
    }
    /// Sends octets in order.
    void send(std::string_view octets, std::uint8_t flags = flag::ack | flag::psh) {
        const segment s = make(flags, octets);
        seq += s.length();
        at.input(s);
    }
    void fin() { send({}, flag::fin | flag::ack); }
    /// Takes what the server sent as received.
    void heed(const sent_segment& s) {
        if (s.has(flag::syn) || s.head.seq == ack) {
            ack = s.end();
        }
        if (s.head.options.has_timestamps) {
            echo = s.head.options.timestamp;
        }
    }
    void acknowledge() { at.input(make(flag::ack)); }
};

}  // namespace postern::tcp::testing
