// Small steps of the endpoint that every segment takes, inline for the files that the short and the long way are in.
// Included by endpoint_*.cc only.
#pragma once

#include <algorithm>

#include "dataplane/tcp/endpoint.h"

namespace postern::tcp {

/// Microseconds: a tick of the wheel.
inline constexpr std::uint32_t clock_granularity = 10'000;

inline std::uint32_t endpoint::held(conn k) const noexcept {
    std::size_t n = 0;
    for (const block* b = k.h.input; b != nullptr; b = b->next) {
        n += b->size();
    }
    return static_cast<std::uint32_t>(n);
}

/// Payload that fits a segment, RFC 6691.
inline std::uint32_t endpoint::room_of_segment(conn k) const noexcept {
    std::uint32_t options = k.h.is(mark::timestamps) ? 12 : 0;
    if (k.h.is(mark::sack) && k.h.is(mark::early) && !k.c.early->ranges().empty()) {
        const std::size_t most = k.h.is(mark::timestamps) ? most_sack_blocks - 1 : most_sack_blocks;
        options += 4 + 8 * static_cast<std::uint32_t>(std::min(most, k.c.early->ranges().size()));
    }
    return k.h.mss > options + 8 ? k.h.mss - options : 8;
}

/// The right edge of the window that could be said now.
inline std::uint32_t endpoint::window_edge(conn k) const noexcept {
    const std::uint32_t used = held(k);
    const std::uint32_t open = _settings.receive_window > used ? _settings.receive_window - used : 0;
    return seq_max(k.h.rcv_edge, k.h.rcv_nxt + open);
}

/// The window that a segment says, in the header's units.
inline std::uint16_t endpoint::window_to_tell(conn k) const noexcept {
    const std::uint32_t edge = window_edge(k);
    // RFC 9293 3.8.6.2.2: the edge moves by a worthwhile step or not at all.
    const std::uint32_t worth_telling = std::min(_settings.receive_window / 2, std::uint32_t{k.h.mss});
    const std::uint32_t window = (edge - k.h.rcv_edge >= worth_telling ? edge : k.h.rcv_edge) - k.h.rcv_nxt;
    // Rounded up, for the edge must not go back.
    const std::uint32_t units = (window + (1U << k.h.rcv_scale) - 1) >> k.h.rcv_scale;
    return static_cast<std::uint16_t>(std::min(units, 65535U));
}

/// A segment with our ACK and that window went out.
inline void endpoint::told(conn k, std::uint16_t window) noexcept {
    k.h.rcv_edge = seq_max(k.h.rcv_edge, k.h.rcv_nxt + (std::uint32_t{window} << k.h.rcv_scale));
    k.h.last_ack_sent = k.h.rcv_nxt;
    k.h.clear(mark::ack_now | mark::unacked);
}

/// RFC 5681 4.1.
inline void endpoint::restart_if_idle(conn k) noexcept {
    const std::chrono::milliseconds idle(milliseconds() - k.c.last_sent_at);
    if (k.c.last_sent_at != 0 && idle > _settings.rto_least && idle > rto(k)) {
        k.h.cwnd = std::min(k.h.cwnd, initial_window(k));
    }
}

inline bool endpoint::pass(const outgoing& s) noexcept {
    if (!_sink.send(s)) {
        _counts.no_frame.add();
        return false;
    }
    _counts.segments_out.add();
    return true;
}

/// `n` octets from `seq` on and FIN went out.
inline void endpoint::sent_part(conn k, std::uint32_t seq, std::uint32_t n, bool fin) noexcept {
    const std::uint32_t end = seq + n + (fin ? 1 : 0);
    if (seq_lt(seq, k.h.snd_max)) {
        _counts.retransmits.add();
        if (k.h.is(mark::timing) && seq_le(seq, k.c.timed_seq)) {
            k.h.clear(mark::timing);  // Karn
        }
    } else if (!k.h.is(mark::timestamps) && !k.h.is(mark::timing)) {
        k.h.set(mark::timing);
        k.c.timed_seq = seq;
        k.c.timed_at = milliseconds();
    }
    if (seq_gt(end, k.h.snd_max)) {
        _counts.octets_sent.add(end - seq_max(k.h.snd_max, seq) - (fin ? 1 : 0));
        k.h.snd_max = end;
    }
    k.h.snd_nxt = seq_max(k.h.snd_nxt, end);
    if (fin && !k.h.is(mark::fin_sent)) {
        k.h.set(mark::fin_sent);
        k.h.now = k.h.now == state::close_wait ? state::last_ack : state::fin_wait_1;
    }
    k.c.last_sent_at = milliseconds() | 1U;
    if (k.c.resend_at == shard::never) {
        await_ack(k);
    }
}

/// RFC 6298 2.
inline void endpoint::measure(conn k, std::uint32_t microseconds) noexcept {
    if (microseconds > 300'000'000) {
        return;  // an echo of something that we never sent
    }
    const std::uint32_t r = std::max(microseconds, 1U);
    if (k.c.srtt == 0) {
        k.c.srtt = r;
        k.c.rttvar = r / 2;
        return;
    }
    const std::uint32_t off = std::max(r, k.c.srtt) - std::min(r, k.c.srtt);  // no branch: either is as likely
    k.c.rttvar = k.c.rttvar - k.c.rttvar / 4 + off / 4;
    k.c.srtt = std::max(k.c.srtt - k.c.srtt / 8 + r / 8, 1U);
}

/// A round trip, by the segment that acknowledges new octets.
inline void endpoint::measure_by(conn k, const segment& s) noexcept {
    if (k.h.is(mark::timestamps) && s.options.timestamp_echo != 0) {
        measure(k, (milliseconds() + k.c.ts_offset - s.options.timestamp_echo) * 1000);
    } else if (k.h.is(mark::timing) && seq_gt(s.ack, k.c.timed_seq)) {
        k.h.clear(mark::timing);
        measure(k, (milliseconds() - k.c.timed_at) * 1000);
    }
}

inline shard::instant endpoint::rto(conn k) const noexcept {
    shard::instant base{};
    if (k.c.srtt != 0) {
        base = std::chrono::microseconds(std::uint64_t{k.c.srtt} + std::max(clock_granularity, 4 * k.c.rttvar));
    } else {
        base = _settings.rto_initial * (k.h.is(mark::syn_ack_again) ? 3 : 1);  // RFC 6298 5.7
    }
    base = base < _settings.rto_least ? _settings.rto_least : base;
    if (k.c.backoff != 0) {
        base *= std::int64_t{1} << std::min<unsigned>(k.c.backoff, 16);
    }
    return base > _settings.rto_most ? _settings.rto_most : base;
}

/// What is out is sent again unless its ACK comes before a time-out from now.
inline void endpoint::await_ack(conn k) noexcept {
    const shard::instant after = rto(k);
    k.c.resend_at = _now + after;
    if (k.c.in_resends != 0) {
        return;  // and comes up before that
    }
    // A longer one is a peer's that is slow or gone: one entry of the wheel, where the queue would be looked at again
    // and again. Four least ones cover clients that delay their ACKs (RFC 1122 4.2.3.2).
    if (after <= 4 * _settings.rto_least) {
        k.c.in_resends = 1;
        _resends.push(k.c.slot, _now + _settings.rto_least);
    } else {
        rearm(k);
    }
}

/// RFC 5681 3.1.
inline void endpoint::open_congestion_window(conn k, std::uint32_t acked) noexcept {
    const std::uint32_t mss = k.h.mss;
    if (k.h.cwnd < k.c.ssthresh) {
        k.h.cwnd += std::min(acked, mss);
    } else {
        k.h.cwnd += std::max<std::uint32_t>(static_cast<std::uint32_t>(std::uint64_t{mss} * mss / k.h.cwnd), 1);
    }
    k.h.cwnd = std::min(k.h.cwnd, 1U << 30);
}

/// RFC 6928 2, RFC 5681 3.1: one segment after a lost SYN-ACK.
inline std::uint32_t endpoint::initial_window(conn k) const noexcept {
    const std::uint32_t mss = k.h.mss;
    return k.h.is(mark::syn_ack_again) ? mss : std::min(10 * mss, std::max(2 * mss, 14600U));
}

}  // namespace postern::tcp
