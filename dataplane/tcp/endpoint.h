// The TCP endpoint of one shard, sans-IO: segments and time in, segments and the seam's callbacks out. Passive open
// only.
//
// RFC 9293 with 1122 4.2, 6528, 5961, 4987, 7323, 6298, 5681, 6582, 3042, 6928, 2018 (as receiver), 1337, 6191, 1191
// and 8201. Not: ECN, Fast Open, urgent data (its octets are ordinary ones), MD5 and AO, Nagle, keep-alive (the
// sessions' deadlines do that).
//
// A turn, as `run_turn` (turn.h) makes it: begin_turn; for a burst prepare and prefetch, then for each input and the
// callbacks that `next` names; input_done and the callbacks that are left; next_deadline until there is none;
// end_turn, which sends what the turn brought, coalesced. A payload is offered as it lies in its frame; only what the
// layer leaves is copied. Every cap and what gives way under it stands in settings.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/shard/block_pool.h"
#include "dataplane/shard/callbacks.h"
#include "dataplane/shard/connection_limits.h"
#include "dataplane/shard/seam.h"
#include "dataplane/shard/timer_wheel.h"
#include "dataplane/tcp/connection.h"
#include "dataplane/tcp/connection_table.h"
#include "dataplane/tcp/cookie.h"
#include "dataplane/tcp/counters.h"
#include "dataplane/tcp/resend_queue.h"
#include "dataplane/tcp/reset_limiter.h"
#include "dataplane/tcp/segment.h"
#include "dataplane/tcp/settings.h"
#include "dataplane/tcp/slot_array.h"
#include "dataplane/tcp/slot_list.h"
#include "dataplane/tcp/time_wait.h"

namespace postern::tcp {

/// What an ICMP error quotes of a segment of ours. RFC 1191, RFC 8201, RFC 5927.
struct path_report {
    shard::endpoint peer;
    shard::endpoint local;
    std::uint32_t seq = 0;
    std::uint16_t next_mtu = 0;     ///< 0: an old router that does not say
    std::uint16_t quoted_size = 0;  ///< total length of the quoted packet, for those
};

class endpoint {
public:
    static constexpr std::size_t max_reserve = shard::block_pool::large_room;
    /// The most octets one `readable` offers.
    static constexpr std::size_t most_offered = shard::block_pool::large_room;

    /// An address to listen on; all zero octets: any (`0.0.0.0` in its mapped form: any of IPv4).
    struct listener {
        shard::endpoint at;
        std::uint16_t index = 0;
    };

    /// `limits` and `sink` outlive the endpoint.
    endpoint(std::span<const listener> listeners, shard::connection_limits& limits, segment_sink& sink,
             const settings& s, const secrets& keys, shard::instant now);
    ~endpoint();
    endpoint(const endpoint&) = delete;
    endpoint& operator=(const endpoint&) = delete;

    // The seam, for the session layer. Calls for a connection that is gone do nothing and are counted.

    std::span<char> reserve(shard::connection c, std::size_t n) noexcept {
        std::uint32_t slot = 0;
        if (!find_counted(c, slot) || n > max_reserve || _connections[slot].h.is(mark::broken)) {
            return {};
        }
        const conn k = at(slot);
        k.c.waits_for = 0;
        return k.c.output_last != nullptr && k.c.output_last->tail().size() >= n ? k.c.output_last->tail()
                                                                                 : reserve_block(k, n);
    }
    void commit(shard::connection c, std::size_t n) noexcept {
        std::uint32_t slot = 0;
        if (!find_counted(c, slot)) {
            return;
        }
        const conn k = at(slot);
        if (block* const last = k.c.output_last; last != nullptr) {
            last->end += static_cast<std::uint32_t>(std::min(n, last->tail().size()));
            mark_unsent(k);
        }
    }
    void want_read(shard::connection c, bool yes) noexcept;
    void set_deadline(shard::connection c, shard::instant when) noexcept;
    void finish(shard::connection c) noexcept;
    void abort(shard::connection c) noexcept;
    const shard::connection_info& info(shard::connection c) const noexcept;
    shard::instant now() const noexcept { return _now; }
    shard::slot_rooms rooms() noexcept { return {_connections.rooms(), _connections.apart, connection_slot::room}; }

    // The loop's side.

    using callback = shard::callback;
    using step = shard::step;

