// A shard's pair of queues: bursts of frames in, frames out. The buffers (mbufs) don't outlive the turn: what is
// received is released at its end unless another shard or the kernel got it, what is sent belongs to the driver.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "dataplane/port/hand_over.h"
#include "dataplane/shard/counters.h"

namespace postern::port {

inline constexpr std::uint16_t burst_size = 32;
/// Frames of one turn at most: a burst of the queue's own, and one that others handed over.
inline constexpr std::uint16_t most_held = 2 * burst_size;

/// A frame that arrived; the octets live until `release`.
struct received_frame {
    std::span<const std::uint8_t> octets;
    std::uint16_t slot = 0;        ///< for `give_away`
    bool ip_checked = false;       ///< the NIC found the IPv4 header's checksum good
    bool segment_checked = false;  ///< the NIC found TCP's good
};

/// What the NIC needs to know to fill in checksums.
struct frame_layers {
    std::uint16_t link = 0;     ///< octets of the Ethernet header
    std::uint16_t network = 0;  ///< octets of the IP header
    bool ipv4 = false;
};

struct queue_counts {
    shard::counter received;
    shard::counter sent;
    shard::counter no_frame_buffer;  ///< frames that could not be built: the pool was empty
    shard::counter no_room;          ///< frames that the transmit queue did not take
    shard::counter chained;          ///< received in several buffers, copied into one
    shard::counter chained_dropped;  ///< of them not taken: longer than the MTU, or headers not in the first buffer

    template <class F>
    void for_each(F&& f) const {
        f("frames_received", received.value());
        f("frames_sent", sent.value());
        f("no_frame_buffer", no_frame_buffer.value());
        f("no_room", no_room.value());
        f("chained", chained.value());
        f("chained_dropped", chained_dropped.value());
    }
};

class capture;

class queue {
public:
    struct place {
        std::uint16_t port = 0;
        std::uint16_t index = 0;
        bool of_device = true;  ///< the device has this queue; else nothing is received, and others send
        bool tx_checksums = false;
        std::uint32_t longest_frame = 0;  ///< that is put together from several buffers
    };
    /// `others`: who sends for a shard without a queue of the device; with its number.
    queue(const place& at, rte_mempool* pool, hand_over* others = nullptr, unsigned shard = 0)
        : _at(at),
          _pool(pool),
          _others(others),
          _shard(shard),
          _joined(new std::uint8_t[std::size_t{at.longest_frame} * most_held]) {}
    queue(const queue&) = delete;
    queue& operator=(const queue&) = delete;
    ~queue() {
        release();
        flush();
        for (; _fresh_at < _fresh_count; ++_fresh_at) {
            rte_mbuf_raw_free(_fresh[_fresh_at]);
        }
    }

    /// Takes up to a burst; the frames of the last one must have been released.
    std::span<const received_frame> receive() noexcept {
        fill();
        return frames();
    }

    /// `receive` in steps, for a shard that has others beside it: a burst of the device's, then frames that others
    /// handed over, then all of them but those that were given away.
    void fill() noexcept {
        const std::uint16_t n = _at.of_device ? rte_eth_rx_burst(_at.port, _at.index, _held.data(), burst_size) : 0;
        for (std::uint16_t i = 0; i < n; ++i) {
            rte_prefetch0(rte_pktmbuf_mtod(_held[i], const void*));
        }
        _held_count = n;
        _described = 0;
        _frame_count = 0;
        _counts.received.add(n);
    }
    /// At most `burst_size` frames a turn.
    void add(rte_mbuf* frame) noexcept { _held[_held_count++] = frame; }
    std::span<const received_frame> frames() noexcept {
        std::uint16_t count = _frame_count;
        for (std::uint16_t slot = _described; slot < _held_count; ++slot) {
            const rte_mbuf* const m = _held[slot];
            received_frame& f = _frames[count];
            f.octets = {rte_pktmbuf_mtod(m, const std::uint8_t*), m->data_len};
            if (m->nb_segs != 1) {
                f.octets = join(*m, slot);
                if (f.octets.empty()) {
                    continue;
                }
            }
            f.slot = slot;
            // GOOD is a bit of NONE as well: the checksum isn't filled in, but the NIC answers for the octets.
            f.ip_checked = (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_GOOD) != 0;
            f.segment_checked = (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD) != 0;
            ++count;
        }
        _described = _held_count;
        _frame_count = count;
        return {_frames.data(), _frame_count};
    }
    const rte_mbuf& buffer(const received_frame& f) const noexcept { return *_held[f.slot]; }
    /// The frame's buffer is the caller's; its octets live as long as that.
    rte_mbuf* give_away(const received_frame& f) noexcept { return std::exchange(_held[f.slot], nullptr); }
    /// Forgets the frames that were given away.
    void keep_held() noexcept {
        const auto gone = [this](const received_frame& f) { return _held[f.slot] == nullptr; };
        const auto end = std::remove_if(_frames.begin(), _frames.begin() + _frame_count, gone);
        _frame_count = static_cast<std::uint16_t>(end - _frames.begin());
    }

