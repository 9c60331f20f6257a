#include "perf/rig/generator.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/tcp/segment.h"
#include "perf/rig/recipients.h"

namespace postern::perf::rig {
namespace {

namespace flag = tcp::flag;

constexpr std::size_t most_payload = 1448;
constexpr std::uint32_t burst = 32;
constexpr std::uint32_t ack_delay = 450;  // milliseconds: less than half a second, RFC 1122 4.2.3.2

constexpr std::uint32_t code_of(std::string_view four) noexcept {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(four[0])) |
           static_cast<std::uint32_t>(static_cast<unsigned char>(four[1])) << 8U |
           static_cast<std::uint32_t>(static_cast<unsigned char>(four[2])) << 16U |
           static_cast<std::uint32_t>(static_cast<unsigned char>(four[3])) << 24U;
}
constexpr std::uint32_t ready_220 = code_of("220 ");
constexpr std::uint32_t fine_250 = code_of("250 ");
constexpr std::uint32_t closing_221 = code_of("221 ");
constexpr std::uint32_t stranger_550 = code_of("550 ");
constexpr std::uint32_t listed_451 = code_of("451 ");  // on the list, and its domain has no mail server
constexpr std::uint32_t digits = 0x00ffffff;

constexpr std::string_view hello = "EHLO client.example\r\n";
constexpr std::string_view mail = "MAIL FROM:<sender@client.example>\r\n";
constexpr std::string_view quit = "QUIT\r\n";
constexpr std::string_view rcpt_begin = "RCPT TO:<";
constexpr std::string_view rcpt_end = "@example.com>\r\n";
constexpr std::size_t rcpt_size = rcpt_begin.size() + local_size + rcpt_end.size();
static_assert(rcpt_end.substr(1, domain.size()) == domain);

/// Puts one RCPT down and tells whether it is on the list.
bool put_rcpt(char* out, random_source& random, const plan& p, std::uint64_t listed_below) noexcept {
    const std::uint64_t drawn = random.next();
    const bool listed = (drawn & 0xffffffffU) < listed_below;
    std::memcpy(out, rcpt_begin.data(), rcpt_begin.size());
    const std::uint64_t number = listed ? (drawn >> 32U) % p.listed : drawn >> 16U;
    put_local(number, listed, out + rcpt_begin.size());
    std::memcpy(out + rcpt_begin.size() + local_size, rcpt_end.data(), rcpt_end.size());
    if (p.domains > 1) {
        put_domain(number % p.domains, out + rcpt_begin.size() + local_size + 1);
    }
    return listed;
}

}  // namespace

generator::generator(port::queue& frames, const plan& p)
    : _queue(frames),
      _plan(p),
      _clients(p.connections, p.sources),
      _random(p.seed),
      _listed_below(p.listed == 0 ? 0 : static_cast<std::uint64_t>(p.listed_share * 0x1p32)),
      _order(static_cast<std::uint32_t>(p.seed)),
      _order_mask(std::bit_ceil(std::max(p.connections, 8U)) - 1),
      _scratch(rcpt_size * p.pipeline) {
    _plan.window = std::min(p.window, p.connections);
    for (std::uint32_t& place : _next) {
        place = 0;
    }
    for (std::size_t i = 0; i < ahead; ++i) {
        next_place();
    }
}

std::uint32_t generator::next_place() noexcept {
    const std::uint32_t place = _next[_next_at];
    do {
        _order = (_order * 1664525U + 1013904223U) & _order_mask;
    } while (_order >= _clients.size());
    __builtin_prefetch(&_clients[_order], 1);
    _next[_next_at] = _order;
    _next_at = (_next_at + 1) % ahead;
    return place;
}

