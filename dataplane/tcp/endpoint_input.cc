// Segments of synchronised connections, in the order of RFC 9293 3.10.7.4, with RFC 5961 and RFC 7323 5.3.
#include <algorithm>

#include "dataplane/tcp/endpoint_steps.h"

namespace postern::tcp {
namespace {

/// RFC 7323 5.5: a timestamp this old says nothing any more.
constexpr std::uint32_t timestamp_outdated = 24U * 24 * 3600 * 1000;

}  // namespace

bool endpoint::acceptable(conn k, const segment& s) const noexcept {
    if (s.length() == 0) {
        return seq_ge(s.seq, k.h.rcv_nxt) && seq_le(s.seq, k.h.rcv_edge);
    }
    return seq_lt(s.seq, k.h.rcv_edge) && seq_gt(s.seq + s.length(), k.h.rcv_nxt);
}

/// Our ACK tells the peer where we stand: always for octets sent again, else limited, lest two ends answer each other
/// forever, or a stranger who sends SYNs makes us (RFC 5961 4.2: wherever in the window or out of it they are).
void endpoint::not_acceptable(conn k, const segment& s) noexcept {
    if (s.has(flag::rst)) {
        return;
    }
    if (k.h.now == state::syn_received || s.length() == 0 || s.has(flag::syn)) {
        challenge(k);
    } else {
        k.h.set(mark::ack_now);
        mark_unsent(k);
    }
}

/// RFC 5961: an ACK, at most so many in a period. False: it was withheld.
bool endpoint::challenge(conn k) noexcept {
    const std::uint32_t now = milliseconds();
    if (k.c.challenges == 0 || std::chrono::milliseconds(now - k.c.challenged_at) >= _settings.challenge_period) {
        k.c.challenged_at = now;
        k.c.challenges = 0;
    }
    if (k.c.challenges >= _settings.challenge_acks) {
        _counts.challenge_acks_withheld.add();
        return false;
    }
    ++k.c.challenges;
    _counts.challenge_acks.add();
    send_ack(k);
    return true;
}

void endpoint::peer_reset(conn k) noexcept {
    _counts.peer_resets.add();
    break_off(k);
}

void endpoint::synchronised_arrived(conn k, const segment& s) {
    if (k.h.is(mark::broken)) {
        return;  // in the table no more
    }
    const segment_options& o = s.options;
    if (k.h.is(mark::timestamps) && !s.has(flag::rst)) {
        if (!o.has_timestamps) {
            _counts.no_timestamp.add();
            return;
        }
        if (seq_lt(o.timestamp, k.h.ts_recent) && milliseconds() - k.c.ts_recent_at < timestamp_outdated) {
            _counts.paws_rejected.add();
            not_acceptable(k, s);
            return;
        }
    }
    if (!acceptable(k, s)) {
        const bool probe = k.h.window_left() == 0 && s.seq == k.h.rcv_nxt && s.length() != 0;
        if (!probe) {
            _counts.out_of_window.add();
            not_acceptable(k, s);
            return;
        }
        k.h.set(mark::ack_now);  // the window is shut: the octets are dropped, the ACK counts
        mark_unsent(k);
    }
    if (s.has(flag::rst)) {
        if (s.seq == k.h.rcv_nxt) {
            peer_reset(k);
        } else {
            challenge(k);
        }
        return;
    }
    if (s.has(flag::syn)) {
        challenge(k);
        return;
    }
    if (!s.has(flag::ack)) {
        return;
    }
    k.c.link = s.link;
    if (k.h.is(mark::timestamps) && seq_le(s.seq, k.h.last_ack_sent)) {
        k.h.ts_recent = o.timestamp;
        k.c.ts_recent_at = milliseconds();
    }
    if (process_ack(k, s)) {
        text(k, s);
    }
}

/// Payload and FIN, cut to the window.
void endpoint::text(conn k, const segment& s) {
    std::span<const char> octets = s.payload;
    bool fin = s.has(flag::fin);
    std::uint32_t seq = s.seq;
    if (k.h.is(mark::peer_ended)) {
        return;  // there is nothing behind a FIN
    }
    if (seq_lt(seq, k.h.rcv_nxt)) {
        const std::uint32_t before = k.h.rcv_nxt - seq;
        octets = octets.subspan(std::min<std::size_t>(before, octets.size()));
        seq = k.h.rcv_nxt;
        k.h.set(mark::ack_now);
    }
    const std::uint32_t room = k.h.rcv_edge - seq;
    if (octets.size() > room) {
        octets = octets.first(room);
        fin = false;
        k.h.set(mark::ack_now);
    }
    if (octets.empty() && !fin) {
        if (k.h.is(mark::ack_now)) {
            mark_unsent(k);
        }
        return;
    }
    if (seq == k.h.rcv_nxt) {
        in_order(k, octets, fin, s.has(flag::psh));
    } else {
        out_of_order(k, seq, octets, fin);
    }
}

void endpoint::in_order(conn k, std::span<const char> octets, bool fin, bool push) {
    mark_unsent(k);
    if (!octets.empty()) {
        k.h.count_unacked();
        if (push) {
            k.h.set(mark::ack_now);
        }
        if (!k.h.is(mark::open)) {
            k.h.rcv_nxt += static_cast<std::uint32_t>(octets.size());
            discard(k, octets.size());
            if (k.h.now == state::free) {
                return;
            }
        } else if (k.h.input == nullptr && k.h.is(mark::wants) && !k.h.is(mark::fresh) && !k.h.is(mark::in_batch) &&
                   !fin && !k.h.is(mark::early) && !output_stalled(k)) {
            // Straight from the frame.
            k.h.rcv_nxt += static_cast<std::uint32_t>(octets.size());
            k.h.clear(mark::offer_again);
            _counts.octets_received.add(octets.size());
            _offered = octets;
            _direct_slot = k.c.slot;
            return;
        } else {
            const std::uint32_t kept = keep(k, octets);
            k.h.rcv_nxt += kept;
            if (kept < octets.size()) {
                _counts.no_buffer.add();
                k.h.set(mark::ack_now);
                fin = false;
            }
            _counts.octets_received.add(kept);
        }
    }
    if (fin) {
        peer_fin(k);
    } else if (k.h.is(mark::early)) {
        take_early(k);
    }
    if (k.h.now != state::free && k.h.is(mark::open) && !k.h.is(mark::fresh)) {
        k.h.clear(mark::offered_now);
        queue_now(k);
    }
}

/// Octets for a session that is over: taken, so that the peer's FIN can come, up to a bound.
void endpoint::discard(conn k, std::size_t n) noexcept {
    k.c.waits_for += static_cast<std::uint32_t>(n);
    if (k.c.waits_for > _settings.linger_octets) {
        _counts.linger_expired.add();
        send_reset(k);
        release(k);
    }
}

void endpoint::out_of_order(conn k, std::uint32_t seq, std::span<const char> octets, bool fin) noexcept {
    _counts.out_of_order.add();
    if (k.h.is(mark::open)) {
        if (k.c.early == nullptr) {
            k.c.early = reassembly::make(_pool, k.h.rcv_nxt);
            if (k.c.early != nullptr) {
                k.h.set(mark::early);
                k.c.early->slot = k.c.slot;
                k.c.early->older = _early_newest;
                (_early_newest == nullptr ? _early_oldest : _early_newest->newer) = k.c.early;
                _early_newest = k.c.early;
                _early_held += k.c.early->held();
            }
        }
        bool stored = false;
        if (k.c.early != nullptr) {
            _early_held -= k.c.early->held();
            stored = octets.empty() || k.c.early->store(_pool, k.h.rcv_nxt, seq, octets);
            if (stored && fin) {
                k.c.early->set_fin(seq + static_cast<std::uint32_t>(octets.size()));
            }
            _early_held += k.c.early->held();
            if (k.c.early->empty()) {
                drop_early(k);
            }
        }
        if (!stored) {
            _counts.out_of_order_dropped.add();
        }
        while (_early_held > _settings.out_of_order) {
            _counts.evicted_out_of_order.add();
            drop_early(at(_early_oldest->slot));
        }
    }
    // At once and one for each, or the peer does not count three: RFC 5681 4.2.
    send_ack(k);
}

/// The hole in front of early octets was filled.
void endpoint::take_early(conn k) noexcept {
    k.h.set(mark::ack_now);
    reassembly& early = *k.c.early;
    for (;;) {
        const std::span<const char> octets = early.at(k.h.rcv_nxt);
        if (octets.empty()) {
            break;
        }
        const std::uint32_t kept = keep(k, octets);
        k.h.rcv_nxt += kept;
        _counts.octets_received.add(kept);
        if (kept < octets.size()) {
            _counts.no_buffer.add();
            break;
        }
    }
    _early_held -= early.held();
    early.forget_before(_pool, k.h.rcv_nxt);
    _early_held += early.held();
    const bool fin = early.fin_at(k.h.rcv_nxt);
    if (fin || early.empty()) {
        drop_early(k);
    }
    if (fin) {
        peer_fin(k);
    }
}

void endpoint::drop_early(conn k) noexcept {
    reassembly* const e = k.c.early;
    if (e == nullptr) {
        return;
    }
    _early_held -= e->held();
    (e->older == nullptr ? _early_oldest : e->older->newer) = e->newer;
    (e->newer == nullptr ? _early_newest : e->newer->older) = e->older;
    e->release(_pool);
    k.c.early = nullptr;
    k.h.clear(mark::early);
}

/// The peer's FIN, all its octets before it taken. RFC 9293 3.10.7.4, eighth.
void endpoint::peer_fin(conn k) noexcept {
    k.h.rcv_nxt += 1;
    k.h.set(mark::peer_ended);
    k.h.set(mark::ack_now);
    mark_unsent(k);
    drop_early(k);
    switch (k.h.now) {
        case state::established:
            k.h.now = state::close_wait;
            break;
        case state::fin_wait_1:
            k.h.now = state::closing;
            break;
        case state::fin_wait_2:
            enter_time_wait(k);
            break;
        case state::free:
        case state::syn_received:
        case state::close_wait:
        case state::closing:
        case state::last_ack:
            break;
    }
}

void endpoint::enter_time_wait(conn k) noexcept {
    if (k.h.is(mark::ack_now | mark::unacked)) {
        send_ack(k);
    }
    time_wait_table::entry e;
    e.hash = hash_of(_keys.table, k.c.info.peer, k.c.info.local);
    e.snd_nxt = k.h.snd_max;
    e.rcv_nxt = k.h.rcv_nxt;
    e.ts_recent = k.h.ts_recent;
    e.has_timestamps = k.h.is(mark::timestamps) ? 1 : 0;
    _counts.time_wait.add();
    if (_time_wait.add(e, _now)) {
        _counts.time_wait_recycled.add();
    }
    release(k);
}

}  // namespace postern::tcp
