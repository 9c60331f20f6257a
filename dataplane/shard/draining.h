// The end of a shard's loop, the same on every transport: asked for by another thread, seen by the shard in its turn.
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/shard/seam.h"

namespace postern::shard {

class draining {
public:
    /// Any thread, once or again with another time: the loop is to be over when nothing is left, or after `most` from
    /// the first turn that sees it. The caller wakes the shard.
    void ask(instant most) noexcept {
        _most.store(most.count(), std::memory_order_relaxed);
        _calls.fetch_add(1, std::memory_order_release);
    }
    /// Any thread: while held, a drained loop goes on although nothing is left, until its time.
    void hold(bool yes) noexcept { _held.store(yes, std::memory_order_release); }

    /// The shard's thread, each turn. True: the draining begins now.
    bool begins(instant now) noexcept {
        const std::uint32_t calls = _calls.load(std::memory_order_acquire);
        if (calls == _seen) {
            return false;
        }
        _seen = calls;
        const bool first = _start == never;
        _start = first ? now : _start;
        const instant most(_most.load(std::memory_order_relaxed));
        _end = most < never - _start ? _start + most : never;
        return first;
    }
    /// The shard's thread: whether it has seen that the loop is to end.
    bool begun() const noexcept { return _seen != 0; }
    /// The shard's thread: whether the loop is over. `left`: sessions or connections are still there.
    bool over(instant now, bool left) const noexcept {
        return _seen != 0 && (now >= _end || (!left && !_held.load(std::memory_order_acquire)));
    }
    /// The shard's thread, before it sleeps: nothing was asked that it has not seen.
    bool seen() const noexcept { return _calls.load(std::memory_order_acquire) == _seen; }
    /// When it is over at the latest.
    instant end() const noexcept { return _end; }

private:
    std::atomic<bool> _held{false};
    std::atomic<instant::rep> _most{0};
    std::atomic<std::uint32_t> _calls{0};
    std::uint32_t _seen = 0;
    instant _start = never;
    instant _end = never;
};

}  // namespace postern::shard
