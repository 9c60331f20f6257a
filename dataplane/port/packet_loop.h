// The run loop of one shard over DPDK. The same to its caller as the loop over kernel sockets (sockets/shard_loop.h).
//
//     packet_shard shard(device, i, network, listeners, limits, tcp, keys, now);
//     smtp_sessions<tcp::endpoint> sessions(shard.endpoint(), …);
//     packet_loop loop(shard, sessions, idle);
//     std::thread thread([&] { loop.run(); });
//
// A turn: a burst of frames, its segments through TCP and the layer, deadlines, the layer's batched work, one flush, a
// quiescent report. After some turns that found nothing the shard sleeps (sleeper.h), offline for RCU: it announces the
// sleep, looks at the port, every ring and everything else once more in a turn, and then waits.
#pragma once

#include <chrono>

#include "dataplane/port/environment.h"
#include "dataplane/port/packet_shard.h"
#include "dataplane/shard/draining.h"
#include "dataplane/shard/quiescence.h"

namespace postern::port {

struct idle_rules {
    bool busy = false;           ///< never sleeps: a core of its own, and the least latency
    unsigned empty_turns = 200;  ///< spun through before the first sleep
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
        _parts.sleeper().begin();
        unsigned empty = 0;
        while (!over()) {
            empty = turn() ? 0 : empty + 1;
            reader.quiescent();
            if (empty > _idle.empty_turns && !_idle.busy && rest(reader)) {
                empty = 0;
            }
        }
        _parts.sleeper().end();
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
        tcp::run_turn(_parts.endpoint(), _sessions, _now, _parts.receive(_now));
        _parts.end_turn();
        return _parts.received_anything();
    }

    /// `run` is to return.
    bool over() noexcept {
        if (!_draining.begun()) {
            return false;
        }
        const bool done = _sessions.open_sessions() == 0 && _parts.endpoint().connections() == 0;
        return _draining.over(_now, !_parts.all_done(done));
    }

private:
    /// True: something came while it was about to sleep, and was dealt with.
    bool rest(shard::quiescent_reader& reader) {
        if (!_parts.endpoint().may_sleep()) {
            return false;
        }
        shard::eventfd_waker& waker = _parts.waker();
        waker.announce();
        _parts.sleeper().arm();
        // The last look: whoever puts something into a ring from now on sees that a sleep was announced.
        const bool came = turn();
        if (!came && _parts.endpoint().may_sleep() && _sessions.idle() && _draining.seen() && !over()) {
            const shard::instant until = std::min(_parts.next_timer(), _draining.end());
            if (until > _now) {
                reader.offline();
                _parts.sleeper().sleep(until - _now);
                reader.online();
            }
        }
        _parts.sleeper().disarm();
        waker.woken();
        return came;
    }

    packet_shard& _parts;
    Sessions& _sessions;
    idle_rules _idle;
    shard::instant _now{};
    shard::draining _draining;
};

}  // namespace postern::port
