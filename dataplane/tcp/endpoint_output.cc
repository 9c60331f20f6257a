// What is sent: replies of a turn coalesced, within the peer's window and the congestion window; ACKs; resets.
#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/tcp/endpoint_steps.h"

namespace postern::tcp {
namespace {

constexpr std::size_t most_parts = 16;  ///< blocks a segment's payload may be spread over

}  // namespace

/// Octets from SND.UNA on that are there to be sent, sent or not.
std::uint32_t endpoint::queued(conn k) const noexcept {
    std::size_t n = 0;
    for (const block* b = k.c.output; b != nullptr; b = b->next) {
        n += b->size();
    }
    return static_cast<std::uint32_t>(n);
}

void endpoint::end_turn() {
    flush_unsent();
    if (!_starved.empty() && _pool.can_lend(shard::block_pool::large_room)) {
        for (const std::uint32_t slot : _starved) {
            _connections[slot].h.clear(mark::in_starved);
            if (wants_service(at(slot))) {
                queue_next(at(slot));
            }
        }
        _starved.clear();
    }
}

void endpoint::flush(conn k) noexcept {
    if (k.h.now == state::syn_received) {
        return;
    }
    if (!send_data(k)) {
        if (k.h.is(mark::ack_now) || k.h.unacked() >= 2) {
            send_ack(k);
        } else if (k.h.is(mark::unacked) && k.c.ack_at == shard::never) {
            k.c.ack_at = _now + _settings.ack_delay;
            rearm(k);
        }
    }
    shrink(k);
    if (wants_service(k)) {
        queue_next(k);
    }
}

/// Octets from SND.NXT on and FIN, as far as the windows go. True: something went out, and an ACK with it.
bool endpoint::send_data(conn k) noexcept {
    const std::uint32_t octets = queued(k);
    bool sent = false;
    if (k.h.snd_una == k.h.snd_max && octets != 0) {
        restart_if_idle(k);
    }
    const std::uint32_t room = room_of_segment(k);
    for (;;) {
        const std::uint32_t offset = k.h.flight();
        if (offset > octets || k.h.now == state::fin_wait_2) {
            break;  // FIN is out
        }
        const std::uint32_t left = octets - offset;
        const bool fin_due = k.h.is(mark::fin_wanted);
        // RFC 3042: the first two duplicate ACKs let a segment go each.
        const std::uint32_t limited = !k.h.is(mark::recovering) ? std::min(k.h.dup_acks(), 2U) * k.h.mss : 0;
        const std::uint32_t window = std::min(k.h.snd_window, k.h.cwnd + limited);
        const std::uint32_t n = std::min({left, room, window > offset ? window - offset : 0});
        const bool fin = fin_due && n == left;
        if (n == 0 && (left != 0 || !fin)) {
            break;
        }
        // RFC 9293 3.8.6.2.1 (1), (3): no small segments for want of window, unless that is all that there ever was.
        if (n < left && n < room && n < k.c.max_window / 2) {
            break;
        }
        std::uint8_t flags = flag::ack;
        flags |= n == left && n != 0 ? flag::psh : 0;
        flags |= fin ? flag::fin : 0;
        if (!send_part(k, offset, n, flags)) {
            mark_unsent(k);
            break;
        }
        sent = true;
        if (fin) {
            break;
        }
    }
    if (k.h.snd_una == k.h.snd_max && k.h.flight() < octets && k.c.resend_at == shard::never) {
        await_ack(k);  // the window is shut: RFC 9293 3.8.6.1
    }
    return sent;
}

/// One segment of `n` octets at `offset` from SND.UNA; moves SND.NXT over it. Fewer octets go if they lie in too many
/// blocks. False: there was no frame for it.
bool endpoint::send_part(conn k, std::uint32_t offset, std::uint32_t n, std::uint8_t flags) noexcept {
    std::array<std::span<const char>, most_parts> parts;
    std::size_t count = 0;
    std::uint32_t skip = offset;
    std::uint32_t gathered = 0;
    for (block* b = k.c.output; b != nullptr && gathered < n && count < most_parts; b = b->next) {
        std::span<const char> content = b->content();
        const std::size_t before = std::min<std::size_t>(skip, content.size());
        skip -= static_cast<std::uint32_t>(before);
        content = content.subspan(before);
        content = content.first(std::min<std::size_t>(content.size(), n - gathered));
        if (!content.empty()) {
            parts[count++] = content;
            gathered += static_cast<std::uint32_t>(content.size());
        }
    }
    if (gathered < n) {
        flags &= static_cast<std::uint8_t>(~(flag::fin | flag::psh));
    }
    const std::uint32_t seq = k.h.snd_una + offset;
    if (!emit(k, seq, flags, {parts.data(), count}, gathered)) {
        return false;
    }
    sent_part(k, seq, gathered, (flags & flag::fin) != 0);
    return true;
}

/// The first segment that is not acknowledged, again.
bool endpoint::resend_first(conn k) noexcept {
    const std::uint32_t octets = queued(k);
    const std::uint32_t sent = k.h.snd_max - k.h.snd_una;
    const std::uint32_t n = std::min({octets, sent, room_of_segment(k)});
    const bool fin = k.h.is(mark::fin_sent) && n == octets && sent > octets;
    if (n == 0 && !fin) {
        return true;
    }
    return send_part(
        k, 0, n,
        static_cast<std::uint8_t>(flag::ack | (n == octets && n != 0 ? flag::psh : 0) | (fin ? flag::fin : 0)));
}

bool endpoint::send_ack(conn k) noexcept {
    if (!emit(k, k.h.snd_nxt, flag::ack, {}, 0)) {
        k.h.set(mark::ack_now);
        mark_unsent(k);
        return false;
    }
    return true;
}

void endpoint::send_reset(conn k) noexcept {
    outgoing s;
    s.local = k.c.info.local;
    s.peer = k.c.info.peer;
    s.link = k.c.link;
    s.seq = k.h.snd_max;
    s.ack = k.h.rcv_nxt;
    s.flags = flag::rst | flag::ack;
    if (pass(s)) {
        _counts.resets_sent.add();
    }
}

bool endpoint::emit(conn k, std::uint32_t seq, std::uint8_t flags, std::span<const std::span<const char>> payload,
                    std::size_t size) noexcept {
    outgoing s;
    s.local = k.c.info.local;
    s.peer = k.c.info.peer;
    s.link = k.c.link;
    s.seq = seq;
    s.ack = k.h.rcv_nxt;
    s.flags = flags;
    s.payload = payload;
    s.payload_size = size;
    s.window = window_to_tell(k);
    if (k.h.is(mark::timestamps)) {
        s.options.has_timestamps = true;
        s.options.timestamp = milliseconds() + k.c.ts_offset;
        s.options.timestamp_echo = k.h.ts_recent;
    }
    if (k.h.is(mark::sack) && k.h.is(mark::early)) {
        const std::span<const seq_range> ranges = k.c.early->ranges();
        const std::size_t most = k.h.is(mark::timestamps) ? most_sack_blocks - 1 : most_sack_blocks;
        s.options.sack_blocks = static_cast<std::uint8_t>(std::min(most, ranges.size()));
        std::copy_n(ranges.begin(), s.options.sack_blocks, s.options.sack.begin());
    }
    if (!pass(s)) {
        return false;
    }
    told(k, s.window);
    if (k.c.ack_at != shard::never) {
        k.c.ack_at = shard::never;
        rearm(k);
    }
    return true;
}

/// Replies that now wait for their ACK move to slabs, and the block they were written in serves the next connection.
void endpoint::shrink(conn k) noexcept {
    block* const last = k.c.output_last;
    constexpr std::size_t slab = shard::block_pool::slab_room;
    if (last == nullptr || (last->size() != 0 && (last->room == slab || last->size() > slab))) {
        return;
    }
    block* before = k.c.output == last ? nullptr : k.c.output;
    while (before != nullptr && before->next != last) {
        before = before->next;
    }
    block* to = before;
    if (to == nullptr || to->tail().size() < last->size()) {
        to = last->size() == 0 ? before : _pool.borrow_slab();
        if (to == nullptr && last->size() != 0) {
            return;
        }
        if (to != nullptr && to != before) {
            (before == nullptr ? k.c.output : before->next) = to;
            k.c.output_room += to->room;
        }
    }
    if (to != nullptr && last->size() != 0) {
        std::memcpy(to->tail().data(), last->content().data(), last->size());
        to->end += static_cast<std::uint32_t>(last->size());
    }
    if (to == nullptr) {
        k.c.output = nullptr;
    } else {
        to->next = nullptr;
    }
    k.c.output_last = to;
    k.c.output_room -= last->room;
    _pool.give_back(last);
}

}  // namespace postern::tcp
