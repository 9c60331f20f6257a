// How a shard of the packet path sleeps: until a frame arrives, somebody wakes it, or a time has come.
//
// Frames wake it where the driver has receive interrupts; where it has none, or they fail, a shard with a queue sleeps
// for at most 100 µs at a time. A shard without a queue has nothing to poll. The order that loses no wake-up is the
// loop's: announce, `arm`, look at everything once more, `sleep`, `disarm`.
#pragma once

#include <rte_interrupts.h>

#include <cstdint>
#include <optional>

#include "dataplane/shard/eventfd_waker.h"

namespace postern::port {

class sleeper {
public:
    static constexpr shard::instant longest_poll = std::chrono::microseconds(100);

    struct place {
        std::uint16_t port = 0;
        std::optional<std::uint16_t> queue;  ///< nothing: the shard has none
        bool interrupts = false;             ///< the device was started with them
    };
    /// `waker` outlives the sleeper.
    sleeper(const place& at, shard::eventfd_waker& waker) noexcept : _at(at), _waker(waker) {}
    sleeper(const sleeper&) = delete;
    sleeper& operator=(const sleeper&) = delete;

    /// On the shard's thread, as all others: before the first sleep, and after the last.
    void begin() noexcept;
    void end() noexcept;
    /// From now on a frame that arrives ends the next sleep.
    void arm() noexcept;
    void disarm() noexcept;
    /// For at most `most`, and a millisecond more.
    void sleep(shard::instant most) noexcept;

private:
    place _at;
    shard::eventfd_waker& _waker;
    bool _by_interrupts = false;
    rte_epoll_event _bell{};
};

}  // namespace postern::port
