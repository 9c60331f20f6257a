// The TCP endpoint under whatever segments, sessions, time and ICMP do, in sequences. What must hold after every step:
// its lists, counts and sequence variables agree (`consistent`); the seam's contract is kept (the probe complains); a
// session reads exactly the octets of its client's stream, in order; every octet sent is the one of its place in the
// session's stream, also when it is sent again; a window's edge never goes back. In the end, nothing is left.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/dataplane/tcp/bench.h"

namespace {

using namespace postern;
using namespace postern::tcp;
using namespace postern::tcp::testing;

void require(bool holds, const char* what) {
    if (!holds) {
        std::fputs(what, stderr);
        std::abort();
    }
}

class input {
public:
    input(const std::uint8_t* data, std::size_t size) : _data(data), _left(size) {}
    bool empty() const { return _left == 0; }
    std::uint8_t octet() {
        if (_left == 0) {
            return 0;
        }
        --_left;
        return *_data++;
    }
    std::uint32_t word() { return std::uint32_t{octet()} << 8 | octet(); }
    /// Small around zero, or anything.
    std::uint32_t offset() {
        const std::uint8_t o = octet();
        return o < 200 ? static_cast<std::uint32_t>(o % 50) - (o >= 150 ? 50 : 0) : word() << (o % 17);
    }

private:
    const std::uint8_t* _data;
    std::size_t _left;
};

/// The octet at a place of a stream.
char octet_at(std::uint32_t place) {
    return static_cast<char>(place * 167 + (place >> 8) * 13);
}
std::string octets_at(std::uint32_t place, std::size_t n) {
    std::string s;
    for (std::size_t i = 0; i < n; ++i) {
        s += octet_at(place + static_cast<std::uint32_t>(i));
    }
    return s;
}

/// A client's first segment: what is reset, ended or acknowledged in it makes it another thing.
bool opens(const segment& s) {
    return s.has(flag::syn) && !s.has(flag::ack | flag::fin | flag::rst);
}

struct remote {
    shard::endpoint self;
    std::uint32_t seq = 0;          ///< next to send, if it behaves
    std::uint32_t server_next = 0;  ///< next to hear
    std::uint32_t server_isn = 0;   ///< of the last SYN-ACK
    std::uint32_t syn_acked = 0;    ///< what it acknowledged
    std::uint32_t last_syn = 0;     ///< number of the last SYN, whose SYN-ACK may have found no frame
    std::uint32_t timestamp = 1000;
    std::uint32_t echo = 0;
    bool timestamps = false;
    std::uint8_t scale = 0;
    std::uint32_t edge = 0;
    bool has_edge = false;
    // The session's side.
    bool open = false;
    shard::connection id;
    std::uint32_t read_next = 0;   ///< place in the client's stream
    std::uint32_t other_next = 0;  ///< the same, if the last SYN's answer found no frame
    bool has_read = false;
    std::uint32_t isn = 0;  ///< the octet of the server's stream with this number has place 0
    std::uint32_t said = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in(data, size);
    settings s;
    const std::uint8_t how = in.octet();
    s.half_open = (how & 1U) != 0 ? 0 : 2;
    s.buffers = (how & 2U) != 0 ? 24 * 1024 : 1024 * 1024;
    s.out_of_order = (how & 4U) != 0 ? 8192 : 64 * 1024;
    s.receive_window = (how & 8U) != 0 ? 4096 : (how & 16U) != 0 ? 131072 : 65535;
    s.time_wait = (how & 32U) != 0 ? 1 : 16;
    s.connections = 6;
    bench b(s);
    std::array<remote, 4> remotes;
    for (std::size_t i = 0; i < remotes.size(); ++i) {
        remotes[i].self = ipv4(192, 0, 2, 1, static_cast<std::uint16_t>(40000 + i));
        remotes[i].seq = static_cast<std::uint32_t>(0xffffff00U + 0x40000000U * i);
    }
    const auto remote_of = [&](const shard::endpoint& e) -> remote& {
        const std::size_t i = e.port - 40000U;
        require(i < remotes.size(), "a segment for nobody");
        return remotes[i];
    };
    segment arriving;  // the one of this step
    std::uint64_t cookies_before = 0;
    std::size_t consume = SIZE_MAX;

