// Connections that wait for an ACK, in the order in which they are to be looked at.
//
// All are looked at after the same time, the least time-out (RFC 6298 2.4), so whoever sends last is due last: a queue
// is order enough, and is read ahead where a wheel's lists lead from one cold line to the next. A connection is in it
// once at most. Its entry stays when the ACK comes or the timer is put off, so the owner looks, when an entry comes up,
// what is so by then. Whoever is to be looked at again after a fixed time may wait in a second queue.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "dataplane/shard/seam.h"
#include "dataplane/shard/timer_wheel.h"
#include "dataplane/tcp/connection_table.h"
#include "dataplane/tcp/slot_array.h"

namespace postern::tcp {

class resend_queue {
public:
    static constexpr std::uint32_t none = connection_table::none;

    /// For at most `most` slots.
    explicit resend_queue(std::uint32_t most) : _mask(std::bit_ceil(std::size_t{most}) - 1), _entries(_mask + 1) {}

    /// `slot` must not be in the queue, and `due` not be before the last one's.
    void push(std::uint32_t slot, shard::instant due) noexcept {
        _entries[_end++ & _mask] = {slot, static_cast<std::uint32_t>((due + almost_a_tick).count() >> shift)};
    }

    /// Takes the first slot out if it is due: never early, and at most a tick of the wheel late. Else `none`.
    std::uint32_t pop(shard::instant now) noexcept {
        if (_begin == _end) {
            _begin = _end = 0;  // the same few lines serve a small queue
            return none;
        }
        const entry first = _entries[_begin & _mask];
        if (!is_due(first, now)) {
            return none;
        }
        ++_begin;
        return first.slot;
    }

    /// The slot `distance` entries behind the first one, if it is due as well; else `none`.
    std::uint32_t due_behind(std::size_t distance, shard::instant now) const noexcept {
        if (size() <= distance) {
            return none;
        }
        const entry& one = _entries[(_begin + distance) & _mask];
        return is_due(one, now) ? one.slot : none;
    }

    /// When the first one is due; `never` if there is none. `now`: what `pop` was last asked for, or little later.
    shard::instant next(shard::instant now) const noexcept {
        if (_begin == _end) {
            return shard::never;
        }
        const auto ticks = static_cast<std::int32_t>(_entries[_begin & _mask].tick - tick_of(now));
        return shard::instant(((now.count() >> shift) + ticks) << shift);
    }

    std::size_t size() const noexcept { return _end - _begin; }

private:
    struct entry {
        std::uint32_t slot;
        std::uint32_t tick;  ///< of the wheel's, modulo 2^32: more than a year
    };
    static constexpr unsigned shift = shard::timer_wheel::tick_shift;
    static constexpr shard::instant almost_a_tick = shard::timer_wheel::tick - shard::instant(1);

    static bool is_due(const entry& e, shard::instant now) noexcept {
        return static_cast<std::int32_t>(e.tick - tick_of(now)) <= 0;
    }
    static std::uint32_t tick_of(shard::instant when) noexcept {
        return static_cast<std::uint32_t>(when.count() >> shift);
    }

    std::size_t _mask;
    std::size_t _begin = 0;
    std::size_t _end = 0;
    slot_array<entry> _entries;
};

}  // namespace postern::tcp
