// A shard's pair of queues: bursts of frames in, frames out. The buffers (mbufs) never leave the shard nor outlive the
// turn: what is received is released at its end, what is sent belongs to the driver.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/shard/counters.h"

namespace postern::port {

inline constexpr std::uint16_t burst_size = 32;

/// A frame that arrived; the octets live until `release`.
struct received_frame {
    std::span<const std::uint8_t> octets;
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
    shard::counter chained;          ///< received in several buffers, dropped

    template <class F>
    void for_each(F&& f) const {
        f("frames_received", received.value());
        f("frames_sent", sent.value());
        f("no_frame_buffer", no_frame_buffer.value());
        f("no_room", no_room.value());
        f("chained", chained.value());
    }
};

class queue {
public:
    queue(std::uint16_t port, std::uint16_t index, rte_mempool* pool, bool tx_checksums) noexcept
        : _port(port), _index(index), _pool(pool), _tx_checksums(tx_checksums) {}
    queue(const queue&) = delete;
    queue& operator=(const queue&) = delete;
    ~queue() {
        release();
        flush();
        rte_pktmbuf_free(_next);  // written to by nobody any more; null is nothing
    }

    /// Takes up to a burst; the frames of the last one must have been released.
    std::span<const received_frame> receive() noexcept {
        const std::uint16_t n = rte_eth_rx_burst(_port, _index, _held.data(), burst_size);
        _held_count = n;
        std::size_t frames = 0;
        for (std::uint16_t i = 0; i < n; ++i) {
            rte_mbuf* const m = _held[i];
            rte_prefetch0(rte_pktmbuf_mtod(m, const void*));
            if (m->nb_segs != 1) {
                _counts.chained.add();  // the buffers are as large as the MTU asks for
                continue;
            }
            received_frame& f = _frames[frames++];
            f.octets = {rte_pktmbuf_mtod(m, const std::uint8_t*), m->data_len};
            f.ip_checked = (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;
            f.segment_checked = (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
        }
        _counts.received.add(n);
        return {_frames.data(), frames};
    }

    /// Gives the buffers of the last burst back.
    void release() noexcept {
        if (_held_count > 0) {
            rte_pktmbuf_free_bulk(_held.data(), _held_count);
            _held_count = 0;
        }
    }

    /// Room for one frame to be written, or none: the pool is empty. `put` or `drop` follows.
    std::span<std::uint8_t> frame() noexcept {
        if (_next == nullptr) {
            _next = rte_pktmbuf_alloc(_pool);
            if (_next == nullptr) {
                _counts.no_frame_buffer.add();
                return {};
            }
        }
        return {rte_pktmbuf_mtod(_next, std::uint8_t*), rte_pktmbuf_tailroom(_next)};
    }

    /// The first `size` octets of the room are a frame. `layers`: for the NIC's checksums, if it fills them in.
    void put(std::size_t size, const frame_layers* layers = nullptr) noexcept {
        rte_mbuf* const m = _next;
        _next = nullptr;
        m->data_len = static_cast<std::uint16_t>(size);
        m->pkt_len = static_cast<std::uint32_t>(size);
        if (layers != nullptr && _tx_checksums) {
            m->l2_len = layers->link & 0x7fU;
            m->l3_len = layers->network & 0x1ffU;
            m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM |
                           (layers->ipv4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM : RTE_MBUF_F_TX_IPV6);
        }
        _waiting[_waiting_count++] = m;
        if (_waiting_count == _waiting.size()) {
            flush();
        }
    }

    /// Sends what was put. What the driver does not take is dropped and counted: TCP sends it again.
    void flush() noexcept {
        std::uint16_t done = 0;
        // A full ring of a slow driver is given a few chances, never the turn.
        for (unsigned tries = 0; done < _waiting_count && tries < 4; ++tries) {
            done =
                static_cast<std::uint16_t>(done + rte_eth_tx_burst(_port, _index, _waiting.data() + done,
                                                                   static_cast<std::uint16_t>(_waiting_count - done)));
        }
        _counts.sent.add(done);
        if (done < _waiting_count) {
            _counts.no_room.add(static_cast<std::uint64_t>(_waiting_count - done));
            rte_pktmbuf_free_bulk(_waiting.data() + done, static_cast<unsigned>(_waiting_count - done));
        }
        _waiting_count = 0;
    }

    /// Whether checksums are left to the NIC.
    bool fills_checksums() const noexcept { return _tx_checksums; }
    const queue_counts& counts() const noexcept { return _counts; }
    /// Buffers of the pool that are not free: what the receive queue holds, and what is on its way. Any thread; about.
    std::uint32_t buffers_in_use() const noexcept { return rte_mempool_in_use_count(_pool); }

private:
    std::uint16_t _port;
    std::uint16_t _index;
    rte_mempool* _pool;
    bool _tx_checksums;
    std::uint16_t _held_count = 0;
    std::uint16_t _waiting_count = 0;
    rte_mbuf* _next = nullptr;
    std::array<rte_mbuf*, burst_size> _held;         // NOLINT: filled up to `_held_count`
    std::array<received_frame, burst_size> _frames;  // NOLINT: filled by `receive`
    std::array<rte_mbuf*, 64> _waiting;              // NOLINT: filled up to `_waiting_count`
    queue_counts _counts;
};

}  // namespace postern::port
