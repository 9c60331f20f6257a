// Segments that belong to no synchronised connection: SYN, the half-open, cookies, TIME-WAIT, strangers.
#include <algorithm>

#include "dataplane/shard/endpoint_text.h"
#include "dataplane/tcp/endpoint_steps.h"

namespace postern::tcp {
namespace {

constexpr std::uint16_t ipv4_headers = 40;
constexpr std::uint16_t ipv6_headers = 60;
constexpr std::uint16_t default_mss_ipv4 = 536;   // RFC 9293 3.7.1
constexpr std::uint16_t default_mss_ipv6 = 1220;  // likewise
/// How far a new connection's ISN is ahead of the one before it, at least (RFC 9293 3.10.7.4, TIME-WAIT).
constexpr std::uint32_t isn_step = 128'000;

bool is_any(const shard::endpoint& e) noexcept {
    return std::all_of(e.address.begin(), e.address.end(), [](std::uint8_t o) { return o == 0; });
}
bool is_any_ipv4(const shard::endpoint& e) noexcept {
    return is_ipv4(e) && std::all_of(e.address.begin() + 12, e.address.end(), [](std::uint8_t o) { return o == 0; });
}

}  // namespace

const endpoint::listener* endpoint::listener_for(const shard::endpoint& local) const noexcept {
    for (const listener& l : _listeners) {
        if (l.at.port == local.port &&
            (l.at.address == local.address || is_any(l.at) || (is_any_ipv4(l.at) && is_ipv4(local)))) {
            return &l;
        }
    }
    return nullptr;
}

std::uint16_t endpoint::own_mss(const shard::endpoint& peer) const noexcept {
    return static_cast<std::uint16_t>(_settings.mtu - (is_ipv4(peer) ? ipv4_headers : ipv6_headers));
}

std::uint16_t endpoint::mss_towards(const shard::endpoint& peer, std::uint16_t option) const noexcept {
    const std::uint16_t said = option != 0 ? option : is_ipv4(peer) ? default_mss_ipv4 : default_mss_ipv6;
    return std::clamp(said, std::min(_settings.mss_floor, own_mss(peer)), own_mss(peer));
}

/// The smallest shift with which the whole receive window can be said.
std::uint8_t endpoint::own_scale() const noexcept {
    std::uint8_t scale = 0;
    while (_settings.receive_window >> scale > 65535) {
        ++scale;
    }
    return scale;
}

void endpoint::no_connection(const segment& s, std::uint64_t key) {
    if (time_wait_table::entry* const e = _time_wait.find(key)) {
        if (in_time_wait_arrived(s, *e, key)) {
            return;
        }
    }
    if (s.has(flag::rst)) {
        return;
    }
    if (s.has(flag::syn) && !s.has(flag::ack) && !s.has(flag::fin)) {
        syn_arrived(s, key, nullptr);
    } else if (!s.has(flag::ack) || s.has(flag::syn) || !cookie_arrived(s, key)) {
        _counts.no_listener.add();
        refuse(s);
    }
}

/// RFC 9293 3.10.7.4 for TIME-WAIT, RFC 1337 (an RST does not end it), RFC 6191 (a new SYN may).
bool endpoint::in_time_wait_arrived(const segment& s, time_wait_table::entry& e, std::uint64_t key) {
    if (s.has(flag::rst)) {
        return true;
    }
    if (s.has(flag::syn) && !s.has(flag::ack) && !s.has(flag::fin)) {
        const bool both = e.has_timestamps != 0 && s.options.has_timestamps;
        const bool newer = (both && seq_gt(s.options.timestamp, e.ts_recent)) ||
                           ((!both || s.options.timestamp == e.ts_recent) && seq_gt(s.seq, e.rcv_nxt));
        if (newer && listener_for(s.local) != nullptr) {
            const std::uint32_t least = e.snd_nxt + isn_step;
            _time_wait.erase(key);
            _counts.time_wait_reused.add();
            syn_arrived(s, key, &least);
            return true;
        }
    } else if (s.length() == 0) {
        return true;  // the ACK of our FIN once more
    }
    if (s.has(flag::fin) && !s.has(flag::syn)) {
        const time_wait_table::entry again = e;
        _time_wait.add(again, _now);  // its time starts anew; `e` is not valid any more
    }
    const time_wait_table::entry* const known = _time_wait.find(key);
    outgoing out;
    out.local = s.local;
    out.peer = s.peer;
    out.link = s.link;
    out.seq = known->snd_nxt;
    out.ack = known->rcv_nxt;
    out.window = 65535;
    out.flags = flag::ack;
    if (known->has_timestamps != 0) {
        out.options.has_timestamps = true;
        out.options.timestamp = milliseconds() + identity_of(_keys.isn, s.peer, s.local).timestamp_offset;
        out.options.timestamp_echo = known->ts_recent;
    }
    pass(out);
    return true;
}

void endpoint::syn_arrived(const segment& s, std::uint64_t key, const std::uint32_t* least_isn) {
    const listener* const on = listener_for(s.local);
    if (on == nullptr) {
        _counts.no_listener.add();
        refuse(s);
        return;
    }
    if (s.peer == s.local) {
        return;
    }
    if (_half_open >= _settings.half_open) {
        answer_with_cookie(s);
        return;
    }
    std::uint32_t slot = no_slot;
    if (!take_slot(slot)) {
        return;
    }
    _counts.half_open.add();
    const identity who = identity_of(_keys.isn, s.peer, s.local);
    std::uint32_t isn = who.isn_base + isn_clock(_now);
    if (least_isn != nullptr) {
        isn = seq_max(isn, *least_isn);
    }
    const conn k = begin(slot, s, s.options, *on, who, isn, key);
    k.h.rcv_nxt = k.h.last_ack_sent = s.seq + 1;
    k.h.rcv_edge = k.h.rcv_nxt + std::min(_settings.receive_window, 65535U);
    k.h.snd_una = isn;
    k.h.snd_window = k.c.max_window = s.window;
    k.h.snd_wl1 = s.seq;
    k.h.snd_wl2 = isn;
    k.h.set(mark::timing);
    k.c.timed_seq = isn;
    k.c.timed_at = milliseconds();
    k.c.resend_at = _now + _settings.rto_initial;
    rearm(k);
    send_syn_ack(k);
}

/// A slot in SYN-RECEIVED with what the SYN's options (or a cookie's) agreed on.
endpoint::conn endpoint::begin(std::uint32_t slot, const segment& s, const segment_options& options, const listener& on,
                               const identity& who, std::uint32_t isn, std::uint64_t key) noexcept {
    const conn k = at(slot);
    k.h.now = state::syn_received;
    ++_half_open;
    k.h.snd_nxt = k.h.snd_max = isn + 1;
    k.h.mss = mss_towards(s.peer, options.mss);
    k.h.put(mark::timestamps, options.has_timestamps);
    k.h.ts_recent = options.timestamp;
    k.h.put(mark::sack, options.sack_permitted);
    if (options.has_window_scale) {
        k.h.snd_scale = options.window_scale & 0xfU;
        k.h.rcv_scale = own_scale() & 0xfU;
        k.h.set(mark::scaled);
    }
    k.c.info.peer = s.peer;
    k.c.info.local = s.local;
    k.c.info.listener = on.index;
    k.c.link = s.link;
    k.c.ts_offset = who.timestamp_offset;
    k.c.ts_recent_at = milliseconds();
    k.c.ssthresh = UINT32_MAX;
    _table.insert(key, slot);
    return k;
}

void endpoint::send_syn_ack(conn k) noexcept {
    outgoing s;
    s.local = k.c.info.local;
    s.peer = k.c.info.peer;
    s.link = k.c.link;
    s.seq = k.h.snd_una;
    s.ack = k.h.rcv_nxt;
    s.window = static_cast<std::uint16_t>(std::min(_settings.receive_window, 65535U));
    s.flags = flag::syn | flag::ack;
    s.options.mss = own_mss(s.peer);
    s.options.has_window_scale = k.h.is(mark::scaled);
    s.options.window_scale = k.h.rcv_scale;
    s.options.sack_permitted = k.h.is(mark::sack);
    if (k.h.is(mark::timestamps)) {
        s.options.has_timestamps = true;
        s.options.timestamp = milliseconds() + k.c.ts_offset;
        s.options.timestamp_echo = k.h.ts_recent;
    }
    pass(s);  // without a frame, the timer sends it again
}

/// RFC 4987 3.6: nothing is kept.
void endpoint::answer_with_cookie(const segment& s) noexcept {
    const std::uint16_t mss = mss_towards(s.peer, s.options.mss);
    outgoing out;
    out.local = s.local;
    out.peer = s.peer;
    out.link = s.link;
    out.seq = _cookies.make(s.peer, s.local, s.seq, mss, _now);
    out.ack = s.seq + 1;
    out.window = static_cast<std::uint16_t>(std::min(_settings.receive_window, 65535U));
    out.flags = flag::syn | flag::ack;
    out.options.mss = own_mss(s.peer);
    if (s.options.has_timestamps) {
        const cookie_content said{.mss = mss,
                                  .window_scale = s.options.window_scale,
                                  .has_window_scale = s.options.has_window_scale,
                                  .sack_permitted = s.options.sack_permitted};
        out.options.has_timestamps = true;
        out.options.timestamp =
            cookies::timestamp_with(milliseconds(), said) + identity_of(_keys.isn, s.peer, s.local).timestamp_offset;
        out.options.timestamp_echo = s.options.timestamp;
        out.options.has_window_scale = said.has_window_scale;
        out.options.window_scale = own_scale();
        out.options.sack_permitted = said.sack_permitted;
    }
    _cookies_until = _now + 2 * cookies::period;
    _counts.cookies_sent.add();
    pass(out);
}

/// True: the ACK brought a cookie back and was dealt with.
bool endpoint::cookie_arrived(const segment& s, std::uint64_t key) {
    if (_now >= _cookies_until) {
        return false;
    }
    const listener* const on = listener_for(s.local);
    const std::uint32_t isn = s.ack - 1;
    const std::uint32_t client_isn = s.seq - 1;
    const auto mss = on == nullptr ? std::nullopt : _cookies.read(s.peer, s.local, client_isn, isn, _now);
    if (!mss) {
        _counts.cookies_bad.add();
        return false;
    }
    std::uint32_t slot = no_slot;
    if (!take_slot(slot)) {
        return false;
    }
    _counts.cookies_good.add();
    const identity who = identity_of(_keys.isn, s.peer, s.local);
    segment_options agreed;
    agreed.mss = *mss;
    if (s.options.has_timestamps) {
        const cookie_content said = cookies::from_timestamp(s.options.timestamp_echo - who.timestamp_offset);
        agreed.has_timestamps = true;
        agreed.timestamp = s.options.timestamp;
        agreed.has_window_scale = said.has_window_scale;
        agreed.window_scale = said.window_scale;
        agreed.sack_permitted = said.sack_permitted;
    }
    const conn k = begin(slot, s, agreed, *on, who, isn, key);
    k.h.rcv_nxt = k.h.last_ack_sent = s.seq;
    k.h.rcv_edge = k.h.rcv_nxt + std::min(_settings.receive_window, 65535U);
    k.h.snd_una = isn;
    establish(k, s);
    return true;
}

void endpoint::half_open_arrived(conn k, const segment& s, std::uint64_t key) {
    if (s.has(flag::rst)) {
        if (s.seq == k.h.rcv_nxt) {
            _counts.half_open_reset.add();
            release(k);
        } else if (seq_gt(s.seq, k.h.rcv_nxt) && seq_lt(s.seq, k.h.rcv_edge)) {
            challenge(k);
        }
        return;
    }
    if (s.has(flag::syn)) {
        if (s.seq + 1 == k.h.rcv_nxt && !s.has(flag::ack)) {
            k.h.set(mark::syn_ack_again);
            k.h.clear(mark::timing);
            send_syn_ack(k);
            return;
        }
        // RFC 9293 3.10.7.4, fourth: back to LISTEN, where a SYN of a client that began anew is taken at once.
        _counts.half_open_reset.add();
        release(k);
        no_connection(s, key);
        return;
    }
    if (!s.has(flag::ack)) {
        return;
    }
    if (k.h.is(mark::timestamps) && (!s.options.has_timestamps || seq_lt(s.options.timestamp, k.h.ts_recent))) {
        (s.options.has_timestamps ? _counts.paws_rejected : _counts.no_timestamp).add();
        return;
    }
    if (s.ack != k.h.snd_max) {
        _counts.bad_ack.add();
        refuse(s);  // RFC 9293 3.10.7.4, fifth
        return;
    }
    if (!acceptable(k, s)) {
        not_acceptable(k, s);
        return;
    }
    establish(k, s);
}

/// The handshake is over with `s`, whose payload may follow.
void endpoint::establish(conn k, const segment& s) {
    --_half_open;
    k.h.now = state::established;
    k.h.snd_una = s.ack;
    k.h.snd_window = std::uint32_t{s.window} << k.h.snd_scale;
    k.h.snd_wl1 = s.seq;
    k.h.snd_wl2 = s.ack;
    k.c.max_window = std::max(k.c.max_window, k.h.snd_window);
    k.c.resend_at = shard::never;
    k.c.backoff = k.c.unanswered = 0;
    if (k.h.is(mark::timestamps) && s.options.timestamp_echo != 0 && k.c.timed_at != 0) {
        measure(k, (milliseconds() + k.c.ts_offset - s.options.timestamp_echo) * 1000);
    } else if (k.h.is(mark::timing)) {
        measure(k, (milliseconds() - k.c.timed_at) * 1000);
    }
    k.h.clear(mark::timing);
    k.h.cwnd = initial_window(k);
    k.c.recover = k.h.snd_una - 1;
    rearm(k);

    k.c.word = _limits.enter(k.c.info.listener, k.c.info.peer);
    switch (k.c.word) {
        case shard::admission::admitted:
            k.h.set(mark::counted);
            break;
        case shard::admission::too_many_connections:
            _counts.refused_total.add();
            break;
        case shard::admission::too_many_from_source:
            _counts.refused_source.add();
            break;
        case shard::admission::draining:
            _counts.refused_draining.add();
            break;
    }
    _counts.accepted.add();
    k.h.set(mark::open);
    k.h.set(mark::fresh);
    k.h.set(mark::wants);
    _fresh.push_back(k.c.slot);
    synchronised_arrived(k, s);
}

/// RFC 9293 3.5.2, group 1.
void endpoint::refuse(const segment& s) noexcept {
    if (s.has(flag::rst)) {
        return;
    }
    if (!_resets.allow(s.peer, _now)) {
        _counts.resets_withheld.add();
        return;
    }
    outgoing out;
    out.local = s.local;
    out.peer = s.peer;
    out.link = s.link;
    out.flags = flag::rst;
    if (s.has(flag::ack)) {
        out.seq = s.ack;
    } else {
        out.flags |= flag::ack;
        out.ack = s.seq + s.length();
    }
    if (pass(out)) {
        _counts.resets_sent.add();
    }
}

}  // namespace postern::tcp
