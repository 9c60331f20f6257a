// Counters of one shard: one writer, any number of readers, no shared write, no read-modify-write on the hot path.
//
// A transport's counters are a struct of these with a `for_each(f)` that calls `f(name, value)`; readers add the shards
// up by name.
#pragma once

#include <atomic>
#include <cstdint>

namespace postern::shard {

class counter {
public:
    /// The shard's thread only.
    void add(std::uint64_t n = 1) noexcept {
        _value.store(_value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    /// Any thread.
    std::uint64_t value() const noexcept { return _value.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> _value{0};
};

/// How much there is now of something; the same rules.
class gauge {
public:
    void set(std::uint64_t n) noexcept { _value.store(n, std::memory_order_relaxed); }
    std::uint64_t value() const noexcept { return _value.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> _value{0};
};

}  // namespace postern::shard
