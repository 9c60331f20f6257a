// What one shard of the packet path is made of, from the queue up to TCP, and how a burst of frames becomes segments.
//
// TCP's endpoint is what the session layer runs over (`session::layer<tcp::endpoint>`). Shards that share a port are
// tied together: frames of another shard's connections are handed over to it, shard 0 alone speaks ARP and neighbour
// discovery and tells the others what it knows, and what is nobody's here goes to the kernel's twin, if there is one.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "dataplane/net/interface.h"
#include "dataplane/port/capture.h"
#include "dataplane/port/device.h"
#include "dataplane/port/framing.h"
#include "dataplane/port/hand_over.h"
#include "dataplane/port/sleeper.h"
#include "dataplane/port/steering.h"
#include "dataplane/port/twin.h"
#include "dataplane/shard/eventfd_waker.h"
#include "dataplane/shard/quiescence.h"
#include "dataplane/tcp/endpoint.h"
#include "dataplane/tcp/turn.h"

namespace postern::port {

/// Frames and segments that came to nothing or went another way.
struct packet_counts {
    shard::counter bad_segments;     ///< headers or checksums of TCP
    shard::counter others;           ///< for our addresses, and nobody's here
    shard::counter handed_over;      ///< frames of other shards' that came here
    shard::counter taken_over;       ///< frames of ours that came to other shards
    shard::counter hand_over_full;   ///< of those handed over: dropped, their shard was too slow for them
    shard::counter sent_for_others;  ///< frames of shards that have no transmit queue
    shard::counter hash_differs;     ///< segments whose hash by the NIC is not the one that its key and table give
    shard::counter twin_full;        ///< frames of the kernel's twin's, dropped: it was too slow for them

    template <class F>
    void for_each(F&& f) const {
        f("bad_segments", bad_segments.value());
        f("others", others.value());
        f("handed_over", handed_over.value());
        f("taken_over", taken_over.value());
        f("hand_over_full", hand_over_full.value());
        f("sent_for_others", sent_for_others.value());
        f("hash_differs", hash_differs.value());
        f("twin_full", twin_full.value());
    }
};

/// What the shards of one port have in common; all of it outlives them. Nothing: the shard is alone, without a twin.
struct ties {
    hand_over* others = nullptr;  ///< with it the two below
    const steering* owners = nullptr;
    shard::published<net::link_view>* view = nullptr;  ///< written by shard 0
    twin* kernel = nullptr;
    /// The capture that runs, or null. Who takes it away waits until every shard passed a quiescent state.
    const std::atomic<capture*>* captures = nullptr;
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
    packet_shard(device& port, std::uint16_t number, const net::interface_settings& network,
                 std::span<const tcp::endpoint::listener> listeners, shard::connection_limits& limits,
                 const tcp::settings& tcp, const tcp::secrets& keys, shard::instant now, const ties& tied = {});
    packet_shard(const packet_shard&) = delete;
    packet_shard& operator=(const packet_shard&) = delete;

    /// Takes a burst from the queue, and one that others handed over, and hands the frames to the port: what is left
    /// are TCP's segments, alive until `end_turn`.
    std::span<const tcp::segment> receive(shard::instant now);
    /// Whether the last `receive` found anything.
    bool received_anything() const noexcept { return _received_anything; }
    /// Reports that came with the burst go to the endpoint, what waits goes out, the burst's buffers go back.
    void end_turn();

    tcp::endpoint& endpoint() noexcept { return _endpoint; }
    const tcp::endpoint& endpoint() const noexcept { return _endpoint; }
    net::interface& interface() noexcept { return _interface; }
    const queue& frames() const noexcept { return _queue; }
    shard::eventfd_waker& waker() noexcept { return _waker; }
    port::sleeper& sleeper() noexcept { return _sleeper; }
    const packet_counts& counts() const noexcept { return _counts; }
    /// All counters of the shard's packet path, by name; any thread.
    template <class F>
    void each_count(F&& f) const {
        _queue.counts().for_each(f);
        _counts.for_each(f);
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
    /// Whether this shard and those beside it have come to their end; `mine`: this one has.
    bool all_done(bool mine) noexcept { return _tied.others != nullptr ? _tied.others->all_done(_number, mine) : mine; }
    /// When something is due without a frame.
    shard::instant next_timer() const noexcept;

private:
    void sort_out();
    void hand_to(unsigned shard, rte_mbuf** frames, unsigned n);
    void tell_or_hear(shard::instant now);
    bool is_listened_to(const net::ip_packet& segment) const noexcept;
    void give_to_kernel(const received_frame& frame) noexcept;
    void take_frame(const received_frame& frame, shard::instant now);
    void take_usual(const received_frame& frame, const net::interface::usual_packet& packet) noexcept;
    void take_segment(const received_frame& frame, const net::ip_address& from, const net::ip_address& to,
                      net::octets octets, std::uint64_t link) noexcept;
    void send_for_others() noexcept;

    device& _port;
    ties _tied;
    unsigned _number;
    std::uint64_t _link_changes = 0;  ///< seen
    capture* _captures = nullptr;     ///< in this turn
    shard::eventfd_waker _own_waker;  ///< of a shard that is alone
    shard::eventfd_waker& _waker;
    queue _queue;
    port::sleeper _sleeper;
    framing _framing;
    net::interface _interface;
    tcp::endpoint _endpoint;
    std::array<tcp::segment, most_held> _segments;
    std::size_t _segment_count = 0;
    std::array<tcp::path_report, most_held> _reports;
    std::size_t _report_count = 0;
    bool _received_anything = false;
    bool _wakes_kernel = false;
    std::uint64_t _view_version = 0;           ///< told, or heard
    shard::instant _next_view{};               ///< not told before
    std::vector<std::vector<rte_mbuf*>> _for;  ///< frames of other shards, by shard; room for a burst each
    packet_counts _counts;
    packet_gauges _gauges;
};

}  // namespace postern::port
