// What the endpoint keeps of one connection: a line that every segment touches, and the rest apart. Included by the
// endpoint's own files only.
#pragma once

#include <cstdint>

#include "dataplane/shard/block_pool.h"
#include "dataplane/shard/seam.h"
#include "dataplane/shard/timer_wheel.h"
#include "dataplane/tcp/reassembly.h"

namespace postern::tcp {

/// RFC 9293 3.3.2. LISTEN has no connection, TIME-WAIT a table of its own.
enum class state : std::uint8_t {
    free,  ///< the slot holds no connection
    syn_received,
    established,
    fin_wait_1,
    fin_wait_2,
    close_wait,
    closing,
    last_ack,
};

/// What is so of a connection, and which lists of the endpoint its slot is in. In one word that is stored whole: a
/// store narrower than the load behind it would keep that waiting until the store, and all before it, are in the cache.
namespace mark {
// Of the slot, not of the connection.
inline constexpr std::uint32_t in_batch = 1U << 0U;
inline constexpr std::uint32_t in_ready = 1U << 1U;
inline constexpr std::uint32_t in_unsent = 1U << 2U;
inline constexpr std::uint32_t in_starved = 1U << 3U;
inline constexpr std::uint32_t of_slot = in_batch | in_ready | in_unsent | in_starved;

inline constexpr std::uint32_t open = 1U << 4U;          ///< the layer knows it, or is to be told of it
inline constexpr std::uint32_t fresh = 1U << 5U;         ///< `opened` is still to be called
inline constexpr std::uint32_t broken = 1U << 6U;        ///< `reset` is still to be called
inline constexpr std::uint32_t counted = 1U << 7U;       ///< the limits admitted it
inline constexpr std::uint32_t wants = 1U << 8U;         ///< the layer wants octets
inline constexpr std::uint32_t offer_again = 1U << 9U;   ///< want_read(true) since the last offer
inline constexpr std::uint32_t offered_now = 1U << 10U;  ///< it had its offer in this pass
inline constexpr std::uint32_t peer_ended = 1U << 11U;   ///< the peer's FIN was taken
inline constexpr std::uint32_t end_told = 1U << 12U;
inline constexpr std::uint32_t fin_wanted = 1U << 13U;  ///< `finish` was called
inline constexpr std::uint32_t fin_sent = 1U << 14U;
inline constexpr std::uint32_t ack_now = 1U << 15U;
inline constexpr std::uint32_t timestamps = 1U << 16U;  ///< agreed on
inline constexpr std::uint32_t sack = 1U << 17U;        ///< the peer takes SACK
inline constexpr std::uint32_t recovering = 1U << 18U;  ///< fast recovery, RFC 6582
inline constexpr std::uint32_t timing = 1U << 19U;      ///< `timed_seq` is being timed
inline constexpr std::uint32_t scaled = 1U << 20U;      ///< window scaling is agreed on
inline constexpr std::uint32_t syn_ack_again = 1U << 21U;
inline constexpr std::uint32_t early = 1U << 23U;  ///< octets that came out of order are held

// Two counts.
inline constexpr unsigned unacked_at = 24;
inline constexpr std::uint32_t unacked = 3U << unacked_at;
inline constexpr unsigned dup_acks_at = 26;
inline constexpr std::uint32_t dup_acks = 15U << dup_acks_at;
}  // namespace mark

/// Sequence variables have their names of RFC 9293 3.3.1.
struct alignas(64) hot_state {
    std::uint32_t rcv_nxt = 0;
    std::uint32_t rcv_edge = 0;  ///< RCV.NXT + RCV.WND as last said; never goes back
    std::uint32_t snd_una = 0;
    std::uint32_t snd_nxt = 0;
    std::uint32_t snd_max = 0;     ///< the highest SND.NXT so far: after a time-out SND.NXT goes back
    std::uint32_t snd_window = 0;  ///< octets, scaled
    std::uint32_t snd_wl1 = 0;
    std::uint32_t snd_wl2 = 0;
    std::uint32_t ts_recent = 0;      ///< RFC 7323 4.3
    std::uint32_t last_ack_sent = 0;  ///< likewise
    std::uint32_t cwnd = 0;           ///< octets, RFC 5681
    std::uint16_t mss = 0;            ///< octets of payload and options of a segment to the peer
    state now = state::free;
    std::uint8_t snd_scale : 4 = 0;
    std::uint8_t rcv_scale : 4 = 0;
    std::uint32_t serial = 0;  ///< of the last connection of this slot; never 0 once used