    void begin_turn(shard::instant now) noexcept;
    /// The keys of `input`, one for each segment of a burst; `keys` has room for them.
    void prepare(std::span<const segment> burst, std::uint64_t* keys) const noexcept;
    /// First stage of a lookup: prefetches the table's line.
    [[gnu::always_inline]] void prefetch_entry(std::uint64_t key) const noexcept { _table.prefetch(key); }
    /// Second stage: prefetches the connection.
    /// The slot that is probably meant, or `connection_table::none`.
    std::uint32_t prefetch(std::uint64_t key) const noexcept {
        const std::uint32_t slot = _table.first(key);
        if (slot != no_slot) {
            const auto* const at = reinterpret_cast<const char*>(&_connections[slot]);
            for (std::size_t line = 0; line < connection_slot::usual_octets; line += 64) {
                __builtin_prefetch(at + line, 1);
            }
        }
        return slot;
    }
    /// Third stage: what the connection refers to. Inline: to GCC a call of a function that only prefetches does
    /// nothing.
    [[gnu::always_inline]] void prefetch_behind(std::uint32_t slot) const noexcept {
        __builtin_prefetch(_connections[slot].c.output, 1);  // the last reply, which an ACK is to come for
    }
    /// One segment; `probably` is what `prefetch` said. `next` must be asked until `none` before the next one.
    void input(const segment& s, std::uint64_t key, std::uint32_t probably);
    void input(const segment& s);
    void path_mtu(const path_report& r) noexcept;
    /// All segments of the turn were put in: connections that opened with them may be greeted.
    void input_done();
    /// The connection whose octets lie in the segment that was just put in, if they are to be offered: the first of
    /// what `next` names, for who looks at it first. `offered` and `consumed` as with the step `readable`.
    bool next_direct(shard::connection& out) noexcept {
        if (_direct_slot == no_slot) {
            return false;
        }
        out = at(std::exchange(_direct_slot, no_slot)).id();
        return true;
    }
    /// Whether `next` names more than that.
    bool batched() const noexcept { return !_batch.empty(); }
    step next() {
        if (shard::connection c; next_direct(c)) {
            return {callback::readable, c};
        }
        return _batch.empty() ? step{} : next_of_batch();
    }
    shard::admission admission_of(shard::connection c) const noexcept;
    /// What the step `readable` offers, and then what the layer said it consumed of it.
    std::span<const char> offered() const noexcept { return _offered; }
    void consumed(shard::connection c, std::size_t n) noexcept {
        if (_offered_block != nullptr || n < _offered.size() || !usual_consumed(c)) {
            consumed_part(c, n);
        }
    }
    /// The next connection whose deadline has come. False: none.
    bool next_deadline(shard::connection& out);
    void end_turn();

    /// Nothing is to be done before a segment, `next_timer` or another thread says so.
    bool may_sleep() const noexcept { return _ready.empty() && _unsent.empty() && _fresh.empty(); }
    shard::instant next_timer() const noexcept {
        return std::min({_wheel.next(), _resends.next(_now), _resends_again.next(_now)});
    }

    const counters& counts() const noexcept { return _counts; }
    /// Who accepts connections to this address and port; null: nobody.
    const listener* listener_for(const shard::endpoint& local) const noexcept;
    /// Connections of any state but TIME-WAIT.
    std::size_t connections() const noexcept { return _used; }
    std::size_t half_open() const noexcept { return _half_open; }
    std::size_t in_time_wait() const noexcept { return _time_wait.size(); }
    /// Octets of blocks lent, and of them for what came out of order.
    std::size_t buffered() const noexcept { return _pool.lent(); }
    std::size_t held_out_of_order() const noexcept { return _early_held; }
    /// Connections in the wheel; those that only wait for an ACK are in no wheel.
    std::size_t timers() const noexcept { return _wheel.size(); }
    /// False: a list, a count or a sequence variable contradicts another. For tests; goes over everything.
    bool consistent() const noexcept;

private:
    using block = shard::block_pool::block;
    /// One connection during one call: two words, so that it stays in registers.
    struct conn {
        hot_state& h;
        cold_state& c;
        shard::connection id() const noexcept { return {c.slot, h.serial}; }
    };
    static constexpr std::uint32_t no_slot = connection_table::none;