bool generator::turn(std::uint32_t now, std::uint32_t& credit) {
    _now = now;
    const std::span<const port::received_frame> frames = _queue.receive();
    std::size_t count = 0;
    if (_plan.what == work::macswap) {
        for (const port::received_frame& f : frames) {
            // Back from a shard that swapped the addresses: to us, and the rest as it was.
            const bool ours =
                f.octets.size() > headers && std::equal(client_mac.begin(), client_mac.end(), f.octets.begin());
            if (ours) {
                _counts.rcpts.add();
                --_on_way;
            }
        }
    } else {
        for (const port::received_frame& f : frames) {
            server_segment& s = _segments[count];
            switch (read_frame(f.octets, s)) {
                case reading::good:
                    _places[count] = _clients.place_of(s.to);
                    __builtin_prefetch(&_clients[_places[count]], 1);
                    ++count;
                    break;
                case reading::bad_checksum:
                    _counts.bad_checksums.add();
                    break;
                case reading::other:
                    break;
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            arrived(_places[i], _segments[i]);
        }
    }
    _counts.frames_in.add(frames.size());
    acknowledge();
    const bool sent = _closing.load(std::memory_order_relaxed) ? close_more() : open_more() || send_more(credit);
    _queue.flush();
    _queue.release();
    return sent || !frames.empty();
}

void generator::acknowledge() {
    for (std::uint32_t n = 0; n < burst && !_late.empty(); ++n) {
        const late_ack& first = _late.front();
        if (static_cast<std::int32_t>(_now - first.when) < 0) {
            return;
        }
        const client& c = _clients[first.place];
        if (c.unacked != 0 && c.snd_nxt == first.snd_nxt && c.phase != phase::closed) {
            send(first.place, flag::ack, {});
        }
        _late.pop_front();
        if (!_late.empty()) {
            __builtin_prefetch(&_clients[_late[std::min<std::size_t>(_late.size() - 1, 8)].place], 1);
        }
    }
}

bool generator::open_more() {
    if (_plan.what == work::macswap) {
        return false;
    }
    std::uint32_t n = 0;
    for (; n < burst && _started < _plan.connections && _on_way < _plan.window; ++n) {
        open(_started++);
    }
    return n != 0;
}

bool generator::send_more(std::uint32_t& credit) {
    if (_plan.what == work::hold || !_begun.load(std::memory_order_relaxed)) {
        return false;
    }
    std::uint32_t n = 0;
    if (_plan.what == work::churn) {
        for (; n < burst && !_free.empty() && _on_way < _plan.window && credit > 0; ++n, --credit) {
            const std::uint32_t place = _free.back();
            _free.pop_back();
            open(place);
        }
        return n != 0;
    }
    for (; n < burst && _on_way < _plan.window && credit > 0; ++n, --credit) {
        const std::uint32_t place = _next[_next_at];
        if (_plan.what == work::macswap) {
            send_for_swapping(place);
        } else if (_clients[place].phase == phase::ready) {
            send_rcpts(place);
        } else if (_clients[place].phase == phase::rcpt) {
            break;  // its turn has come round, and it is not answered yet
        } else {
            --n, ++credit;  // the server broke it
        }
        next_place();
    }
    return n != 0;
}

bool generator::close_more() {
    std::uint32_t n = 0;
    for (; n < burst && _closed < _started && _on_way < _plan.window; ++_closed) {
        client& c = _clients[_closed];
        if (c.phase == phase::rcpt) {
            break;  // when it is answered
        }
        if (c.phase == phase::idle || c.phase == phase::ready) {
            send_command(_closed, quit, phase::quit);
            ++_on_way;
            ++n;
        }
    }
    return n != 0;
}

void generator::send(std::uint32_t place, std::uint8_t flags, std::string_view text) {
    client& c = _clients[place];
    const std::span<std::uint8_t> room = _queue.frame();
    if (room.empty()) {
        return;  // counted by the queue; shows as a stall
    }
    client_segment s;
    s.who = _clients.name_of(place);
    s.seq = c.snd_nxt;
    s.ack = c.rcv_nxt;
    s.timestamp = _now;
    s.timestamp_echo = c.ts_recent;
    s.flags = flags;
    if (!text.empty()) {
        std::memcpy(room.data() + headers, text.data(), text.size());
    }
    _queue.put(write_frame(s, text.size(), room));
    c.unacked = 0;
    c.snd_nxt += static_cast<std::uint32_t>(text.size()) + ((flags & (flag::syn | flag::fin)) != 0 ? 1U : 0U);
}

void generator::send_command(std::uint32_t place, std::string_view text, phase then) {
    _clients[place].phase = then;
    _clients[place].owed = 1;
    send(place, flag::ack | flag::psh, text);
}

void generator::open(std::uint32_t place) {
    client& c = _clients[place];
    const std::uint32_t generation = c.generation;
    c = client{};
    c.generation = generation;
    c.snd_nxt = static_cast<std::uint32_t>(_random.next());
    c.phase = phase::syn_sent;
    ++_on_way;
    send(place, flag::syn, {});
}

void generator::send_rcpts(std::uint32_t place) {
    client& c = _clients[place];
    c.listed = 0;
    for (std::uint32_t i = 0; i < _plan.pipeline; ++i) {
        const bool listed = put_rcpt(_scratch.data() + i * rcpt_size, _random, _plan, _listed_below);
        c.listed |= std::uint64_t{listed} << i;
    }
    c.owed = static_cast<std::uint8_t>(_plan.pipeline);
    c.phase = phase::rcpt;
    ++_on_way;
    std::string_view text(_scratch.data(), rcpt_size * _plan.pipeline);
    while (text.size() > most_payload) {
        send(place, flag::ack, text.substr(0, most_payload));
        text.remove_prefix(most_payload);
    }
    send(place, flag::ack | flag::psh, text);
}

void generator::send_for_swapping(std::uint32_t place) {
    put_rcpt(_scratch.data(), _random, _plan, _listed_below);
    ++_on_way;
    send(place, flag::ack | flag::psh, {_scratch.data(), rcpt_size});
}

void generator::arrived(std::uint32_t place, const server_segment& s) {
    client& c = _clients[place];
    const client_table::name present = _clients.name_of(place);
    if (c.phase == phase::closed || present.source != s.to.source || present.port != s.to.port) {
        _counts.again.add();  // for a connection that is over
        return;
    }
    if ((s.flags & flag::rst) != 0) {
        _counts.lost.add();
        done_with(place);
        return;
    }
    if (c.phase == phase::syn_sent) {
        if ((s.flags & (flag::syn | flag::ack)) == (flag::syn | flag::ack)) {
            c.rcv_nxt = s.seq + 1;
            c.ts_recent = s.timestamp;
            c.phase = phase::greeting;
            c.owed = 1;
            send(place, flag::ack, {});
        }
        return;
    }
    if (s.seq != c.rcv_nxt) {
        _counts.again.add();
        send(place, flag::ack, {});
        return;
    }
    c.rcv_nxt += static_cast<std::uint32_t>(s.payload.size());
    c.ts_recent = s.timestamp;
    if (!s.payload.empty()) {
        if (++c.unacked == 1) {
            _late.push_back({place, c.snd_nxt, _now + ack_delay});
        }
        replies(place, {s.payload.data(), s.payload.size()});
        if (c.unacked > 1) {
            send(place, flag::ack, {});
        }
    }
    if ((s.flags & flag::fin) != 0) {
        c.rcv_nxt += 1;
        c.phase = phase::closing;
        send(place, flag::ack | flag::fin, {});
    } else if (c.phase == phase::closing && s.payload.empty()) {
        _counts.sessions.add();
        done_with(place);
    }
}

/// The connection is over; its place may serve the next one.
void generator::done_with(std::uint32_t place) {
    client& c = _clients[place];
    if (c.phase != phase::idle && c.phase != phase::ready) {
        --_on_way;
    }
    c.phase = phase::closed;
    ++c.generation;
    if (_plan.what == work::churn) {
        _free.push_back(place);
    }
}

void generator::replies(std::uint32_t place, std::string_view text) {
    client& c = _clients[place];
    while (!text.empty()) {
        const void* const found = std::memchr(text.data(), '\n', text.size());
        const std::size_t size = found == nullptr
                                     ? text.size()
                                     : static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) + 1;
        std::uint32_t code = c.code;
        if (c.line_at == 0 && size >= 4) {
            std::memcpy(&code, text.data(), 4);
        } else {
            for (std::size_t i = 0; c.line_at + i < 4 && i < size; ++i) {
                code |= static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) << (8 * (c.line_at + i));
            }
        }
        text.remove_prefix(size);
        if (found == nullptr) {
            c.code = code;
            c.line_at = static_cast<std::uint8_t>(std::min<std::size_t>(c.line_at + size, 255));
            return;
        }
        c.code = 0;
        c.line_at = 0;
        if (code >> 24U != '-') {
            replied(place, code);
        }
    }
}

