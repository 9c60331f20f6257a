// What the publisher's threads share, under one lock: what the edges are to have, and how far each is.
// Private to this folder.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/publish/publisher.h"

namespace postern::publish {

/// A generation that the edges are to have in force.
struct target {
    std::uint64_t number = 0;
    std::string base;
    std::string overlay;  ///< empty: none
    std::uint64_t seq = 0;
};

/// How far an edge is. Written by its link.
struct edge_progress {
    edge_status status;
    std::uint64_t applied = 0;  ///< number of the last target that was dealt with: in force there, or refused
    bool names_known = false;
    std::set<std::string> names;  ///< files that the edge may need
};

struct shared {
    publisher_options options;
    std::function<directory::timestamp()> now;

    mutable std::mutex mutex;
    mutable std::condition_variable changed;
    std::atomic<bool> stop{false};
    std::optional<target> aim;
    std::uint64_t floor = 0;          ///< highest number that an edge has in force
    bool distrust_base = false;       ///< an edge refused the base: build another
    std::uint64_t nothing_until = 0;  ///< changes up to it need no publication: there is no domain yet
    std::uint64_t told = 0;           ///< last number of the feed, by the store's listener
    std::uint64_t made = 0;           ///< changes up to it are in `aim`
    std::vector<edge_progress> edges;
    publisher_status facts;  ///< but for the edges

    void end() {
        const std::lock_guard hold(mutex);
        stop.store(true);
        changed.notify_all();
    }
    /// A step that a test may crash at: true, and all threads end.
    bool crash_at(std::string_view step) {
        if (options.fault && options.fault(step)) {
            end();
            return true;
        }
        return stop.load();
    }
};

}  // namespace postern::publish