    b.layer.on_opened = [&](shard::connection c) {
        remote& r = remote_of(b.tcp.info(c).peer);
        require(!r.open, "two connections of one pair of ends");
        r.open = true;
        r.id = c;
        const bool cookie = b.tcp.counts().cookies_good.value() != cookies_before;
        r.read_next = cookie ? arriving.seq : r.syn_acked;
        r.has_read = cookie;
        r.other_next = r.last_syn + 1;
        r.isn = cookie ? arriving.ack : r.server_isn + 1;
        r.said = 0;
        r.has_edge = false;
    };
    b.layer.on_readable = [&](shard::connection c, std::string_view octets) {
        remote& r = remote_of(b.tcp.info(c).peer);
        if (!r.has_read && octets != octets_at(r.read_next, octets.size())) {
            r.read_next = r.other_next;
        }
        r.has_read = true;
        require(octets == octets_at(r.read_next, octets.size()), "other octets than the client's");
        const std::size_t n = std::min(consume, octets.size());
        r.read_next += static_cast<std::uint32_t>(n);
        return n;
    };
    b.layer.on_reset = [&](shard::connection c) {
        for (remote& r : remotes) {
            r.open = r.open && !(r.id == c);
        }
    };
    const auto look = [&] {
        for (const sent_segment& sent : b.take_all()) {
            remote& r = remote_of(sent.head.peer);
            if (sent.has(flag::syn)) {
                r.server_isn = sent.head.seq;
                r.syn_acked = sent.head.ack;
                r.server_next = sent.head.seq + 1;
                r.timestamps = sent.head.options.has_timestamps;
                r.scale = sent.head.options.has_window_scale ? sent.head.options.window_scale : std::uint8_t{0};
                r.has_edge = false;
                require(sent.payload.empty(), "octets in a SYN-ACK");
            } else if (!sent.payload.empty()) {
                require(sent.payload == octets_at(sent.head.seq - r.isn, sent.payload.size()),
                        "other octets than the session's");
                if (sent.head.seq == r.server_next) {
                    r.server_next = sent.end();
                }
            }
            if (sent.head.options.has_timestamps) {
                r.echo = sent.head.options.timestamp;
            }
            if (r.open && sent.has(flag::ack) && !sent.has(flag::syn) && !sent.has(flag::rst)) {
                const std::uint32_t edge = sent.head.ack + (std::uint32_t{sent.head.window} << r.scale);
                require(!r.has_edge || seq_ge(edge, r.edge), "a window's edge went back");
                r.edge = edge;
                r.has_edge = true;
            }
        }
        require(b.tcp.consistent(), "the endpoint contradicts itself");
        require(b.layer.complaints.empty(), "the seam's contract is broken");
    };