    std::uint32_t marks = 0;  ///< mark::…, and the two small counts below

    shard::block_pool::block* input = nullptr;  ///< octets in order that the layer has not consumed

    bool is(std::uint32_t any_of) const noexcept { return (marks & any_of) != 0; }
    void set(std::uint32_t all_of) noexcept { marks |= all_of; }
    void clear(std::uint32_t all_of) noexcept { marks &= ~all_of; }
    void put(std::uint32_t all_of, bool yes) noexcept { marks = yes ? marks | all_of : marks & ~all_of; }
    /// Segments with octets since our last ACK, at most 3.
    std::uint32_t unacked() const noexcept { return (marks & mark::unacked) >> mark::unacked_at; }
    void count_unacked() noexcept { marks += unacked() < 3 ? 1U << mark::unacked_at : 0; }
    /// Duplicate ACKs in a row, at most 15.
    std::uint32_t dup_acks() const noexcept { return (marks & mark::dup_acks) >> mark::dup_acks_at; }
    void set_dup_acks(std::uint32_t n) noexcept { marks = (marks & ~mark::dup_acks) | n << mark::dup_acks_at; }

    std::uint32_t window_left() const noexcept { return rcv_edge - rcv_nxt; }
    std::uint32_t flight() const noexcept { return snd_nxt - snd_una; }
};
static_assert(sizeof(hot_state) == 64);

/// What nearly every segment touches besides: two lines, whole.
struct warm_state {
    shard::connection_info info;
    std::uint64_t link = 0;                      ///< segment::link of the last valid segment
    shard::block_pool::block* output = nullptr;  ///< unacknowledged and unsent octets, from SND.UNA on
    shard::block_pool::block* output_last = nullptr;
    shard::instant resend_at = shard::never;  ///< retransmission, or probe of a closed window
    shard::instant ack_at = shard::never;     ///< of the delayed ACK
    std::uint32_t output_room = 0;            ///< octets of `output`'s blocks, used or not
    std::uint32_t waits_for = 0;       ///< octets of a reserve that came back empty; discarded octets once finished
    std::uint32_t ssthresh = 0;        ///< octets
    std::uint32_t recover = 0;         ///< RFC 6582 3.2
    std::uint32_t max_window = 0;      ///< the largest the peer ever offered
    std::uint32_t srtt = 0;            ///< microseconds; 0: not measured
    std::uint32_t rttvar = 0;          ///< microseconds
    std::uint32_t ts_offset = 0;       ///< our TSval is the clock plus this
    std::uint32_t ts_recent_at = 0;    ///< when ts_recent was set, milliseconds
    std::uint32_t last_sent_at = 0;    ///< milliseconds
    std::uint32_t slot : 31 = 0;       ///< its own
    std::uint32_t in_resends : 1 = 0;  ///< of the slot, not of the connection: in a `resend_queue`
    std::uint8_t backoff = 0;
    std::uint8_t unanswered = 0;  ///< time-outs since the peer was last heard
    // Of the state below, where no room is left.
    std::uint8_t challenges = 0;
    shard::admission word = shard::admission::admitted;
};

/// And what is for timers, input that is held, and what goes wrong.
struct alignas(64) cold_state : warm_state, shard::timer_wheel::timer {
    shard::instant deadline = shard::never;  ///< the layer's, or of the end
    reassembly* early = nullptr;             ///< octets that came out of order; `mark::early` says whether
    std::uint32_t offered = 0;               ///< octets of `input` that the layer has seen
    std::uint32_t timed_seq = 0;             ///< without timestamps: acknowledged, it gives a measurement
    std::uint32_t timed_at = 0;              ///< milliseconds
    std::uint32_t challenged_at = 0;         ///< milliseconds: begin of the period that `challenges` counts
};

/// One page of memory for all of a connection: random ones cost a walk of the page tables each. Behind it is room for
/// what the session layer keeps of it, for the same reason.
struct connection_slot {
    static constexpr std::size_t room = 128;
    static constexpr std::size_t usual_octets = 192;  ///< the lines that a segment touches that takes the short ways
    hot_state h;
    cold_state c;
};
static_assert(sizeof(hot_state) + sizeof(warm_state) == connection_slot::usual_octets);
static_assert(sizeof(connection_slot) == 256, "EDGE's 512 an idle connection, session included");

}  // namespace postern::tcp