    /// Gives the buffers of the last burst back.
    void release() noexcept {
        if (_held_count == 0) {
            return;
        }
        // Nearly always whole buffers of one pool that nobody else holds: back at once, without touching more of them.
        constexpr std::uint64_t borrowed = RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
        const bool plain = std::all_of(_held.begin(), _held.begin() + _held_count, [&](rte_mbuf* m) {
            return m != nullptr && m->pool == _held[0]->pool && m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1 &&
                   (m->ol_flags & borrowed) == 0;
        });
        if (plain) {
            rte_mempool_put_bulk(_held[0]->pool, reinterpret_cast<void**>(_held.data()), _held_count);
        } else {
            rte_pktmbuf_free_bulk(_held.data(), _held_count);
        }
        _held_count = 0;
    }

    /// Room for one frame to be written, or none: the pool is empty. `put` or `drop` follows.
    std::span<std::uint8_t> frame() noexcept {
        if (_fresh_at == _fresh_count && !take_fresh()) {
            _counts.no_frame_buffer.add();
            return {};
        }
        // Whoever sent this buffer last has its lines: the ones after it are asked for meanwhile.
        if (_fresh_at + asked_ahead < _fresh_count) {
            ask_for(_fresh[_fresh_at + asked_ahead]);
        }
        rte_mbuf* const m = _fresh[_fresh_at];
        return {static_cast<std::uint8_t*>(m->buf_addr) + RTE_PKTMBUF_HEADROOM,
                static_cast<std::size_t>(m->buf_len - RTE_PKTMBUF_HEADROOM)};
    }

    /// The first `size` octets of the room are a frame.
    void put(std::size_t size) noexcept { put_as(size, 0); }
    /// The same, and the NIC, which `fills_checksums`, is told where.
    void put(std::size_t size, const frame_layers& layers) noexcept {
        rte_mbuf* const m = _fresh[_fresh_at];
        m->l2_len = layers.link & 0x7fU;
        m->l3_len = layers.network & 0x1ffU;
        put_as(size, RTE_MBUF_F_TX_TCP_CKSUM |
                         (layers.ipv4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM : RTE_MBUF_F_TX_IPV6));
    }

    /// Sends what was put. What the driver does not take is dropped and counted: TCP sends it again.
    [[gnu::noinline]] void flush() noexcept {  // once in many frames: `put` is short without it
        if (_watcher != nullptr) {
            show(_waiting.data(), _waiting_count);
        }
        send(_waiting.data(), _waiting_count);
        _waiting_count = 0;
    }
    /// How often what is sent is offered to a full transmit queue, then it is dropped.
    void try_for(unsigned tries) noexcept { _tries = tries; }
    /// Sends frames that are the caller's, likewise.
    void send(rte_mbuf** frames, std::uint16_t n) noexcept {
        std::uint16_t done = 0;
        // A full ring of a slow driver is given a few chances, never the turn.
        for (unsigned tries = 0; done < n && tries < _tries; ++tries) {
            done = static_cast<std::uint16_t>(done + pass(frames + done, static_cast<std::uint16_t>(n - done)));
        }
        _counts.sent.add(done);
        if (done < n) {
            _counts.no_room.add(static_cast<std::uint64_t>(n - done));
            rte_pktmbuf_free_bulk(frames + done, static_cast<unsigned>(n - done));
        }
    }

