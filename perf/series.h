// What a load run measured as rows and curves: CSV for programs, SVG for people.
#pragma once

#include <string>

#include "perf/report.h"

namespace postern::perf {

/// A line for each measured second: counts, and quantiles of the latency in microseconds.
std::string csv_report(const findings& found);
/// Latency by percentile, throughput over time, latency over time, in one SVG document.
std::string plot_report(const options& made, const findings& found);

}  // namespace postern::perf
