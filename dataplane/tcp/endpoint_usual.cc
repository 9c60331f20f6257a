// The short ways through a connection: the segment that nearly all are, and the reply that nearly all get.
//
// One command comes in order on an established connection with an ACK of all that was sent before, or that ACK alone;
// one short reply goes out. Every condition is looked at before anything is changed; if one does not hold, the long way
// does the same from the start (endpoint_input.cc, endpoint_ack.cc, endpoint_output.cc), so nothing here decides
// anything on its own. Van Jacobson called it header prediction.
#include <algorithm>
#include <cstring>

#include "dataplane/tcp/endpoint_steps.h"

namespace postern::tcp {
namespace {

constexpr std::uint32_t usual_in = mark::open | mark::wants;
constexpr std::uint32_t unusual_in = mark::fresh | mark::broken | mark::in_batch | mark::in_unsent | mark::recovering |
                                     mark::fin_wanted | mark::dup_acks | mark::early;
constexpr std::uint32_t unusual_out =
    mark::fin_wanted | mark::recovering | mark::dup_acks | mark::offer_again | mark::peer_ended | mark::early;

}  // namespace

/// With the short way in it: nearly every segment is done here, without another call.
[[gnu::flatten]] void endpoint::input(const segment& s, std::uint64_t key, std::uint32_t probably) {
    _counts.segments_in.add();
    if (probably == no_slot || !is_of(probably, s) || !usual_segment(at(probably), s)) {
        input_by_table(s, key, probably);
    }
}

bool endpoint::usual_segment(conn k, const segment& s) noexcept {
    hot_state& h = k.h;
    cold_state& c = k.c;
    const auto octets = static_cast<std::uint32_t>(s.payload.size());
    const std::uint32_t window = std::uint32_t{s.window} << h.snd_scale;
    const bool plain = h.now == state::established && (s.flags & ~unsigned{flag::psh}) == flag::ack &&
                       s.seq == h.rcv_nxt && octets <= h.window_left() && h.input == nullptr &&
                       (h.marks & (usual_in | unusual_in)) == usual_in;
    if (!plain) {
        return false;
    }
    const bool answers = s.ack == h.snd_max && h.snd_nxt == h.snd_max && window != 0 && h.snd_window != 0;
    const bool timely =
        !h.is(mark::timestamps) || (s.options.has_timestamps && seq_ge(s.options.timestamp, h.ts_recent));
    if (!answers || !timely) {
        return false;
    }
    const std::uint32_t acked = s.ack - h.snd_una;
    block* const reply = c.output;
    const bool whole = reply == nullptr ? acked == 0 : acked != 0 && reply->next == nullptr && reply->size() == acked;
    const bool tells = octets != 0 || (acked != 0 && c.waits_for == 0);
    if (!whole || !tells) {
        return false;
    }
    c.link = s.link;
    if (h.is(mark::timestamps)) {
        h.ts_recent = s.options.timestamp;
        c.ts_recent_at = milliseconds();
    }
    c.unanswered = 0;
    if (reply != nullptr) {
        if (octets != 0 && reply->room == shard::block_pool::slab_room) {
            reply->begin = reply->end = 0;  // for the next reply; `shrink` takes it if none comes
        } else {
            c.output = c.output_last = nullptr;
            c.output_room = 0;
            _pool.give_back(reply);
        }
        measure_by(k, s);
        c.backoff = 0;
        h.snd_una = s.ack;
        c.recover = seq_max(c.recover, s.ack - 1);
        open_congestion_window(k, acked);
        // The timer stays where it is: it finds nothing to do, or the next reply's time, when it comes up.
        c.resend_at = shard::never;
    }
    h.snd_window = window;
    h.snd_wl1 = s.seq;
    h.snd_wl2 = s.ack;
    c.max_window = std::max(c.max_window, window);
    if (octets == 0) {
        return true;
    }

    _unsent.push(c.slot);  // where it is not yet
    h.count_unacked();
    h.set(s.has(flag::psh) ? mark::in_unsent | mark::ack_now : mark::in_unsent);
    h.clear(mark::offer_again);
    h.rcv_nxt += octets;
    _counts.octets_received.add(octets);
    _offered = s.payload;
    _direct_slot = k.c.slot;
    return true;
}

/// All that the frame had was taken, and nothing else is to be done for the connection.
bool endpoint::usual_consumed(shard::connection id) noexcept {
    std::uint32_t slot = 0;
    if (!find(id, slot)) {
        return false;
    }
    const conn k = at(slot);
    constexpr std::uint32_t unusual = mark::broken | mark::peer_ended;
    if ((k.h.marks & (mark::in_unsent | unusual)) != mark::in_unsent || k.h.input != nullptr || k.c.waits_for != 0) {
        return false;
    }
    _offered = {};
    if (window_edge(k) - k.h.rcv_edge >= std::min(_settings.receive_window / 2, 2U * k.h.mss)) {
        k.h.set(mark::ack_now);  // RFC 9293 3.8.6.2.2
    }
    return true;
}

bool endpoint::usual_reply(conn k) noexcept {
    hot_state& h = k.h;
    cold_state& c = k.c;
    block* const reply = c.output;
    if (reply == nullptr || reply->next != nullptr || h.now != state::established || h.is(unusual_out) ||
        h.snd_una != h.snd_max || h.snd_nxt != h.snd_max || c.waits_for != 0 || h.input != nullptr) {
        return false;
    }
    const auto octets = static_cast<std::uint32_t>(reply->size());
    if (octets == 0) {
        return false;
    }
    restart_if_idle(k);
    if (octets > std::min({room_of_segment(k), h.snd_window, h.cwnd})) {
        return false;
    }
    const std::uint16_t window = window_to_tell(k);
    const plain_reply out{.local = c.info.local,
                          .peer = c.info.peer,
                          .seq = h.snd_nxt,
                          .ack = h.rcv_nxt,
                          .window = window,
                          .has_timestamps = h.is(mark::timestamps),
                          .timestamp = milliseconds() + c.ts_offset,
                          .timestamp_echo = h.ts_recent,
                          .payload = reply->content(),
                          .link = c.link};
    if (!_sink.send_reply(out)) {
        _counts.no_frame.add();
        mark_unsent(k);
        return true;
    }
    _counts.segments_out.add();
    told(k, window);
    c.ack_at = shard::never;
    if (h.is(mark::timestamps)) {
        // As `sent_part` has it for octets that go out for the first time.
        _counts.octets_sent.add(octets);
        h.snd_max += octets;
        h.snd_nxt = h.snd_max;
        c.last_sent_at = milliseconds() | 1U;
        await_ack(k);
    } else {
        sent_part(k, h.snd_max, octets, false);
    }
    if (reply->room != shard::block_pool::slab_room) {
        usual_shrink(k);
    }
    return true;
}

/// With the short way in it, likewise.
[[gnu::flatten]] void endpoint::flush_unsent() noexcept {
    _flushed.swap(_unsent);  // a flush may put its connection in again, for the next turn
    for (const std::uint32_t slot : _flushed) {
        const conn k = at(slot);
        k.h.clear(mark::in_unsent);
        if (k.h.now != state::free && !k.h.is(mark::broken) && !usual_reply(k)) {
            flush(k);
        }
    }
    _flushed.clear();
}

/// The one block of replies becomes a slab, if it is none and the replies fit.
void endpoint::usual_shrink(conn k) noexcept {
    block* const reply = k.c.output;
    constexpr std::size_t slab = shard::block_pool::slab_room;
    if (reply->size() > slab) {
        return;
    }
    block* const to = _pool.borrow_slab();
    if (to == nullptr) {
        return;
    }
    const std::span<const char> content = reply->content();
    std::memcpy(to->data(), content.data(), content.size());
    to->end = static_cast<std::uint32_t>(content.size());
    k.c.output = k.c.output_last = to;
    k.c.output_room = to->room;
    _pool.give_back(reply);
}

}  // namespace postern::tcp