    // endpoint.cc: the long way in; slots and their end.
    conn at(std::uint32_t slot) noexcept { return {_connections[slot].h, _connections[slot].c}; }
    void input_by_table(const segment& s, std::uint64_t key, std::uint32_t probably);
    bool take_slot(std::uint32_t& slot) noexcept;
    void release(conn k) noexcept;
    void break_off(conn k) noexcept;
    void leave_table(conn k) noexcept;
    void give_back_input(conn k) noexcept;
    void give_back_output(conn k) noexcept;
    bool is_of(std::uint32_t slot, const segment& s) const noexcept {
        const shard::connection_info& i = _connections[slot].c.info;
        return i.peer == s.peer && i.local == s.local;
    }
    std::uint32_t find_slot(const shard::endpoint& peer, const shard::endpoint& local,
                            std::uint64_t key) const noexcept;
    std::uint32_t milliseconds() const noexcept { return _milliseconds; }
    /// An entry in one of the queues comes up no later than `resend_at`, so the wheel need not know of that.
    void rearm(conn k) noexcept {
        const shard::instant resend = k.c.in_resends != 0 ? shard::never : k.c.resend_at;
        _wheel.set(k.c, std::min(std::min(k.c.deadline, k.c.ack_at), resend));
    }
    bool under_pressure() const noexcept { return _pool.lent() >= _settings.buffers - _settings.buffers / 8; }

    // endpoint_seam.cc: what the layer calls.
    /// The layer may speak of it.
    bool find(shard::connection c, std::uint32_t& slot) const noexcept {
        slot = c.slot;
        return c.slot < _slots && _connections[c.slot].h.serial == c.serial && _connections[c.slot].h.is(mark::open) &&
               _connections[c.slot].h.now != state::free;
    }
    bool find_counted(shard::connection c, std::uint32_t& slot) noexcept {
        if (find(c, slot)) {
            return true;
        }
        _counts.stale_calls.add();
        return false;
    }
    std::span<char> reserve_block(conn k, std::size_t n) noexcept;
    bool has_room(conn k, std::size_t n) const noexcept;
    void wait_for_room(conn k) noexcept;

    // endpoint_listen.cc: segments that belong to no synchronised connection.
    void no_connection(const segment& s, std::uint64_t key);
    bool in_time_wait_arrived(const segment& s, time_wait_table::entry& e, std::uint64_t key);
    void syn_arrived(const segment& s, std::uint64_t key, const std::uint32_t* least_isn);
    void answer_with_cookie(const segment& s) noexcept;
    bool cookie_arrived(const segment& s, std::uint64_t key);
    conn begin(std::uint32_t slot, const segment& s, const segment_options& options, const listener& on,
               const identity& who, std::uint32_t isn, std::uint64_t key) noexcept;
    void half_open_arrived(conn k, const segment& s, std::uint64_t key);
    void establish(conn k, const segment& s);
    void send_syn_ack(conn k) noexcept;
    void refuse(const segment& s) noexcept;
    std::uint16_t own_mss(const shard::endpoint& peer) const noexcept;
    std::uint16_t mss_towards(const shard::endpoint& peer, std::uint16_t option) const noexcept;
    std::uint8_t own_scale() const noexcept;

    // What is inline is in endpoint_steps.h.

    // endpoint_usual.cc: the short ways. False: nothing was done, and the long way decides.
    bool usual_segment(conn k, const segment& s) noexcept;
    bool usual_reply(conn k) noexcept;
    void flush_unsent() noexcept;
    bool usual_consumed(shard::connection c) noexcept;
    void usual_shrink(conn k) noexcept;

    // endpoint_input.cc: segments of synchronised connections.
    void synchronised_arrived(conn k, const segment& s);
    bool acceptable(conn k, const segment& s) const noexcept;
    void not_acceptable(conn k, const segment& s) noexcept;
    bool challenge(conn k) noexcept;
    void peer_reset(conn k) noexcept;
    void text(conn k, const segment& s);
    void in_order(conn k, std::span<const char> octets, bool fin, bool push);
    void out_of_order(conn k, std::uint32_t seq, std::span<const char> octets, bool fin) noexcept;
    void take_early(conn k) noexcept;
    void drop_early(conn k) noexcept;
    void peer_fin(conn k) noexcept;
    void enter_time_wait(conn k) noexcept;
    void discard(conn k, std::size_t n) noexcept;

    // endpoint_ack.cc: what ACKs do. False: the segment, or the connection, is done with.
    bool process_ack(conn k, const segment& s) noexcept;
    bool advance(conn k, const segment& s) noexcept;
    inline void measure_by(conn k, const segment& s) noexcept;
    inline void open_congestion_window(conn k, std::uint32_t acked) noexcept;
    bool fin_acknowledged(conn k) noexcept;
    void duplicate_ack(conn k) noexcept;
    void update_window(conn k, const segment& s) noexcept;
    inline void measure(conn k, std::uint32_t microseconds) noexcept;
    inline std::uint32_t initial_window(conn k) const noexcept;

