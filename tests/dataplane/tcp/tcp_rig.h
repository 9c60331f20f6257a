// The rig of the seam's tests over the TCP endpoint: active openers on a wire without faults, virtual time.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "perf/opener/opener.h"
#include "tests/dataplane/shard/rigs.h"
#include "tests/dataplane/tcp/bench.h"

namespace postern::tcp::testing {

/// A segment on its way, with the octets that it needs.
struct flying {
    segment head;
    std::string payload;

    static flying of(const outgoing& s) {
        flying f;
        f.head.peer = s.local;  // as whoever gets it sees it
        f.head.local = s.peer;
        f.head.seq = s.seq;
        f.head.ack = s.ack;
        f.head.window = s.window;
        f.head.flags = s.flags;
        f.head.options = s.options;
        f.head.link = s.link;
        for (const std::span<const char> part : s.payload) {
            f.payload.append(part.data(), part.size());
        }
        return f;
    }
    segment whole() const {
        segment s = head;
        s.payload = {payload.data(), payload.size()};
        return s;
    }
};

class queue_sink final : public segment_sink {
public:
    std::deque<flying> out;
    bool send(const outgoing& s) noexcept override {
        out.push_back(flying::of(s));
        return true;
    }
};

template <class Filter = shard::unfiltered>
class tcp_rig {
public:
    using stack = typename Filter::template stack<endpoint>;

    explicit tcp_rig(const settings& s = {})
        : _limits({&_usual, 1}), _tcp(_listeners, _limits, _to_clients, s, fixed_secrets, _now) {}

    auto& layer() { return _stack.top; }
    endpoint& transport() { return _tcp; }

    std::size_t connect(std::string_view early = {}) {
        _peers.push_back(std::make_unique<peer>());
        peer& p = *_peers.back();
        perf::opener::options o;
        o.local = ipv4(192, 0, 2, 1, static_cast<std::uint16_t>(first_port + _peers.size() - 1));
        o.server = server_v4;
        o.isn = static_cast<std::uint32_t>(0xffff0000U + 7777U * _peers.size());
        o.early = p.codec.to_wire(early);
        p.opener = std::make_unique<perf::opener>(o, _to_server);
        p.opener->connect(_now);
        return _peers.size() - 1;
    }
    void send(std::size_t i, std::string_view octets) {
        _peers[i]->opener->send(_peers[i]->codec.to_wire(octets), _now);
    }
    void close(std::size_t i) { _peers[i]->opener->close(_now); }
    void reset(std::size_t i) { _peers[i]->opener->abort(_now); }
    void read(std::size_t i, bool yes) { _peers[i]->opener->read(yes, _now); }
    const std::string& received(std::size_t i) {
        peer& p = *_peers[i];
        return p.received += p.codec.from_wire(p.opener->take());
    }
    bool saw_fin(std::size_t i) { return _peers[i]->opener->saw_fin(); }
    bool saw_rst(std::size_t i) { return _peers[i]->opener->saw_rst(); }
    /// Segments with octets that were sent to it.
    std::size_t sends(std::size_t i) { return _peers[i]->sends; }

    /// Time stands still in a turn; `until` and `quiet` let some pass, for ACKs that are delayed and windows to probe.
    bool turn() {
        std::vector<flying> arrived(_to_server.out.begin(), _to_server.out.end());
        _to_server.out.clear();
        std::vector<segment> burst;
        burst.reserve(arrived.size());
        for (const flying& f : arrived) {
            burst.push_back(f.whole());
        }
        const std::size_t before = layer().events.size();
        run_turn(_tcp, _stack.layer(), _now, burst);
        const bool moved = !burst.empty() || !_to_clients.out.empty() || layer().events.size() != before;
        while (!_to_clients.out.empty()) {
            const flying f = std::move(_to_clients.out.front());
            _to_clients.out.pop_front();
            peer& p = *_peers.at(f.head.local.port - first_port);
            p.sends += f.payload.empty() ? 0 : 1;
            p.opener->input(f.whole(), _now);
        }
        EXPECT_TRUE(_tcp.consistent());
        return moved;
    }
    bool until(const std::function<bool()>& holds) {
        for (int i = 0; i < 200'000 && !holds(); ++i) {
            if (!turn() && _tcp.may_sleep() && _to_server.out.empty()) {
                pass(1ms);
            }
        }
        return holds();
    }
    void quiet() {
        for (int still = 0; still < 400; ++still) {
            if (turn()) {
                still = 0;
            } else {
                pass(1ms);
            }
        }
    }
    void advance(shard::instant by) {
        const shard::instant end = _now + by;
        const shard::instant step = std::max<shard::instant>(4ms, by / 2000);
        while (_now < end) {
            pass(std::min(step, end - _now));
            turn();
        }
        while (turn()) {
        }
    }

private:
    static constexpr std::uint16_t first_port = 20001;
    struct peer {
        std::unique_ptr<perf::opener> opener;
        typename Filter::codec codec;
        std::string received;
        std::size_t sends = 0;
    };

    void pass(shard::instant by) {
        _now += by;
        for (auto& p : _peers) {
            p->opener->poll(_now);
        }
    }

    static constexpr shard::connection_limits::limits _usual{1'000'000, 1'000'000};
    shard::instant _now{1000s};
    std::vector<endpoint::listener> _listeners = {{server_v4, 0}};
    queue_sink _to_server;
    queue_sink _to_clients;
    shard::connection_limits _limits;
    endpoint _tcp;
    stack _stack{_tcp};
    std::vector<std::unique_ptr<peer>> _peers;
};

}  // namespace postern::tcp::testing
