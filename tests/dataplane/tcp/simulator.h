// A network between active openers and the endpoint, deterministic: everything that happens to a segment comes from a
// seed and the rules. Segments cross it as octets, so the header code and the checksum are part of what is tried.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/tcp/header.h"
#include "perf/opener/opener.h"
#include "tests/dataplane/tcp/bench.h"
#include "tests/wire/tampering.h"

namespace postern::tcp::testing {

using network = wire::path;
using tamper_rule = wire::tamper_rule<outgoing>;

class simulator {
public:
    explicit simulator(const network& n, const settings& s = {})
        : _path(n), _limits({&_usual, 1}), _tcp(_listeners, _limits, _to_client, s, fixed_secrets, _now) {
        _path.overhead = 40;  // headers below TCP
    }

    endpoint& tcp() { return _tcp; }
    shard::probe<endpoint>& layer() { return _layer; }
    shard::instant now() const { return _now; }
    wire::tampering<outgoing>& path() { return _path; }
    std::size_t rejected = 0;  ///< segments that arrived broken

    perf::opener& connect(perf::opener::options o = {}) {
        o.local = ipv4(192, 0, 2, 1, static_cast<std::uint16_t>(first_port + _clients.size()));
        o.server = server_v4;
        _clients.push_back(std::make_unique<perf::opener>(o, _to_server));
        _clients.back()->connect(_now);
        return *_clients.back();
    }

    /// Until `holds`, for at most `most` of virtual time.
    bool run(const std::function<bool()>& holds, shard::instant most = std::chrono::hours(2)) {
        const shard::instant end = _now + most;
        while (!holds()) {
            shard::instant next = _tcp.may_sleep() ? _tcp.next_timer() : _now;
            for (const auto& c : _clients) {
                next = std::min(next, c->next_timer());
            }
            if (!_wire.empty()) {
                next = std::min(next, _wire.begin()->first);
            }
            if (next > end) {
                return false;
            }
            _now = std::max(_now, next);
            turn();
        }
        return true;
    }
    void settle() {
        run([] { return false; }, std::chrono::minutes(5));
    }

private:
    struct packet {
        bool to_server = false;
        shard::endpoint from;
        shard::endpoint to;
        std::vector<std::uint8_t> octets;
    };
    class side final : public segment_sink {
    public:
        side(simulator& s, bool to_server) : _of(s), _to_server(to_server) {}
        bool send(const outgoing& s) noexcept override {
            _of.cross(s, _to_server);
            return true;
        }

    private:
        simulator& _of;
        bool _to_server;
    };

    void cross(const outgoing& s, bool to_server) {
        std::vector<std::uint8_t> octets(header_size(s) + s.payload_size);
        write_segment(s, octets);
        _path.cross(s, to_server ? 1 : 0, _now, std::move(octets),
                    [&](shard::instant at, std::vector<std::uint8_t> whole) {
                        _wire.emplace(at, packet{to_server, s.local, s.peer, std::move(whole)});
                    });
    }

    void turn() {
        std::vector<packet> due;
        while (!_wire.empty() && _wire.begin()->first <= _now) {
            due.push_back(std::move(_wire.begin()->second));
            _wire.erase(_wire.begin());
        }
        std::vector<segment> burst;
        std::vector<segment> back;
        for (const packet& p : due) {
            shard::endpoint from = p.from;
            shard::endpoint to = p.to;
            const auto s = read_segment(from, to, p.octets);
            if (!s) {
                ++rejected;
            } else {
                (p.to_server ? burst : back).push_back(*s);
            }
        }
        run_turn(_tcp, _layer, _now, burst);
        for (const segment& s : back) {
            const std::size_t i = s.local.port - first_port;
            if (i < _clients.size()) {
                _clients[i]->input(s, _now);
            }
        }
        for (const auto& c : _clients) {
            c->poll(_now);
        }
        if (++_turns % 16 == 0) {
            EXPECT_TRUE(_tcp.consistent());
        }
    }

    static constexpr std::uint16_t first_port = 20001;
    static constexpr shard::connection_limits::limits _usual{1'000'000, 1'000'000};
    wire::tampering<outgoing> _path;
    shard::instant _now{1000s};
    std::vector<endpoint::listener> _listeners = {{server_v4, 0}};
    side _to_client{*this, false};
    side _to_server{*this, true};
    std::multimap<shard::instant, packet> _wire;
    std::size_t _turns = 0;
    shard::connection_limits _limits;
    endpoint _tcp;
    shard::probe<endpoint> _layer{_tcp};
    std::vector<std::unique_ptr<perf::opener>> _clients;
};

}  // namespace postern::tcp::testing
