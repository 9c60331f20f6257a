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
        // A pipeline of three stages, a few segments wide: one asks for lines whose places the one before brought.
        // Lines are asked for side by side because a prefetch waits for its page to be found (where the TLB does not
        // know it), and such waits overlap; all of a burst at once would be more lines than a core can have on their
        // way.
        constexpr std::size_t width = 8;
        e.prepare(some, keys.data());
        for (std::size_t i = 0; i < some.size(); ++i) {
            e.prefetch_entry(keys[i]);
        }
        const auto each_of = [&](std::size_t from, auto&& stage) {
            for (std::size_t i = from; i < some.size() && i < from + width; ++i) {
                stage(i);
            }
        };
        const auto ask_for_connection = [&](std::size_t i) {
            slots[i] = e.prefetch(keys[i]);
            if constexpr (requires { sessions.prefetch(slots[i]); }) {
                if (slots[i] != connection_table::none && !some[i].payload.empty()) {
                    sessions.prefetch(slots[i]);
                }
            }
        };
        const auto ask_for_what_is_behind = [&](std::size_t i) {
            if (slots[i] == connection_table::none) {
                return;
            }
            e.prefetch_behind(slots[i]);
            if constexpr (requires { sessions.prefetch_behind(slots[i]); }) {
                if (!some[i].payload.empty()) {
                    sessions.prefetch_behind(slots[i]);
                }
            }
        };
        const auto take = [&](std::size_t i) {
            e.input(some[i], keys[i], slots[i]);
            shard::make_callbacks(e, sessions);
        };
        each_of(0, ask_for_connection);
        each_of(width, ask_for_connection);
        each_of(0, ask_for_what_is_behind);
        for (std::size_t at = 0; at < some.size(); at += width) {
            each_of(at + 2 * width, ask_for_connection);
            each_of(at + width, ask_for_what_is_behind);
            each_of(at, take);
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
