// A bounded ring of frames between two threads, over DPDK's (rte_ring) in memory of its own: bursts in, bursts out.
// What is in it when it ends is freed.
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <cstdlib>
#include <memory>
#include <new>

namespace postern::port {

class frame_ring {
public:
    /// Room for exactly `room` frames. Throws std::bad_alloc.
    explicit frame_ring(unsigned room) {
        const ssize_t size = rte_ring_get_memsize(rte_align32pow2(room + 1));
        void* const memory =
            size < 0 ? nullptr : std::aligned_alloc(RTE_CACHE_LINE_SIZE, static_cast<std::size_t>(size));
        if (memory == nullptr) {
            throw std::bad_alloc();
        }
        _ring.reset(static_cast<rte_ring*>(memory));
        if (rte_ring_init(_ring.get(), "frames", room, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ) != 0) {
            throw std::bad_alloc();
        }
    }
    frame_ring(frame_ring&&) noexcept = default;
    frame_ring& operator=(frame_ring&&) = delete;
    ~frame_ring() {
        rte_mbuf* left = nullptr;
        while (_ring && pop(&left, 1) == 1) {
            rte_pktmbuf_free(left);
        }
    }

    /// Producer: how many of `n` it took, from the first on.
    unsigned push(rte_mbuf* const* frames, unsigned n) noexcept {
        return rte_ring_sp_enqueue_burst(_ring.get(), reinterpret_cast<void* const*>(frames), n, nullptr);
    }
    /// Consumer.
    unsigned pop(rte_mbuf** frames, unsigned most) noexcept {
        return rte_ring_sc_dequeue_burst(_ring.get(), reinterpret_cast<void**>(frames), most, nullptr);
    }
    /// Either side, and whoever is about to sleep.
    bool empty() const noexcept {
        // As rte_ring_empty, but by loads that are atomic to the language as well.
        return __atomic_load_n(&_ring->prod.tail, __ATOMIC_ACQUIRE) ==
               __atomic_load_n(&_ring->cons.tail, __ATOMIC_ACQUIRE);
    }

private:
    struct release {
        void operator()(rte_ring* ring) const noexcept { std::free(ring); }  // NOLINT: from aligned_alloc
    };
    std::unique_ptr<rte_ring, release> _ring;
};

}  // namespace postern::port
