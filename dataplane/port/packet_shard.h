// What one shard of the packet path is made of, from the queue up to TCP, and how a burst of frames becomes segments.
//
// TCP's endpoint is what the session layer runs over (`session::layer<tcp::endpoint>`).
#pragma once

#include <array>
#include <span>

#include "dataplane/net/interface.h"
#include "dataplane/port/device.h"
#include "dataplane/port/framing.h"
#include "dataplane/shard/eventfd_waker.h"
#include "dataplane/tcp/endpoint.h"
#include "dataplane/tcp/turn.h"

namespace postern::port {

/// Frames and segments that came to nothing, by what was wrong with them.
struct packet_counts {
    shard::counter bad_segments;  ///< headers or checksums of TCP
    shard::counter others;        ///< for our addresses, and nobody's here
};

/// What the shard holds, as of its last turn; at rest, with nobody connected, all of it is 0.
struct packet_gauges {
    shard::gauge connections;  ///< of any state but TIME-WAIT
    shard::gauge half_open;    ///< of them
    shard::gauge time_wait;    ///< entries
    shard::gauge timers;       ///< of connections
    shard::gauge octets_held;  ///< blocks lent for what is not acknowledged, not consumed or out of order

    template <class F>
    void for_each(F&& f) const {
        f("now_connections", connections.value());
        f("now_half_open", half_open.value());
        f("now_time_wait", time_wait.value());
        f("now_timers", timers.value());
        f("now_octets_held", octets_held.value());
    }
};

class packet_shard {
public:
    /// All but the settings outlives the shard.
    packet_shard(device& port, std::uint16_t queue, const net::interface_settings& network,
                 std::span<const tcp::endpoint::listener> listeners, shard::connection_limits& limits,
                 const tcp::settings& tcp, const tcp::secrets& keys, shard::instant now);
    packet_shard(const packet_shard&) = delete;
    packet_shard& operator=(const packet_shard&) = delete;

    /// Takes a burst from the queue and hands its frames to the port: what is left are TCP's segments, alive until
    /// `end_turn`.
    std::span<const tcp::segment> receive(shard::instant now);
    /// Reports that came with the burst go to the endpoint, what waits goes out, the burst's buffers go back.
    void end_turn();

    tcp::endpoint& endpoint() noexcept { return _endpoint; }
    const tcp::endpoint& endpoint() const noexcept { return _endpoint; }
    net::interface& interface() noexcept { return _interface; }
    const queue& frames() const noexcept { return _queue; }
    shard::eventfd_waker& waker() noexcept { return _waker; }
    const packet_counts& counts() const noexcept { return _counts; }
    /// All counters of the shard's packet path, by name; any thread.
    template <class F>
    void each_count(F&& f) const {
        _queue.counts().for_each(f);
        f("bad_segments", _counts.bad_segments.value());
        f("others", _counts.others.value());
        f("now_buffers", _queue.buffers_in_use());
        _gauges.for_each(f);
        _interface.counts().for_each([&](std::string_view name, std::uint64_t value) {
            std::string prefixed = "net_";
            prefixed += name;
            f(prefixed, value);
        });
        _endpoint.counts().for_each([&](std::string_view name, std::uint64_t value) {
            std::string prefixed = "tcp_";
            prefixed += name;
            f(prefixed, value);
        });
    }
    /// When something is due without a frame.
    shard::instant next_timer() const noexcept { return std::min(_endpoint.next_timer(), _interface.next_timer()); }

private:
    queue _queue;
    framing _framing;
    net::interface _interface;
    tcp::endpoint _endpoint;
    shard::eventfd_waker _waker;
    std::array<tcp::segment, burst_size> _segments;
    std::array<tcp::path_report, burst_size> _reports;
    std::size_t _report_count = 0;
    packet_counts _counts;
    packet_gauges _gauges;
};

}  // namespace postern::port
