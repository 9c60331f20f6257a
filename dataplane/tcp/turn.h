// One turn of a shard over the TCP endpoint: a burst of segments in, the session layer's callbacks, segments out.
//
//     run_turn(endpoint, sessions, now, burst);          // burst: std::span<const segment>, frames alive until it
//     returns
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/shard/callbacks.h"
#include "dataplane/shard/seam.h"
#include "dataplane/tcp/endpoint.h"

namespace postern::tcp {

/// Segments that are looked up together, so that their cache misses overlap.
inline constexpr std::size_t most_in_burst = 32;

template <shard::session_layer Sessions>
void run_turn(endpoint& e, Sessions& sessions, shard::instant now, std::span<const segment> burst) {
    e.begin_turn(now);
    sessions.turn_begin();
    std::array<std::uint64_t, most_in_burst> keys;
    std::array<std::uint32_t, most_in_burst> slots;
    while (!burst.empty()) {
        const std::span<const segment> some = burst.first(burst.size() < keys.size() ? burst.size() : keys.size());
        // A pipeline: a segment's lines are asked for in three stages, a few segments ahead of it. All of a burst at
        // once would ask for more than a core can have on its way, and what is beyond that is forgotten.
        constexpr std::size_t step = 3;
        e.prepare(some, keys.data());
        for (std::size_t at = 0; at < some.size() + 3 * step; ++at) {
            if (at < some.size()) {
                e.prefetch_entry(keys[at]);
            }
            if (const std::size_t i = at - step; i < some.size()) {
                slots[i] = e.prefetch(keys[i]);
                if constexpr (requires { sessions.prefetch(slots[i]); }) {
                    if (slots[i] != connection_table::none && !some[i].payload.empty()) {
                        sessions.prefetch(slots[i]);
                    }
                }
            }
            if (const std::size_t i = at - 2 * step; i < some.size() && slots[i] != connection_table::none) {
                e.prefetch_behind(slots[i]);
                if constexpr (requires { sessions.prefetch_behind(slots[i]); }) {
                    if (!some[i].payload.empty()) {
                        sessions.prefetch_behind(slots[i]);
                    }
                }
            }
            if (const std::size_t i = at - 3 * step; i < some.size()) {
                e.input(some[i], keys[i], slots[i]);
                shard::make_callbacks(e, sessions);
            }
        }
        burst = burst.subspan(some.size());
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
