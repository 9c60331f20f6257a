// What ACKs do: RFC 9293 3.10.7.4 fifth, RFC 5961 5, RFC 5681 and 6582 (NewReno), RFC 6298, RFC 7323 4.
#include <algorithm>

#include "dataplane/tcp/endpoint_steps.h"

namespace postern::tcp {
namespace {

constexpr unsigned duplicates_for_resend = 3;  // RFC 5681 3.2

}  // namespace

/// RFC 9293 3.10.7.4, window update.
void endpoint::update_window(conn k, const segment& s) noexcept {
    if (!seq_lt(k.h.snd_wl1, s.seq) && !(k.h.snd_wl1 == s.seq && seq_le(k.h.snd_wl2, s.ack))) {
        return;
    }
    const std::uint32_t before = k.h.snd_window;
    k.h.snd_window = std::uint32_t{s.window} << k.h.snd_scale;
    k.h.snd_wl1 = s.seq;
    k.h.snd_wl2 = s.ack;
    k.c.max_window = std::max(k.c.max_window, k.h.snd_window);
    if (k.h.snd_window > before) {
        if (before == 0 && k.h.snd_una != k.h.snd_max) {
            k.h.snd_nxt = k.h.snd_una;  // what probed the shut window was not taken
            k.c.backoff = 0;
        }
        if (before == 0 && k.h.snd_una == k.h.snd_max) {
            k.c.resend_at = shard::never;
            k.c.backoff = 0;
            rearm(k);
        }
        mark_unsent(k);
    }
}

bool endpoint::process_ack(conn k, const segment& s) noexcept {
    if (seq_gt(s.ack, k.h.snd_max) || seq_lt(s.ack, k.h.snd_una - std::max(k.c.max_window, 1U))) {
        _counts.bad_ack.add();
        challenge(k);
        return false;
    }
    k.c.unanswered = 0;
    const std::uint32_t window = std::uint32_t{s.window} << k.h.snd_scale;
    const bool duplicate = s.ack == k.h.snd_una && k.h.snd_una != k.h.snd_max && s.length() == 0 &&
                           window == k.h.snd_window && window != 0;
    if (seq_ge(s.ack, k.h.snd_una)) {
        const bool ahead = s.ack != k.h.snd_una;
        if (ahead && !advance(k, s)) {
            return false;
        }
        update_window(k, s);
    }
    if (duplicate) {
        duplicate_ack(k);
    }
    return true;
}

/// New octets are acknowledged. False: that ended the connection.
bool endpoint::advance(conn k, const segment& s) noexcept {
    const std::uint32_t acked = s.ack - k.h.snd_una;
    // Octets first; a FIN is the one number behind them.
    std::uint32_t octets = acked;
    while (octets != 0 && k.c.output != nullptr) {
        block* const first = k.c.output;
        const std::uint32_t n = std::min(octets, static_cast<std::uint32_t>(first->size()));
        first->begin += n;
        octets -= n;
        if (first->size() != 0 || (first == k.c.output_last && k.h.is(mark::in_unsent))) {
            break;  // the last one may be reserved in this turn
        }
        k.c.output = first->next;
        k.c.output_room -= first->room;
        if (first == k.c.output_last) {
            k.c.output_last = nullptr;
        }
        _pool.give_back(first);
    }
    const bool fin = k.h.is(mark::fin_sent) && s.ack == k.h.snd_max && queued(k) == 0;

    measure_by(k, s);
    k.c.backoff = 0;
    k.h.snd_una = s.ack;
    k.h.snd_nxt = seq_max(k.h.snd_nxt, s.ack);

    const std::uint32_t mss = k.h.mss;
    if (k.h.is(mark::recovering)) {
        if (seq_ge(s.ack, k.c.recover)) {
            k.h.cwnd = std::min(k.c.ssthresh, std::max(k.h.flight(), mss) + mss);
            k.h.clear(mark::recovering);
            k.h.clear(mark::dup_acks);
        } else {
            // A partial ACK: the next hole. RFC 6582 3.2.
            resend_first(k);
            k.h.cwnd -= std::min(acked, k.h.cwnd);
            k.h.cwnd = std::max(k.h.cwnd + (acked >= mss ? mss : 0), mss);
        }
    } else {
        k.h.clear(mark::dup_acks);
        k.c.recover = seq_max(k.c.recover, s.ack - 1);  // or it would be ahead again after 2 GiB
        open_congestion_window(k, acked);
    }
    if (k.h.snd_una == k.h.snd_max) {
        k.c.resend_at = shard::never;
        rearm(k);
    } else {
        await_ack(k);
    }
    if (k.h.flight() < queued(k) || k.h.is(mark::fin_wanted)) {
        mark_unsent(k);
    }
    if (wants_service(k)) {
        queue_now(k);
    }
    return !fin || fin_acknowledged(k);
}

/// False: the connection has ended.
bool endpoint::fin_acknowledged(conn k) noexcept {
    switch (k.h.now) {
        case state::fin_wait_1:
            k.h.now = state::fin_wait_2;
            k.c.deadline = _now + _settings.linger_time;
            rearm(k);
            return true;
        case state::closing:
            enter_time_wait(k);
            return false;
        case state::last_ack:
            release(k);
            return false;
        case state::free:
        case state::syn_received:
        case state::established:
        case state::fin_wait_2:
        case state::close_wait:
            break;
    }
    return true;
}

/// RFC 5681 3.2, RFC 6582 3.2.
void endpoint::duplicate_ack(conn k) noexcept {
    const std::uint32_t mss = k.h.mss;
    if (k.h.is(mark::recovering)) {
        k.h.cwnd += mss;
        mark_unsent(k);
        return;
    }
    k.h.set_dup_acks(std::min(k.h.dup_acks() + 1, 15U));
    if (k.h.dup_acks() < duplicates_for_resend) {
        mark_unsent(k);  // RFC 3042
        return;
    }
    if (k.h.dup_acks() > duplicates_for_resend || seq_le(k.h.snd_una, k.c.recover)) {
        k.h.set_dup_acks(duplicates_for_resend + 1);  // of the window that a time-out has dealt with
        return;
    }
    _counts.fast_retransmits.add();
    k.c.ssthresh = std::max(k.h.flight() / 2, 2 * mss);
    k.c.recover = k.h.snd_max;
    k.h.set(mark::recovering);
    resend_first(k);
    k.h.cwnd = k.c.ssthresh + duplicates_for_resend * mss;
    await_ack(k);
    mark_unsent(k);
}

}  // namespace postern::tcp