    /// Until told otherwise, what is put is shown to a capture as it is sent; null: to none. `shard` is its ring.
    void show_to(capture* watcher, unsigned shard) noexcept {
        _watcher = watcher;
        _watcher_ring = shard;
    }
    void show(rte_mbuf* const* frames, std::uint16_t n) noexcept;

    /// Sends the last burst back with Ethernet addresses swapped and nothing else done: what the packet path is
    /// measured against (macswap).
    void reflect() noexcept {
        for (std::uint16_t i = 0; i < _held_count; ++i) {
            auto* const at = rte_pktmbuf_mtod(_held[i], std::uint8_t*);
            std::swap_ranges(at, at + 6, at + 6);
            _waiting[_waiting_count++] = _held[i];
        }
        _held_count = 0;
        flush();
    }

    /// Whether checksums are left to the NIC.
    bool fills_checksums() const noexcept { return _at.tx_checksums; }
    const queue_counts& counts() const noexcept { return _counts; }
    /// Buffers of the pool that are not free: what the receive queue holds, and what is on its way. Any thread; about.
    std::uint32_t buffers_in_use() const noexcept { return rte_mempool_in_use_count(_pool); }

private:
    static constexpr std::uint16_t asked_ahead = 4;  ///< buffers whose lines are on their way while one is written

    static void ask_for(rte_mbuf* m) noexcept {
        __builtin_prefetch(m, 1);
        // Where the pool's maker puts a buffer's room: behind its head, which has no private part.
        const auto* const room = reinterpret_cast<const std::uint8_t*>(m + 1) + RTE_PKTMBUF_HEADROOM;
        __builtin_prefetch(room, 1);
        __builtin_prefetch(room + 64, 1);
    }
    void put_as(std::size_t size, std::uint64_t flags) noexcept {
        rte_mbuf* const m = _fresh[_fresh_at++];
        // A buffer in its pool is one segment that nobody refers to; the rest of what the driver reads is set here.
        m->data_off = RTE_PKTMBUF_HEADROOM;
        m->ol_flags = flags;
        m->data_len = static_cast<std::uint16_t>(size);
        m->pkt_len = static_cast<std::uint32_t>(size);
        _waiting[_waiting_count++] = m;
        if (_waiting_count == _waiting.size()) {
            flush();
        }
    }
    bool take_fresh() noexcept {
        _fresh_at = 0;
        _fresh_count = burst_size;
        if (rte_mempool_get_bulk(_pool, reinterpret_cast<void**>(_fresh.data()), _fresh_count) != 0) {
            _fresh_count = rte_mempool_get(_pool, reinterpret_cast<void**>(_fresh.data())) == 0 ? 1 : 0;
        }
        for (std::uint16_t i = 0; i < std::min(_fresh_count, asked_ahead); ++i) {
            ask_for(_fresh[i]);
        }
        return _fresh_count != 0;
    }
    std::uint16_t pass(rte_mbuf** frames, std::uint16_t n) noexcept {
        if (_at.of_device) {
            return rte_eth_tx_burst(_at.port, _at.index, frames, n);
        }
        return static_cast<std::uint16_t>(_others->give_to_send(_shard, frames, n));
    }
    std::span<const std::uint8_t> join(const rte_mbuf& m, std::uint16_t slot) noexcept;

    place _at;
    rte_mempool* _pool;
    hand_over* _others;
    unsigned _shard;
    std::uint16_t _held_count = 0;
    std::uint16_t _described = 0;  ///< of the held: made frames, if they are some
    std::uint16_t _frame_count = 0;
    std::uint16_t _waiting_count = 0;
    std::uint16_t _fresh_at = 0;
    std::uint16_t _fresh_count = 0;
    unsigned _tries = 4;
    std::array<rte_mbuf*, burst_size> _fresh;  // NOLINT: taken from the pool, from `_fresh_at` to `_fresh_count`
    capture* _watcher = nullptr;
    unsigned _watcher_ring = 0;
    std::array<rte_mbuf*, most_held> _held;         // NOLINT: filled up to `_held_count`
    std::array<received_frame, most_held> _frames;  // NOLINT: filled up to `_frame_count`
    std::array<rte_mbuf*, 64> _waiting;             // NOLINT: filled up to `_waiting_count`
    std::unique_ptr<std::uint8_t[]> _joined;        ///< room for each held frame, touched by chained ones alone
    queue_counts _counts;
};

}  // namespace postern::port