    std::string payload;
    while (!in.empty()) {
        const std::uint8_t op = in.octet();
        remote& r = remotes[op % remotes.size()];
        cookies_before = b.tcp.counts().cookies_good.value();
        const auto with_session = [&](auto&& then) {
            if (!r.open || !b.layer.knows(r.id)) {
                return;
            }
            b.layer.on_turn_begin = [&] { then(); };
            b.turn();
            b.layer.on_turn_begin = [] {};
        };
        switch (op / 4 % 16) {
            case 0:
            case 1: {  // SYN
                arriving = {};
                arriving.flags = flag::syn;
                arriving.seq = r.seq + in.offset();
                const std::uint8_t o = in.octet();
                arriving.options.mss = (o & 1U) != 0 ? std::uint16_t{1460} : std::uint16_t{100};
                arriving.options.has_window_scale = (o & 2U) != 0;
                arriving.options.window_scale = o >> 4;
                arriving.options.sack_permitted = (o & 4U) != 0;
                arriving.options.has_timestamps = (o & 8U) != 0;
                arriving.options.timestamp = ++r.timestamp;
                arriving.options.window_scale = std::min<std::uint8_t>(arriving.options.window_scale, 14);
                arriving.window = 65535;
                arriving.peer = r.self;
                arriving.local = server_v4;
                r.seq = arriving.seq + 1;
                r.last_syn = opens(arriving) ? arriving.seq : r.last_syn;
                b.input(arriving);
                break;
            }
            case 2:
            case 3:
            case 4:
            case 5:
            case 6: {  // anything else
                const std::uint8_t kind = in.octet();
                arriving = {};
                arriving.peer = r.self;
                arriving.local = server_v4;
                arriving.flags = kind < 200 ? flag::ack | (kind & flag::psh) : in.octet() & 0x3f;
                arriving.flags |= kind < 200 && kind % 16 == 0 ? flag::fin : 0;
                const bool neat = (kind & 1U) == 0;
                arriving.seq = r.seq + (neat ? 0 : in.offset());
                arriving.ack = r.server_next + ((kind & 2U) == 0 ? 0 : in.offset());
                arriving.window = (kind & 4U) == 0 ? std::uint16_t{65535} : static_cast<std::uint16_t>(in.word());
                payload = octets_at(arriving.seq, (kind & 64U) != 0 ? in.octet() * 6U : 0U);
                arriving.payload = {payload.data(), payload.size()};
                if (r.timestamps) {
                    arriving.options.has_timestamps = kind != 7;
                    arriving.options.timestamp = ++r.timestamp - (kind == 9 ? 1000 : 0);
                    arriving.options.timestamp_echo = r.echo;
                }
                if (neat) {
                    r.seq += arriving.length();
                }
                r.last_syn = opens(arriving) ? arriving.seq : r.last_syn;
                b.input(arriving);
                break;
            }
            case 7:
                with_session([&] {
                    const std::string text = octets_at(r.said, in.word() % 9000);
                    if (b.layer.say(r.id, text)) {
                        r.said += static_cast<std::uint32_t>(text.size());
                    }
                });
                break;
            case 8:
                with_session([&] {
                    r.open = false;
                    b.layer.finish(r.id);
                });
                break;
            case 9:
                with_session([&] {
                    if (in.octet() > 200) {
                        r.open = false;
                        b.layer.abort(r.id);
                    }
                });
                break;
            case 10:
                with_session([&] { b.tcp.want_read(r.id, in.octet() % 2 == 0); });
                break;
            case 11:
                consume = in.octet() % 2 == 0 ? SIZE_MAX : in.octet();
                break;
            case 12:
                b.advance(std::chrono::milliseconds(in.word()));
                break;
            case 13:
                b.tcp.path_mtu({r.self, server_v4, r.server_next - in.offset(), static_cast<std::uint16_t>(in.word()),
                                static_cast<std::uint16_t>(in.word())});
                b.turn();
                break;
            case 14:
                b.port.frames = in.octet() % 2 == 0 ? SIZE_MAX : in.octet();
                break;
            default:
                b.settle();
                break;
        }
        look();
    }
    b.port.frames = SIZE_MAX;
    b.layer.on_turn_begin = [&] {
        for (remote& r : remotes) {
            if (r.open && b.layer.knows(r.id)) {
                b.layer.abort(r.id);
            }
        }
    };
    b.turn();
    b.layer.on_turn_begin = [] {};
    for (remote& r : remotes) {
        r.open = false;
    }
    b.advance(std::chrono::minutes(5));
    b.take_all();
    require(b.tcp.consistent(), "the endpoint contradicts itself at the end");
    require(b.tcp.connections() == 0 && b.tcp.in_time_wait() == 0, "a connection outlives its times");
    require(b.tcp.buffered() == 0 && b.tcp.timers() == 0 && b.layer.open_sessions() == 0, "something is left");
    return 0;
}
