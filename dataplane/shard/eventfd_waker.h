// How a shard goes to sleep without missing a wake-up, and how others wake it.
//
// The sleeper announces, looks once more at everything that could be waiting, and then waits on `descriptor()` (Asio,
// epoll or rte_epoll). A producer pushes into its ring and calls `wake()`, which writes the eventfd only if a sleep was
// announced. Both put a full fence between their store and their look, so at least one of them sees the other.
//
//     waker.announce();
//     if (nothing waits) { sleep on waker.descriptor(); }
//     waker.woken();                       // and hush() when the descriptor was readable
#pragma once

#include <atomic>

#include "board/process/files.h"
#include "board/process/spsc_ring.h"
#include "dataplane/shard/seam.h"

namespace postern::shard {

class eventfd_waker final : public waker {
public:
    /// Throws std::system_error if the kernel gives no eventfd.
    eventfd_waker();

    int descriptor() const noexcept { return _event.get(); }

    /// The shard's thread: from now on `wake` writes the descriptor.
    void announce() noexcept {
        _asleep.store(true, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }

    /// The shard's thread: awake again, or not gone to sleep at all.
    void woken() noexcept { _asleep.store(false, std::memory_order_relaxed); }

    /// Makes the descriptor unreadable again. A bell that is still on its way ends a later sleep early, no more.
    void hush() noexcept;

    /// Any thread.
    void wake() noexcept override {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (_asleep.load(std::memory_order_relaxed) && _asleep.exchange(false, std::memory_order_relaxed)) {
            ring();
        }
    }

private:
    void ring() noexcept;

    process::descriptor _event;
    alignas(process::cache_line) std::atomic<bool> _asleep{false};
};

}  // namespace postern::shard
