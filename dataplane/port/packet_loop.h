// The run loop of one shard over DPDK. The same to its caller as the loop over kernel sockets (sockets/shard_loop.h).
//
//     packet_shard shard(device, i, network, listeners, limits, tcp, keys, now);
//     smtp_sessions<tcp::endpoint> sessions(shard.endpoint(), …);
//     packet_loop loop(shard, sessions, idle);
//     std::thread thread([&] { loop.run(); });
//
// A turn: a burst of frames, its segments through TCP and the layer, deadlines, the layer's batched work, one flush, a
// quiescent report. Turns that found nothing spin for a while, then sleep for at most `idle_rules::longest_sleep`:
// a port is polled, so a frame that arrives meanwhile waits so long at most.
#pragma once

#include <poll.h>

#include <chrono>

#include "dataplane/port/environment.h"
#include "dataplane/port/packet_shard.h"
#include "dataplane/shard/draining.h"
#include "dataplane/shard/quiescence.h"

namespace postern::port {

struct idle_rules {
    bool busy = false;           ///< never sleeps: a core of its own, and the least latency
    unsigned empty_turns = 200;  ///< spun through before the first sleep
    shard::instant longest_sleep = std::chrono::microseconds(100);
};

template <shard::session_layer Sessions>
class packet_loop {
public:
    /// Both outlive the loop.
    packet_loop(packet_shard& parts, Sessions& sessions, const idle_rules& idle = {}) noexcept
        : _parts(parts), _sessions(sessions), _idle(idle) {}
    packet_loop(const packet_loop&) = delete;
    packet_loop& operator=(const packet_loop&) = delete;

    /// Turns until drained. On the shard's own thread, which it registers with DPDK and as an RCU reader.
    void run() {
        const registered_thread registered;
        shard::quiescent_reader reader;
        unsigned empty = 0;
        while (!over()) {
            empty = turn() ? 0 : empty + 1;
            reader.quiescent();
            if (empty > _idle.empty_turns && !_idle.busy) {
                rest(reader);
            }
        }
    }

    /// Any thread; see sockets::shard_loop.
    void drain(shard::instant most) noexcept {
        _draining.ask(most);
        _parts.waker().wake();
    }
    void hold(bool yes) noexcept {
        _draining.hold(yes);
        _parts.waker().wake();
    }

    /// One turn, without sleeping; true if anything arrived.
    bool turn() {
        _now = std::chrono::steady_clock::now().time_since_epoch();
        if (_draining.begins(_now)) {
            _sessions.drain();
        }
        const std::span<const tcp::segment> segments = _parts.receive(_now);
        tcp::run_turn(_parts.endpoint(), _sessions, _now, segments);
        _parts.end_turn();
        return !segments.empty();
    }

    /// `run` is to return.
    bool over() const noexcept {
        return _draining.over(_now, _sessions.open_sessions() != 0 || _parts.endpoint().connections() != 0);
    }

private:
    void rest(shard::quiescent_reader& reader) {
        if (!_parts.endpoint().may_sleep()) {
            return;
        }
        shard::eventfd_waker& waker = _parts.waker();
        waker.announce();
        const shard::instant left = std::min(_parts.next_timer() - _now, _idle.longest_sleep);
        if (_sessions.idle() && _draining.seen() && left > shard::instant::zero()) {
            reader.offline();
            pollfd bell{waker.descriptor(), POLLIN, 0};
            const timespec most{0, static_cast<long>(left.count())};
            if (::ppoll(&bell, 1, &most, nullptr) > 0) {
                waker.hush();
            }
            reader.online();
        }
        waker.woken();
    }

    packet_shard& _parts;
    Sessions& _sessions;
    idle_rules _idle;
    shard::instant _now{};
    shard::draining _draining;
};

}  // namespace postern::port
