// Whether one more connection is taken: each listener's total and each source's share, exact over all shards.
//
// One object for the process. A transport asks once when a connection arrives and gives back once when an admitted one
// is gone; one that was refused holds nothing and is not given back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/shard/source_limits.h"

namespace postern::shard {

class connection_limits {
public:
    /// Of one listener. A source's connections are counted over all listeners and compared with the limit of the one
    /// it comes to. Both may be changed while connections are open (`set`); nothing is closed by that.
    struct limits {
        std::uint32_t connections = 10'000;
        std::uint32_t connections_per_source = 100;
    };

    explicit connection_limits(std::span<const limits> listeners);

    /// Any thread. `admitted` must be given back by `leave` with the same arguments.
    admission enter(std::uint16_t listener, const endpoint& peer);
    void leave(std::uint16_t listener, const endpoint& peer) noexcept;

    /// From now on `enter` says `draining`.
    void drain() noexcept { _draining.store(true, std::memory_order_relaxed); }

    void set(std::uint16_t listener, const limits& to) noexcept;
    std::uint32_t connections(std::uint16_t listener) const noexcept;
    const source_limits& sources() const noexcept { return _sources; }

private:
    struct alignas(process::cache_line) listener_state {
        std::atomic<std::uint32_t> most{0};
        std::atomic<std::uint32_t> most_per_source{0};
        std::atomic<std::uint32_t> now{0};
    };

    std::vector<listener_state> _listeners;
    source_limits _sources;
    std::atomic<bool> _draining{false};
};

}  // namespace postern::shard
