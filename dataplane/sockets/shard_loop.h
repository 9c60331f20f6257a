// The run loop of one shard over kernel sockets.
//
//     operations transport(std::move(listeners[i]), limits, options);
//     smtp_sessions<operations> sessions(transport, …);
//     shard_loop loop(transport, sessions);
//     std::thread thread([&] { loop.run(); });
//     …
//     loop.drain(30s);      // any thread; run() returns when the sessions are over or the time is
//     thread.join();
//
// A turn: other threads' messages, new and readable connections, deadlines, the layer's batched work (once more for
// what waited for it), one send per connection, a quiescent report. When nothing is left to do the shard sleeps,
// offline for RCU, until a descriptor, a timer or a wake-up.
#pragma once

#include "dataplane/shard/callbacks.h"
#include "dataplane/shard/draining.h"
#include "dataplane/shard/quiescence.h"
#include "dataplane/shard/seam.h"
#include "dataplane/sockets/operations.h"

namespace postern::sockets {

template <shard::session_layer Sessions>
class shard_loop {
public:
    /// Both outlive the loop.
    shard_loop(operations& transport, Sessions& sessions) noexcept : _transport(transport), _sessions(sessions) {}
    shard_loop(const shard_loop&) = delete;
    shard_loop& operator=(const shard_loop&) = delete;

    /// Turns until drained. On the shard's own thread, which it registers as an RCU reader.
    void run() {
        shard::quiescent_reader reader;
        while (!over()) {
            turn();
            reader.quiescent();
            rest(reader);
        }
    }

    /// Any thread, once or again with another time: the sessions drain; `run` returns when none is left and the last
    /// octets are out, or after `most` from the first turn that sees it. New connections are refused from the moment
    /// `connection_limits::drain` was called, which is the caller's to do for all shards.
    void drain(shard::instant most) noexcept {
        _draining.ask(most);
        _transport.waker().wake();
    }

    /// Any thread: while held, a drained loop goes on, so that connections which the kernel gives to this shard are
    /// told 421 as long as other shards still have sessions. The drain's time ends it all the same.
    void hold(bool yes) noexcept {
        _draining.hold(yes);
        _transport.waker().wake();
    }

    /// One turn, without sleeping; for `run` and for tests that are the shard's thread themselves.
    void turn() {
        _transport.begin_turn();
        if (_draining.begins(_transport.now())) {
            _sessions.drain();
        }
        _sessions.turn_begin();
        shard::make_callbacks(_transport, _sessions);
        shard::connection due;
        while (_transport.next_deadline(due)) {
            _sessions.deadline(due);
        }
        _sessions.turn_end();
        if (_transport.offer_left()) {
            _sessions.turn_begin();
            shard::make_callbacks(_transport, _sessions);
            _sessions.turn_end();
        }
        _transport.end_turn();
    }

    /// `run` is to return.
    bool over() const noexcept {
        return _draining.over(_transport.now(), _sessions.open_sessions() != 0 || _transport.open_sockets() != 0);
    }

private:
    /// Sleeps if nothing is to be done. What other threads push after `idle` was asked rings the waker.
    void rest(shard::quiescent_reader& reader) {
        if (!_transport.may_sleep()) {
            return;
        }
        shard::eventfd_waker& waker = _transport.waker_state();
        waker.announce();
        if (_sessions.idle() && _draining.seen() && !over()) {
            reader.offline();
            _transport.sleep(_draining.end());
            reader.online();
        }
        waker.woken();
    }

    operations& _transport;
    Sessions& _sessions;
    shard::draining _draining;
};

}  // namespace postern::sockets
