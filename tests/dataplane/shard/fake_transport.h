// A transport in memory with virtual time: the seam's contract at its strictest, for tests of session layers.
//
//     fake_transport transport;
//     my_sessions<fake_transport> sessions(transport, …);
//     fake_loop loop(transport, sessions);
//     const connection c = loop.connect();
//     loop.send(c, "EHLO x\r\n");
//     loop.settle();                       // turns until nothing is left to do
//     EXPECT_EQ(loop.receive(c), "220 …");
//     loop.advance(300s);                  // fires deadlines on the way, each at its own instant
//
// The test's end of a connection (`send`, `receive`, `saw_fin`, …) goes by the same id and outlives it. A session layer
// that breaks the contract (a dead id, commit of more than was reserved, a call back from a stale span) gets a
// std::logic_error, which fails the test.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/shard/seam.h"

namespace postern::shard {

template <session_layer Sessions>
class fake_loop;

class fake_transport {
public:
    static constexpr std::size_t max_reserve = 16 * 1024;

    /// What a connection may hold; small values provoke back-pressure.
    std::size_t output_limit = 64 * 1024;  ///< octets committed and not yet taken by the peer; at least max_reserve
    std::size_t read_limit = 16 * 1024;    ///< octets offered by one `readable`

    // The seam.

    std::span<char> reserve(connection c, std::size_t n) {
        line& l = live(c);
        require(n <= max_reserve, "reserve of more than max_reserve");
        l.reserved.clear();
        if (l.unsent() + n > output_limit) {
            l.waits_for_room = n;
            return {};
        }
        l.waits_for_room = 0;
        // A fresh buffer each time: a span kept across calls is a use after free that ASan sees.
        std::string(std::max<std::size_t>(n, 1), '\0').swap(l.reserved);
        return {l.reserved.data(), n};
    }

    void commit(connection c, std::size_t n) {
        line& l = live(c);
        require(n <= l.reserved.size(), "commit of more than was reserved");
        l.turn_output.append(l.reserved, 0, n);
        std::string().swap(l.reserved);
    }

    void want_read(connection c, bool yes) {
        line& l = live(c);
        l.wants = yes;
        l.offer_again = l.offer_again || yes;
    }

    void set_deadline(connection c, instant when) { live(c).deadline = when; }

    void finish(connection c) {
        line& l = live(c);
        l.finishing = true;
        bury(c);
    }

    void abort(connection c) {
        line& l = live(c);
        l.turn_output.clear();
        l.saw_rst = true;
        bury(c);
    }

    const connection_info& info(connection c) const { return const_cast<fake_transport*>(this)->live(c).info; }
    instant now() const { return _now; }

    /// Connections whose ids live.
    std::size_t open_connections() const { return _alive.size() - _free.size(); }

private:
    template <session_layer Sessions>
    friend class fake_loop;

    struct line {
        connection id;
        connection_info info;
        admission word = admission::admitted;
        bool announced = false;  ///< `opened` was called
        // towards the session
        std::string input;        ///< sent by the peer and not consumed
        std::size_t offered = 0;  ///< of `input`, already shown without being consumed
        bool wants = true;
        bool offer_again = false;
        bool peer_fin = false;
        bool peer_fin_told = false;
        bool peer_rst = false;
        // towards the peer
        std::string reserved;
        std::string turn_output;  ///< committed in this turn
        std::string in_flight;    ///< flushed, not yet read by the peer
        std::size_t waits_for_room = 0;
        bool stalled = false;  ///< the peer does not read
        std::string received;  ///< read by the peer, not yet taken by the test
        std::vector<std::size_t> sends;
        bool finishing = false;
        bool saw_fin = false;
        bool saw_rst = false;
        instant deadline = never;

        std::size_t unsent() const { return turn_output.size() + in_flight.size(); }
    };

    static void require(bool holds, const char* what) {
        if (!holds) {
            throw std::logic_error(what);
        }
    }

    line& live(connection c) {
        require(c.slot < _alive.size() && _alive[c.slot] == c.serial && c.serial != 0, "call with a dead connection");
        return wire(c);
    }

    line& wire(connection c) {
        const auto found = _lines.find({c.slot, c.serial});
        require(found != _lines.end(), "unknown connection");
        return found->second;
    }

    bool is_alive(connection c) const { return c.slot < _alive.size() && _alive[c.slot] == c.serial; }

    void bury(connection c) {
        _alive[c.slot] = 0;
        _free.push_back(c.slot);
    }

    connection birth() {
        if (_free.empty()) {
            _free.push_back(static_cast<std::uint32_t>(_alive.size()));
            _alive.push_back(0);
        }
        const std::uint32_t slot = _free.back();  // the last one freed first, so that stale ids meet new connections
        _free.pop_back();
        const connection id{slot, ++_serial};
        _alive[slot] = id.serial;
        _lines[{slot, id.serial}].id = id;
        _order.push_back(id);
        return id;
    }

    instant _now{std::chrono::seconds(1000)};
    std::uint32_t _serial = 0;
    std::vector<std::uint32_t> _alive;  ///< by slot: the serial in use, 0 if none
    std::vector<std::uint32_t> _free;
    std::map<std::pair<std::uint32_t, std::uint32_t>, line> _lines;
    std::deque<connection> _order;  ///< every connection ever, in order of birth
};

/// "192.0.2.1" and the like, for tests: an IPv4 endpoint from four octets.
constexpr endpoint ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port) {
    endpoint e;
    e.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
    e.port = port;
    return e;
}

template <session_layer Sessions>
class fake_loop {
public:
    fake_loop(fake_transport& transport, Sessions& sessions) : _transport(transport), _sessions(sessions) {}

