// The guard before the list: whether what a directory said may be done, or waits for a person. Pure; the rules are in
// docs/syncs.md.
//
// Partial, empty, failed and timed-out results never remove. A complete one removes up to the limits, counted with what
// the source's syncs removed within 24 hours, against the list as it was at their beginning. Beyond a limit on removals
// the additions are applied and the removals wait; beyond one on additions all waits.
#pragma once

#include <cstdint>
#include <string>

#include "control/sync/sources.h"

namespace postern::sync {

struct guard_numbers {
    bool complete = true;
    bool whole = true;
    bool pushed = false;         ///< nobody read a directory: other words
    bool approved = false;       ///< by a person: limits don't count
    std::uint64_t staged = 0;    ///< addresses that the fetch gave
    std::uint64_t asserted = 0;  ///< by the source, before
    std::uint64_t added = 0;
    std::uint64_t removed = 0;
    std::uint64_t removed_earlier = 0;  ///< by syncs within the window, and still not asserted
    std::uint64_t oldest = 0;           ///< addresses that the source asserted when the window began
};

struct guard_verdict {
    enum class end : std::uint8_t {
        apply,  ///< all that `additions` and `removals` say; the run is over with it
        hold,   ///< what they leave waits for a person
        empty,  ///< nothing is touched; the next good sync repairs
    };
    guard_verdict::end end = guard_verdict::end::apply;
    bool additions = true;
    bool removals = true;
    std::string text;  ///< what was exceeded, with the numbers; for a person
};

guard_verdict judge(const guard_limits& limits, const guard_numbers& numbers);

}  // namespace postern::sync
