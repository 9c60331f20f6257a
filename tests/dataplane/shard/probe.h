// A session layer for tests of transports: it records every callback and does what the test tells it to.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/shard/seam.h"

namespace postern::shard {

template <transport Transport>
class probe {
public:
    explicit probe(Transport& t) : transport_of(t) {}

    enum class kind : std::uint8_t { opened, readable, writable, peer_closed, reset, deadline, turn_begin, turn_end };
    struct event {
        kind what;
        connection id;
        std::string octets;  ///< of `readable`: what was offered
    };

    Transport& transport_of;
    std::vector<event> events;  ///< but for turns
    std::map<std::uint32_t, connection> live;
    connection last;  ///< opened last
    connection_info last_info;
    admission last_admission = admission::admitted;
    std::string consumed;  ///< by the default `on_readable`, of all connections
    std::size_t turns = 0;
    bool drained = false;
    bool busy = false;  ///< what `idle` denies
    bool in_callback = false;
    bool reentered = false;

    // What to do; by default nothing, and all octets are consumed.
    std::function<void(connection)> on_opened = [](connection) {};
    std::function<std::size_t(connection, std::string_view)> on_readable = [this](connection, std::string_view octets) {
        consumed.append(octets);
        return octets.size();
    };
    std::function<void(connection)> on_writable = [](connection) {};
    std::function<void(connection)> on_peer_closed = [](connection) {};
    std::function<void(connection)> on_reset = [](connection) {};
    std::function<void(connection)> on_deadline = [](connection) {};
    std::function<void()> on_turn_begin = [] {};
    std::function<void()> on_turn_end = [] {};
    std::function<void()> on_drain = [] {};

    /// Replies with `text`; false if there was no room, and then nothing is sent.
    bool say(connection c, std::string_view text) { return say_now(transport_of, c, text); }
    void finish(connection c) {
        live.erase(c.slot);
        transport_of.finish(c);
    }
    void abort(connection c) {
        live.erase(c.slot);
        transport_of.abort(c);
    }
    std::size_t count(kind what) const {
        return static_cast<std::size_t>(
            std::count_if(events.begin(), events.end(), [&](const event& e) { return e.what == what; }));
    }
    bool knows(connection c) const {
        const auto found = live.find(c.slot);
        return found != live.end() && found->second == c;
    }

    // The seam.

    void opened(connection c, const connection_info& info, admission word) {
        const entered in(*this);
        events.push_back({kind::opened, c, {}});
        require(!live.contains(c.slot), "a slot was given out twice");
        live[c.slot] = c;
        last = c;
        last_info = info;
        last_admission = word;
        on_opened(c);
    }
    std::size_t readable(connection c, std::span<const char> octets) {
        const entered in(*this);
        check(c);
        events.push_back({kind::readable, c, std::string(octets.data(), octets.size())});
        require(!octets.empty(), "nothing was offered");
        return on_readable(c, {octets.data(), octets.size()});
    }
    void writable(connection c) { told(kind::writable, c, on_writable); }
    void peer_closed(connection c) { told(kind::peer_closed, c, on_peer_closed); }
    void reset(connection c) {
        check(c);
        live.erase(c.slot);
        const entered in(*this);
        events.push_back({kind::reset, c, {}});
        on_reset(c);
    }
    void deadline(connection c) { told(kind::deadline, c, on_deadline); }
    void turn_begin() {
        ++turns;
        require(!_in_turn, "turn_begin without turn_end");
        _in_turn = true;
        on_turn_begin();
    }
    void turn_end() {
        require(_in_turn, "turn_end without turn_begin");
        _in_turn = false;
        on_turn_end();
    }
    bool idle() const { return !busy; }
    void drain() {
        drained = true;
        on_drain();
    }
    std::size_t open_sessions() const { return live.size(); }

    /// Failures, as sentences; tests expect none. Not exceptions: they would leave a transport in the middle.
    std::vector<std::string> complaints;

private:
    struct entered {
        explicit entered(probe& p) : of(p) {
            of.require(!of.in_callback, "a callback from within a callback");
            of.require(of._in_turn, "a callback outside of the turn");
            of.in_callback = true;
        }
        ~entered() { of.in_callback = false; }
        entered(const entered&) = delete;
        entered& operator=(const entered&) = delete;
        probe& of;
    };

    void require(bool holds, const char* what) {
        if (!holds) {
            complaints.emplace_back(what);
        }
    }
    void check(connection c) { require(knows(c), "a callback for a dead connection"); }
    void told(kind what, connection c, const std::function<void(connection)>& then) {
        const entered in(*this);
        check(c);
        events.push_back({what, c, {}});
        then(c);
    }

    bool _in_turn = false;
};

}  // namespace postern::shard