void generator::wrong(std::uint32_t code, std::uint32_t expected) {
    _counts.wrong.add();
    if (_example.empty()) {
        const auto text = [](std::uint32_t c) {
            return std::string{static_cast<char>(c), static_cast<char>(c >> 8U), static_cast<char>(c >> 16U)};
        };
        _example = "'" + text(code) + "' instead of '" + text(expected) + "'";
    }
}

void generator::replied(std::uint32_t place, std::uint32_t code) {
    client& c = _clients[place];
    const auto expect = [&](std::uint32_t expected) {
        if (((code ^ expected) & digits) != 0) {
            wrong(code, expected);
        }
    };
    if (c.owed == 0) {
        wrong(code, 0);
        return;
    }
    --c.owed;
    switch (c.phase) {
        case phase::rcpt: {
            const bool listed = (c.listed & 1U) != 0;
            c.listed >>= 1U;
            expect(listed ? listed_451 : stranger_550);
            _counts.rcpts.add();
            _counts.listed.add(listed ? 1 : 0);
            if (c.owed == 0) {
                if (_plan.what == work::churn) {
                    send_command(place, quit, phase::quit);
                } else {
                    c.phase = phase::ready;
                    --_on_way;
                }
            }
            break;
        }
        case phase::greeting:
            expect(ready_220);
            send_command(place, hello, phase::hello);
            break;
        case phase::hello:
            expect(fine_250);
            if (_plan.what == work::hold) {
                c.phase = phase::idle;
                --_on_way;
                _counts.opened.add();
                send(place, flag::ack, {});
            } else {
                send_command(place, mail, phase::mail);
            }
            break;
        case phase::mail:
            expect(fine_250);
            _counts.opened.add();
            if (_plan.what == work::churn) {
                --_on_way;  // send_rcpts counts it anew
                send_rcpts(place);
            } else {
                c.phase = phase::ready;
                --_on_way;
                send(place, flag::ack, {});  // it may be a while until its turn
            }
            break;
        case phase::quit:
            expect(closing_221);
            break;
        case phase::closed:
        case phase::syn_sent:
        case phase::idle:
        case phase::ready:
        case phase::closing:
            break;
    }
}

}  // namespace postern::perf::rig
