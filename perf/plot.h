// Line charts as SVG: what a load run measured, for people. Text in, text out.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace postern::perf {

struct line {
    std::string name;
    std::vector<std::pair<double, double>> points;  ///< by x
};

enum class scale : std::uint8_t {
    even,    ///< from 0
    decades  ///< powers of ten; values below 1e-9 count as that
};

struct chart {
    std::string title;
    std::string x_title;
    std::string y_title;
    scale y = scale::even;
    std::vector<line> lines;
    std::vector<std::pair<double, std::string>> x_marks;  ///< where, and its words; empty: round numbers
};

/// One SVG document with the charts below each other, `caption` above them. A chart without points says so.
std::string svg(const std::string& caption, const std::vector<chart>& charts);

}  // namespace postern::perf
