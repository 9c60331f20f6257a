// Deadlines of one shard: a hashed wheel of 4096 buckets of 8.4 ms (34 s a revolution), intrusive, O(1) to set and take
// away, no allocation.
//
// A timer fires never early and at most one tick late, counted from the `expire` that follows. Putting a deadline off,
// which is what every command of a session does, writes the timer and nothing else: it stays in its bucket and moves on
// when that comes up. Deadlines farther than a revolution do the same once per revolution. Time is an argument.
//
//     while (timer_wheel::timer* due = wheel.expire(now)) { … }
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "dataplane/shard/seam.h"

namespace postern::shard {

class timer_wheel {
public:
    static constexpr unsigned tick_shift = 23;  ///< a tick is 2^23 ns
    static constexpr instant tick{std::int64_t{1} << tick_shift};
    static constexpr std::size_t buckets = 4096;

    /// One deadline; the owner embeds it (as a base, to get back from the pointer) and must cancel it before it dies.
    class timer {
    public:
        instant due() const noexcept { return _due; }

    private:
        friend class timer_wheel;
        timer* _next = nullptr;
        timer** _link = nullptr;  ///< what points at this timer; nullptr: not in the wheel
        std::int64_t _tick = 0;   ///< of the bucket it is in; at or before `_due`'s
        instant _due = never;
    };

    explicit timer_wheel(instant now) noexcept : _current(floor_tick(now)) {}
    timer_wheel(const timer_wheel&) = delete;
    timer_wheel& operator=(const timer_wheel&) = delete;

    /// Replaces the timer's deadline; `never` cancels.
    void set(timer& t, instant due) noexcept {
        if (due == never) {
            cancel(t);
            return;
        }
        const bool put_off = t._link != nullptr && t._due <= due;  // so its bucket is early enough
        t._due = due;
        if (put_off) {
            return;
        }
        const std::int64_t at = place(due);
        if (t._link != nullptr) {
            if (t._tick <= at) {
                return;
            }
            unlink(t);
        }
        link(t, at);
    }

    void cancel(timer& t) noexcept {
        t._due = never;
        if (t._link != nullptr) {
            unlink(t);
        }
    }

    /// Takes one timer that is due at `now` out of the wheel, or nullptr. Its `due()` is `never` afterwards. Timers may
    /// be set and cancelled between calls.
    timer* expire(instant now) noexcept {
        return expire(now, [](const timer& next) {
            __builtin_prefetch(&next, 1);
            __builtin_prefetch(reinterpret_cast<const char*>(&next) + 64, 1);  // what its owner has behind it
        });
    }
    /// The same with the owner's way to ask the cache for the next one that comes up: of a hundred thousand none is in
    /// it.
    template <class Ask>
    timer* expire(instant now, Ask&& ask_for) noexcept {
        const std::int64_t end = floor_tick(now);
        if (_count == 0) {
            _current = end > _current ? end : _current;
            return nullptr;
        }
        if (end - _current > static_cast<std::int64_t>(buckets)) {
            _current = end - static_cast<std::int64_t>(buckets);  // each bucket once is enough
        }
        for (;;) {
            while (timer* const t = _heads[index(_current)]) {
                if (t->_next != nullptr) {
                    ask_for(*t->_next);
                }
                unlink(*t);
                if (t->_due <= now) {
                    t->_due = never;
                    return t;
                }
                link(*t, place(t->_due));
            }
            clear_mark(_current);
            if (_current >= end) {
                return nullptr;
            }
            ++_current;
        }
    }

    /// No timer is due before this instant; `never` if there is none. May be early (a deadline that was put off).
    instant next() const noexcept {
        if (_count == 0) {
            return never;
        }
        // From the bucket after the current one, a word of marks at a time, once around.
        for (std::size_t step = 1; step <= buckets;) {
            const std::size_t at = index(_current + static_cast<std::int64_t>(step));
            const std::uint64_t word = _marks[at / 64] >> (at % 64);
            if (word != 0) {
                step += static_cast<std::size_t>(std::countr_zero(word));
                return instant((_current + static_cast<std::int64_t>(step)) << tick_shift);
            }
            step += 64 - at % 64;
        }
        return instant((_current + 1) << tick_shift);
    }

    std::size_t size() const noexcept { return _count; }

private:
    static std::size_t index(std::int64_t at) noexcept { return static_cast<std::size_t>(at) % buckets; }
    static std::int64_t floor_tick(instant when) noexcept { return when.count() >> tick_shift; }

    /// The bucket for a deadline: the first tick at or after it, within a revolution, not the current one.
    std::int64_t place(instant due) const noexcept {
        const std::int64_t first = _current + 1;
        const std::int64_t last = _current + static_cast<std::int64_t>(buckets) - 1;
        const std::int64_t whole = floor_tick(due);
        const std::int64_t at = (due.count() & (tick.count() - 1)) == 0 ? whole : whole + 1;
        return at < first ? first : at > last ? last : at;
    }

    void link(timer& t, std::int64_t at) noexcept {
        timer*& head = _heads[index(at)];
        t._tick = at;
        t._next = head;
        t._link = &head;
        if (head != nullptr) {
            head->_link = &t._next;
        }
        head = &t;
        _marks[index(at) / 64] |= std::uint64_t{1} << (index(at) % 64);
        ++_count;
    }

    void unlink(timer& t) noexcept {
        *t._link = t._next;
        if (t._next != nullptr) {
            t._next->_link = t._link;
        }
        t._link = nullptr;
        t._next = nullptr;
        --_count;
    }

    void clear_mark(std::int64_t at) noexcept { _marks[index(at) / 64] &= ~(std::uint64_t{1} << (index(at) % 64)); }

    std::int64_t _current;  ///< the tick whose bucket was looked at last
    std::size_t _count = 0;
    std::array<std::uint64_t, buckets / 64> _marks{};  ///< buckets that may hold a timer
    std::array<timer*, buckets> _heads{};
};

}  // namespace postern::shard