    // endpoint_read.cc: what is held and offered.
    inline std::uint32_t held(conn k) const noexcept;
    std::uint32_t keep(conn k, std::span<const char> octets) noexcept;
    void gather(conn k) noexcept;
    void drop_input(conn k, std::size_t n) noexcept;
    bool output_stalled(conn k) const noexcept { return k.c.output_room > _settings.output_limit / 2; }
    bool wants_service(conn k) const noexcept;
    bool must_offer(conn k) const noexcept;
    step next_of_batch();
    step serve(conn k) noexcept;
    void consumed_part(shard::connection c, std::size_t n) noexcept;
    void queue_now(conn k) {
        if (!k.h.is(mark::in_batch)) {
            k.h.set(mark::in_batch);
            _batch.push_back(k.c.slot);
        }
    }
    void queue_next(conn k) {
        if (!k.h.is(mark::in_ready)) {
            k.h.set(mark::in_ready);
            _ready.push_back(k.c.slot);
        }
    }

    // endpoint_output.cc: what is sent.
    std::uint32_t queued(conn k) const noexcept;
    inline std::uint32_t room_of_segment(conn k) const noexcept;
    void mark_unsent(conn k) {
        if (!k.h.is(mark::in_unsent)) {
            k.h.set(mark::in_unsent);
            _unsent.push(k.c.slot);
        }
    }
    void flush(conn k) noexcept;
    bool send_data(conn k) noexcept;
    inline void restart_if_idle(conn k) noexcept;
    inline void sent_part(conn k, std::uint32_t seq, std::uint32_t n, bool fin) noexcept;
    bool send_part(conn k, std::uint32_t offset, std::uint32_t n, std::uint8_t flags) noexcept;
    bool resend_first(conn k) noexcept;
    bool send_ack(conn k) noexcept;
    void send_reset(conn k) noexcept;
    bool emit(conn k, std::uint32_t seq, std::uint8_t flags, std::span<const std::span<const char>> payload,
              std::size_t size) noexcept;
    inline bool pass(const outgoing& s) noexcept;
    inline std::uint32_t window_edge(conn k) const noexcept;
    inline std::uint16_t window_to_tell(conn k) const noexcept;
    inline void told(conn k, std::uint16_t window) noexcept;
    void shrink(conn k) noexcept;

    // endpoint_timers.cc
    inline shard::instant rto(conn k) const noexcept;
    inline void await_ack(conn k) noexcept;
    void resends_due() noexcept;
    void look_at_due(resend_queue& queue) noexcept;
    bool resend_if_due(conn k) noexcept;
    void resend_timer(conn k) noexcept;
    void probe(conn k) noexcept;
    void give_up(conn k, shard::counter& why) noexcept;
    void end_expired(conn k) noexcept;

    settings _settings;
    std::vector<listener> _listeners;
    shard::connection_limits& _limits;
    segment_sink& _sink;
    secrets _keys;
    cookies _cookies;
    shard::instant _now;
    std::uint32_t _milliseconds;       ///< of `_now`, as timestamps have it
    shard::instant _cookies_until{0};  ///< ACKs may bring cookies

    shard::timer_wheel _wheel;
    resend_queue _resends;
    resend_queue _resends_again;  ///< that were looked at before their time
    shard::block_pool _pool;
    counters _counts;
    connection_table _table;
    time_wait_table _time_wait;
    reset_limiter _resets;

    slot_array<connection_slot, connection_slot::room> _connections;
    std::uint32_t _slots = 0;  ///< used at least once
    std::vector<std::uint32_t> _free;
    std::size_t _used = 0;
    std::size_t _half_open = 0;

    std::vector<std::uint32_t> _fresh;    ///< slots to open when the turn's segments are in
    std::vector<std::uint32_t> _batch;    ///< slots to serve now, from _batch_at on
    std::vector<std::uint32_t> _ready;    ///< slots to serve in the next turn
    slot_list _unsent;                    ///< slots to flush at the end of the turn
    slot_list _flushed;                   ///< of end_turn
    std::vector<std::uint32_t> _starved;  ///< slots whose reserve found no block in the pool
    std::size_t _batch_at = 0;

    std::span<const char> _offered;
    block* _offered_block = nullptr;       ///< what `_offered` is in, unless a frame; lives until `consumed`
    std::uint32_t _direct_slot = no_slot;  ///< whose frame `_offered` is in, and `next` has not said so

    reassembly* _early_oldest = nullptr;  ///< connections with octets out of order
    reassembly* _early_newest = nullptr;
    std::size_t _early_held = 0;
};

static_assert(shard::transport<endpoint>);

}  // namespace postern::tcp
