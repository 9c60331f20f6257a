// One round of an agent: the directory is read, what it says is pushed, and the outcome is waited for.
//
// Changes alone are pushed only when the list that Postern has is the one that this agent remembers; in any doubt the
// whole. What was read in part is never pushed. Killed at any moment, the next round finds out where Postern stands.
#pragma once

#include <atomic>
#include <boost/json/array.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "control/agent/configuration.h"

namespace postern::agent {

/// As the program's exit status (postern-agent(8)).
enum class outcome : std::uint8_t {
    done = 0,
    not_applied = 1,  ///< held, failed or refused by Postern
    usage = 2,
    unreachable = 3,  ///< Postern is
    token = 4,
    directory = 5,  ///< can't be read, or only in part
    stopped = 6,
};

struct round_report {
    outcome end = outcome::done;
    bool whole = true;
    std::uint64_t sync = 0;
    std::uint64_t sequence = 0;
    std::uint64_t read = 0;  ///< objects
    std::uint64_t added = 0;
    std::uint64_t removed = 0;
    std::uint64_t changed = 0;
    std::string state;  ///< of the sync
    std::string text;   ///< what went wrong, and what to do
    std::chrono::seconds retry_after{0};
    boost::json::array changes;  ///< of a test run: the first of them
};

round_report run_round(const configuration& settings, bool test_run, const std::atomic<bool>& stop);

}  // namespace postern::agent
