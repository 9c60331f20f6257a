// What postern-load found, as text for people and as JSON for programs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "perf/options.h"
#include "perf/tally.h"
#include "perf/worker.h"

namespace postern::perf {

/// One second of all threads; latencies in ns.
struct second_found {
    amount done;
    bool any = false;  ///< there are latencies
    std::uint64_t p50 = 0;
    std::uint64_t p90 = 0;
    std::uint64_t p99 = 0;
    std::uint64_t p999 = 0;
    std::uint64_t most = 0;
};

/// The sum over all threads.
struct findings {
    tally all;
    amount measured;
    double seconds = 0;  ///< of measuring
    std::uint64_t overdue = 0;
    wire_counts wire;
    std::vector<second_found> each_second;

    explicit findings(const std::vector<std::unique_ptr<worker>>& workers);
    double per_second(std::uint64_t count) const { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }
};

/// What was done to whom, in one line.
std::string headline(const options& made);
std::string text_report(const options& made, const findings& found);
/// One JSON object with a line end; docs/man/postern-load.1 lists its members.
std::string json_report(const options& made, const findings& found);

}  // namespace postern::perf
