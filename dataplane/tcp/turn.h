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

/// At most `most_in_burst` segments, through a pipeline of three stages: each asks for lines whose places the one
/// before brought. A stage takes several segments at a time, because a prefetch waits for its page to be found (where
/// the TLB does not know it), and the waits of neighbours overlap; all of a burst would be more lines than can be on
/// their way.
template <shard::session_layer Sessions>
void take_burst(endpoint& e, Sessions& sessions, std::span<const segment> burst) {
    constexpr std::size_t width = 8;
    std::array<std::uint64_t, most_in_burst> keys;
    std::array<std::uint32_t, most_in_burst> slots;
    const auto each_from = [&](std::size_t first, auto&& stage) {
        const std::size_t end = std::min(first + width, burst.size());
        for (std::size_t i = first; i < end; ++i) {
            stage(i);
        }
    };
    const auto ask_for_connection = [&](std::size_t i) {
        slots[i] = e.prefetch(keys[i]);
        if constexpr (requires { sessions.prefetch(slots[i]); }) {
            if (slots[i] != connection_table::none && !burst[i].payload.empty()) {
                sessions.prefetch(slots[i]);
            }
        }
    };
    const auto ask_behind = [&](std::size_t i) {
        if (slots[i] != connection_table::none) {
            e.prefetch_behind(slots[i]);
        }
    };
    const auto take = [&](std::size_t i) {
        e.input(burst[i], keys[i], slots[i]);
        // Nearly always the one callback is this, and it takes no loop.
        if (shard::connection c; e.next_direct(c)) {
            e.consumed(c, sessions.readable(c, e.offered()));
        }
        if (e.batched()) {
            shard::make_callbacks(e, sessions);
        }
    };
    e.prepare(burst, keys.data());
    for (std::size_t i = 0; i < burst.size(); ++i) {
        e.prefetch_entry(keys[i]);
    }
    each_from(0, ask_for_connection);
    each_from(width, ask_for_connection);
    each_from(0, ask_behind);
    for (std::size_t first = 0; first < burst.size(); first += width) {
        each_from(first + 2 * width, ask_for_connection);
        each_from(first + width, ask_behind);
        each_from(first, take);
    }
}

template <shard::session_layer Sessions>
void run_turn(endpoint& e, Sessions& sessions, shard::instant now, std::span<const segment> burst) {
    e.begin_turn(now);
    sessions.turn_begin();
    while (!burst.empty()) {
        const std::size_t some = burst.size() < most_in_burst ? burst.size() : most_in_burst;
        take_burst(e, sessions, burst.first(some));
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
