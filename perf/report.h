// What postern-load found, as text for people and as JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "perf/options.h"
#include "perf/tally.h"
#include "perf/worker.h"

namespace postern::perf {

/// The sum over all threads.
struct findings {
    tally all;
    second measured;
    double seconds = 0;  ///< of measuring
    std::vector<second> each_second;

    void add(const worker& one);
    double per_second(std::uint64_t count) const { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }
};

std::string text_report(const options& made, const findings& found);
/// One JSON object with a line end; docs/man/postern-load.1 lists its members.
std::string json_report(const options& made, const findings& found);

}  // namespace postern::perf
