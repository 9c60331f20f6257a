// Time: the layer's deadlines, delayed ACKs, retransmission (RFC 6298 5), probes of a shut window (RFC 9293 3.8.6.1),
// the bounds on a connection's end; and path MTU, which like a time-out sends again (RFC 1191, RFC 8201, RFC 5927).
#include <algorithm>
#include <array>

#include "dataplane/shard/endpoint_text.h"
#include "dataplane/tcp/endpoint_steps.h"

namespace postern::tcp {

void endpoint::resends_due() noexcept {
    look_at_due(_resends);
    look_at_due(_resends_again);
}

/// Those whose entry comes up: nearly always the ACK came, and often another reply waits for its own by now. The wheel
/// minds that one's time only once it is near: it hardly ever comes, and to move a timer takes its neighbours' lines.
void endpoint::look_at_due(resend_queue& queue) noexcept {
    constexpr shard::instant near = std::chrono::milliseconds(250);
    // Connections are asked for side by side, as in turn.h: those of the next entries while these are looked at. Of
    // nearly all, one line says that there is nothing to do.
    constexpr std::size_t width = 8;
    const auto ask_from = [&](std::size_t distance) {
        for (std::size_t i = distance; i < distance + width; ++i) {
            const std::uint32_t later = queue.due_behind(i, _now);
            if (later == resend_queue::none) {
                return;
            }
            __builtin_prefetch(&_connections[later].c.resend_at, 1);
        }
    };
    ask_from(0);
    for (std::size_t taken = 0;; ++taken) {
        if (taken % width == 0) {
            ask_from(width);
        }
        const std::uint32_t slot = queue.pop(_now);
        if (slot == resend_queue::none) {
            return;
        }
        const conn k = at(slot);
        if (k.c.resend_at == shard::never) {
            k.c.in_resends = 0;
        } else if (const shard::instant left = k.c.resend_at - _now; left >= _settings.rto_least) {
            _resends.push(slot, _now + _settings.rto_least);
        } else if (left > near) {
            _resends_again.push(slot, _now + near);
        } else {
            k.c.in_resends = 0;
            if (resend_if_due(k)) {
                rearm(k);
            }
        }
    }
}

/// False: that ended the connection.
bool endpoint::resend_if_due(conn k) noexcept {
    if (k.c.resend_at > _now) {
        return true;
    }
    k.c.resend_at = shard::never;
    resend_timer(k);
    return k.h.now != state::free && !k.h.is(mark::broken);
}

bool endpoint::next_deadline(shard::connection& out) {
    resends_due();
    // A timer lies behind what it is looked at for.
    const auto ask_for = [](const shard::timer_wheel::timer& next) {
        const auto* const of = reinterpret_cast<const char*>(&static_cast<const cold_state&>(next));
        __builtin_prefetch(of - sizeof(hot_state), 1);
        __builtin_prefetch(&static_cast<const cold_state&>(next).resend_at, 1);
        __builtin_prefetch(&next, 1);
    };
    while (shard::timer_wheel::timer* const due = _wheel.expire(_now, ask_for)) {
        const conn k = at(static_cast<cold_state&>(*due).slot);
        if (!resend_if_due(k)) {
            continue;
        }
        if (k.c.ack_at <= _now) {
            k.c.ack_at = shard::never;
            k.h.set(mark::ack_now);
            mark_unsent(k);
        }
        if (k.c.deadline <= _now) {
            k.c.deadline = shard::never;
            if (!k.h.is(mark::open)) {
                end_expired(k);
                continue;
            }
            rearm(k);
            _counts.deadlines.add();
            out = k.id();
            return true;
        }
        rearm(k);
    }
    return false;
}

void endpoint::end_expired(conn k) noexcept {
    if (k.h.now == state::fin_wait_2) {
        _counts.linger_expired.add();
    } else {
        _counts.unsent_expired.add();
        send_reset(k);
    }
    release(k);
}

void endpoint::give_up(conn k, shard::counter& why) noexcept {
    why.add();
    break_off(k);
}

void endpoint::resend_timer(conn k) noexcept {
    if (k.h.now == state::syn_received) {
        if (k.c.backoff >= _settings.syn_ack_retransmissions) {
            _counts.half_open_expired.add();
            release(k);
            return;
        }
        ++k.c.backoff;
        k.h.set(mark::syn_ack_again);
        k.h.clear(mark::timing);
        _counts.timeouts.add();
        _counts.retransmits.add();
        k.c.resend_at = _now + std::min(_settings.rto_initial * (std::int64_t{1} << k.c.backoff), _settings.rto_most);
        send_syn_ack(k);
        return;
    }
    if (k.h.snd_una == k.h.snd_max && queued(k) == 0) {
        return;
    }
    if (k.c.unanswered >= _settings.retransmissions) {
        give_up(k, _counts.given_up);
        return;
    }
    if (k.c.backoff >= _settings.pressure_retransmissions && under_pressure()) {
        send_reset(k);
        give_up(k, _counts.evicted_unacknowledged);
        return;
    }
    ++k.c.unanswered;
    if (k.h.snd_una == k.h.snd_max || k.h.snd_window < std::min(room_of_segment(k), queued(k))) {
        k.h.snd_nxt = k.h.snd_una;
        probe(k);
    } else {
        _counts.timeouts.add();
        if (k.c.backoff == 0) {
            k.c.ssthresh = std::max(k.h.flight() / 2, 2U * k.h.mss);
        }
        k.h.cwnd = k.h.mss;
        k.c.recover = k.h.snd_max;
        k.h.clear(mark::recovering);
        k.h.clear(mark::dup_acks);
        k.h.clear(mark::timing);
        k.h.snd_nxt = k.h.snd_una;
        mark_unsent(k);
    }
    k.c.backoff = static_cast<std::uint8_t>(std::min(k.c.backoff + 1, 16));
    k.c.resend_at = _now + rto(k);
}

/// What the window lets through of the next octets, and one of them at least, or the FIN.
void endpoint::probe(conn k) noexcept {
    _counts.window_probes.add();
    const std::uint32_t octets = queued(k);
    if (octets == 0) {
        resend_first(k);
        return;
    }
    const std::uint32_t n = std::min({octets, room_of_segment(k), std::max(k.h.snd_window, 1U)});
    send_part(k, 0, n, flag::ack);
}

void endpoint::path_mtu(const path_report& r) noexcept {
    const std::uint32_t slot = find_slot(r.peer, r.local, hash_of(_keys.table, r.peer, r.local));
    if (slot == no_slot || _connections[slot].h.now == state::syn_received || _connections[slot].h.is(mark::broken) ||
        seq_lt(r.seq, _connections[slot].h.snd_una) || seq_ge(r.seq, _connections[slot].h.snd_max)) {
        _counts.icmp_rejected.add();
        return;
    }
    const conn k = at(slot);
    const bool v4 = is_ipv4(r.peer);
    std::uint16_t mtu = r.next_mtu;
    if (mtu == 0) {
        // RFC 1191 7.1: the plateau below what did not fit.
        constexpr std::array<std::uint16_t, 6> plateaus = {8166, 4352, 2002, 1492, 1006, 508};
        const std::uint16_t failed = r.quoted_size;
        const auto* const next =
            std::find_if(plateaus.begin(), plateaus.end(), [&](std::uint16_t p) { return p < failed; });
        mtu = next == plateaus.end() ? std::uint16_t{0} : *next;
    }
    mtu = std::max(mtu, v4 ? _settings.path_mtu_floor_ipv4 : _settings.path_mtu_floor_ipv6);
    const auto mss = static_cast<std::uint16_t>(mtu - (v4 ? 40 : 60));
    if (mss >= k.h.mss) {
        return;
    }
    _counts.path_mtu_lowered.add();
    k.h.mss = mss;
    k.h.clear(mark::timing);
    k.h.snd_nxt = k.h.snd_una;  // sent again at once: nothing was lost to congestion
    mark_unsent(k);
}

}  // namespace postern::tcp
