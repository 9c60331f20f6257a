// One turn of a shard over the TCP endpoint: a burst of segments in, the session layer's callbacks, segments out.
//
//     run_turn(endpoint, sessions, now, burst);          // burst: std::span<const segment>, frames alive until it
//     returns
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "dataplane/shard/callbacks.h"
#include "dataplane/shard/seam.h"
#include "dataplane/tcp/endpoint.h"

namespace postern::tcp {

/// Segments that are looked up together, so that their cache misses overlap.
inline constexpr std::size_t most_in_burst = 32;

/// A burst on its way through a pipeline: the table's entries, then connections, then what is behind those are asked
/// for, each stage `width` segments ahead of the next one, because it reads what that one brought.
///
/// A prefetch waits for its page to be found, where the TLB does not know it, and such waits overlap among neighbours:
/// hence several segments at a time. But a core has only so many lines and pages on its way, and what is asked for
/// beyond that may be dropped without a word: hence few (docs/performance.md has the measure).
template <shard::session_layer Sessions>
class burst_pipeline {
public:
    /// At most `most_in_burst` segments.
    burst_pipeline(endpoint& e, Sessions& sessions, std::span<const segment> burst) noexcept
        : _endpoint(e), _sessions(sessions), _burst(burst) {}

    void run() {
        prepare(0, 3 * width);
        for (std::size_t i = 0; i < 3 * width; ++i) {
            ask_for_entry(i);
        }
        prepare(3 * width, _burst.size());
        for (std::size_t i = 0; i < 2 * width; ++i) {
            ask_for_connection(i);
        }
        for (std::size_t i = 0; i < width; ++i) {
            ask_behind_connection(i);
        }
        for (std::size_t first = 0; first < _burst.size(); first += width) {
            const std::size_t end = std::min(first + width, _burst.size());
            for (std::size_t i = first; i < end; ++i) {
                ask_for_entry(i + 3 * width);
                ask_for_connection(i + 2 * width);
                ask_behind_connection(i + width);
            }
            for (std::size_t i = first; i < end; ++i) {
                take(i);
            }
        }
    }

private:
    static constexpr std::size_t width = 3;

    void prepare(std::size_t first, std::size_t end) noexcept {
        if (first < _burst.size()) {
            _endpoint.prepare(_burst.subspan(first, std::min(end, _burst.size()) - first), &_keys[first]);
        }
    }
    // Of a segment, if there are so many. Inline: to GCC a call of a function that only prefetches does nothing, and it
    // leaves it out.
    [[gnu::always_inline]] void ask_for_entry(std::size_t i) const noexcept {
        if (i < _burst.size()) {
            _endpoint.prefetch_entry(_keys[i]);
        }
    }
    [[gnu::always_inline]] void ask_for_connection(std::size_t i) noexcept {
        if (i < _burst.size()) {
            _slots[i] = _endpoint.prefetch(_keys[i]);
        }
    }
    [[gnu::always_inline]] void ask_behind_connection(std::size_t i) const noexcept {
        if (i >= _burst.size() || _slots[i] == connection_table::none) {
            return;
        }
        _endpoint.prefetch_behind(_slots[i]);
        if constexpr (requires { _sessions.prefetch(_slots[i]); }) {
            if (!_burst[i].payload.empty()) {
                _sessions.prefetch(_slots[i]);
            }
        }
    }
    void take(std::size_t i) {
        _endpoint.input(_burst[i], _keys[i], _slots[i]);
        // Nearly always the one callback is this, and it takes no loop.
        if (shard::connection c; _endpoint.next_direct(c)) {
            _endpoint.consumed(c, _sessions.readable(c, _endpoint.offered()));
        }
        if (_endpoint.batched()) {
            shard::make_callbacks(_endpoint, _sessions);
        }
    }

    endpoint& _endpoint;
    Sessions& _sessions;
    std::span<const segment> _burst;
    std::array<std::uint64_t, most_in_burst> _keys;   // NOLINT: filled by `prepare`
    std::array<std::uint32_t, most_in_burst> _slots;  // NOLINT: filled as connections are asked for
};

template <shard::session_layer Sessions>
void run_turn(endpoint& e, Sessions& sessions, shard::instant now, std::span<const segment> burst) {
    e.begin_turn(now);
    sessions.turn_begin();
    while (!burst.empty()) {
        const std::size_t some = burst.size() < most_in_burst ? burst.size() : most_in_burst;
        burst_pipeline(e, sessions, burst.first(some)).run();
        burst = burst.subspan(some);
    }
    e.input_done();
    shard::make_callbacks(e, sessions);
    shard::connection due;
    while (e.next_deadline(due)) {
        sessions.deadline(due);
    }
    sessions.turn_end();
    e.end_turn();
}

}  // namespace postern::tcp