    /// A new connection; `opened` is called in the next turn. `early` is what the peer sent without waiting.
    connection connect(endpoint peer = ipv4(192, 0, 2, 1, 40000), std::uint16_t listener = 0,
                       admission word = admission::admitted, std::string_view early = {}) {
        const connection c = _transport.birth();
        line& l = _transport.wire(c);
        l.info.peer = peer;
        l.info.local = ipv4(198, 51, 100, 1, 25);
        l.info.listener = listener;
        l.info.early_octets = !early.empty();
        l.word = word;
        l.input = early;
        return c;
    }

    void send(connection c, std::string_view octets) { _transport.wire(c).input.append(octets); }
    void close(connection c) { _transport.wire(c).peer_fin = true; }
    void reset(connection c) { _transport.wire(c).peer_rst = true; }
    /// A stalled peer takes nothing; its window is closed.
    void stall(connection c, bool yes) { _transport.wire(c).stalled = yes; }
    /// What the peer got since the last call.
    std::string receive(connection c) { return std::exchange(_transport.wire(c).received, {}); }
    /// Sizes of the sends so far: one per turn with output.
    const std::vector<std::size_t>& sends(connection c) { return _transport.wire(c).sends; }
    bool saw_fin(connection c) { return _transport.wire(c).saw_fin; }
    bool saw_rst(connection c) { return _transport.wire(c).saw_rst; }
    /// The session has not finished it yet.
    bool is_open(connection c) { return _transport.is_alive(c); }
    /// Octets the peer sent that the session has not consumed.
    std::size_t unconsumed(connection c) { return _transport.wire(c).input.size(); }
    instant deadline_of(connection c) { return _transport.wire(c).deadline; }
    void drain() { _sessions.drain(); }

    /// One turn as a shard makes it. True if anything happened.
    bool turn() {
        bool busy = !_sessions.idle();
        _sessions.turn_begin();
        // By index: a callback may not add connections, but the test's next connect may be between turns.
        for (std::size_t i = 0; i < _transport._order.size(); ++i) {
            const connection c = _transport._order[i];
            busy = _transport.is_alive(c) && serve(c) ? true : busy;
        }
        for (std::size_t i = 0; i < _transport._order.size(); ++i) {
            const connection c = _transport._order[i];
            if (_transport.is_alive(c) && _transport.wire(c).deadline <= _transport._now) {
                _transport.wire(c).deadline = never;
                _sessions.deadline(c);
                busy = true;
            }
        }
        _sessions.turn_end();
        for (const connection c : _transport._order) {
            busy = flush(_transport.wire(c)) ? true : busy;
        }
        return busy;
    }

    /// Turns until nothing happens. `most` guards against a layer that never comes to rest.
    void settle(int most = 10000) {
        while (turn()) {
            if (--most == 0) {
                throw std::logic_error("the session layer does not come to rest");
            }
        }
    }

    /// Lets time pass, stopping at every deadline on the way.
    void advance(instant by) {
        const instant end = _transport._now + by;
        for (;;) {
            instant next = end;
            for (const connection c : _transport._order) {
                if (_transport.is_alive(c)) {
                    next = std::min(next, std::max(_transport.wire(c).deadline, _transport._now));
                }
            }
            _transport._now = next;
            settle();
            if (next == end) {
                return;
            }
        }
    }

private:
    using line = fake_transport::line;

    /// All callbacks of one turn for one connection. True if any was made.
    bool serve(connection c) {
        line& l = _transport.wire(c);
        if (!l.announced) {
            l.announced = true;
            _sessions.opened(c, l.info, l.word);
            return true;
        }
        if (l.peer_rst) {
            _transport.bury(c);
            _sessions.reset(c);
            return true;
        }
        bool busy = false;
        if (l.waits_for_room != 0 && l.unsent() + l.waits_for_room <= _transport.output_limit) {
            l.waits_for_room = 0;
            _sessions.writable(c);
            busy = true;
        }
        const std::size_t window = std::min(l.input.size(), _transport.read_limit);
        if (_transport.is_alive(c) && l.wants && window != 0 && (window > l.offered || l.offer_again)) {
            l.offer_again = false;
            read(c, l);
            busy = true;
        }
        if (_transport.is_alive(c) && l.wants && l.peer_fin && !l.peer_fin_told && l.input.size() == l.offered) {
            l.peer_fin_told = true;
            _sessions.peer_closed(c);
            busy = true;
        }
        return busy;
    }

    void read(connection c, line& l) {
        // An exact copy on the heap: reading past the span is an error that ASan sees.
        const std::vector<char> octets(l.input.begin(), l.input.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                              l.input.size(), _transport.read_limit)));
        l.offered = octets.size();
        const std::size_t consumed = _sessions.readable(c, std::span<const char>(octets));
        fake_transport::require(consumed <= octets.size(), "consumed more than was offered");
        l.input.erase(0, consumed);
        l.offered -= consumed;
    }

    /// The end of a turn on the wire. True if octets or a FIN moved.
    static bool flush(line& l) {
        bool busy = false;
        std::string().swap(l.reserved);  // a span is not valid beyond its turn
        if (!l.turn_output.empty()) {
            l.sends.push_back(l.turn_output.size());
            l.in_flight += std::exchange(l.turn_output, {});
            busy = true;
        }
        if (!l.stalled && !l.in_flight.empty()) {
            l.received += std::exchange(l.in_flight, {});
            busy = true;
        }
        if (l.finishing && !l.saw_fin && l.in_flight.empty() && !l.saw_rst) {
            l.saw_fin = true;
            l.input.clear();
            busy = true;
        }
        return busy;
    }

    fake_transport& _transport;
    Sessions& _sessions;
};

static_assert(transport<fake_transport>);

}  // namespace postern::shard
