// What the seam's contract suite runs on: a transport, perhaps a filter, a probe on top, and peers that the test plays.
//
// A rig has: `layer()` the probe; `connect(early)` a peer's number, its `opened` comes with the next turns; `send`,
// `close` (FIN), `reset` (RST), `received(peer)` all that the peer got so far, `read(peer, yes)` whether it takes
// anything, `saw_fin`, `saw_rst`; `turn()`; `until(condition)` turns until it holds; `quiet()` turns enough for
// anything that is to come to have come; `advance(time)` in virtual time, with turns; `sends(peer)` packets of replies.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/dataplane/shard/fake_transport.h"
#include "tests/dataplane/shard/probe.h"
#include "tests/dataplane/shard/record_filter.h"

namespace postern::shard {

/// The probe directly on the transport.
struct unfiltered {
    template <transport T>
    struct stack {
        using operations = T;
        explicit stack(T& t) : top(t) {}
        probe<T> top;
        probe<T>& layer() { return top; }
    };
    /// What a peer does to octets on their way to and from the wire.
    struct codec {
        std::string to_wire(std::string_view plain) { return std::string(plain); }
        std::string from_wire(std::string_view wire) { return std::string(wire); }
    };
};

/// The probe behind the record filter.
struct filtered {
    template <transport T>
    struct stack {
        using operations = filter_operations<T>;
        explicit stack(T& t) : filter(t), top(filter), bottom(filter, top) {}
        filter_operations<T> filter;
        probe<filter_operations<T>> top;
        filter_layer<T, probe<filter_operations<T>>> bottom;
        filter_layer<T, probe<filter_operations<T>>>& layer() { return bottom; }
    };
    class codec {
    public:
        std::string to_wire(std::string_view plain) { return _out.sealed(plain); }
        std::string from_wire(std::string_view wire) {
            _wire.append(wire);
            std::string plain;
            while (const std::size_t n = _in.open(std::span<const char>(_wire), plain)) {
                _wire.erase(0, n);
            }
            return plain;
        }

    private:
        record_stream _in;
        record_stream _out;
        std::string _wire;
    };
};

template <class Filter>
class fake_rig {
public:
    using stack = typename Filter::template stack<fake_transport>;

    auto& layer() { return _stack.top; }

    std::size_t connect(std::string_view early = {}) {
        _peers.push_back({.id = {}, .codec = {}, .received = {}});
        peer& p = _peers.back();
        p.id = _loop.connect(ipv4(192, 0, 2, 1, 40000), 0, admission::admitted, p.codec.to_wire(early));
        return _peers.size() - 1;
    }
    void send(std::size_t i, std::string_view octets) { _loop.send(_peers[i].id, _peers[i].codec.to_wire(octets)); }
    void close(std::size_t i) { _loop.close(_peers[i].id); }
    void reset(std::size_t i) { _loop.reset(_peers[i].id); }
    void read(std::size_t i, bool yes) { _loop.stall(_peers[i].id, !yes); }
    const std::string& received(std::size_t i) {
        peer& p = _peers[i];
        return p.received += p.codec.from_wire(_loop.receive(p.id));
    }
    bool saw_fin(std::size_t i) { return _loop.saw_fin(_peers[i].id); }
    bool saw_rst(std::size_t i) { return _loop.saw_rst(_peers[i].id); }
    std::size_t sends(std::size_t i) { return _loop.sends(_peers[i].id).size(); }
    void turn() { _loop.turn(); }
    bool until(const std::function<bool()>& holds) {
        for (int i = 0; i < 100'000 && !holds(); ++i) {
            _loop.turn();
        }
        return holds();
    }
    void quiet() { _loop.settle(); }
    void advance(instant by) { _loop.advance(by); }

private:
    struct peer {
        connection id;
        typename Filter::codec codec;
        std::string received;
    };
    fake_transport _transport;
    stack _stack{_transport};
    fake_loop<std::remove_reference_t<decltype(_stack.layer())>> _loop{_transport, _stack.layer()};
    std::vector<peer> _peers;
};

}  // namespace postern::shard
