#include "perf/series.h"

#include <array>
#include <cmath>
#include <cstddef>

#include "perf/plot.h"
#include "perf/text.h"

namespace postern::perf {

namespace {

constexpr double ns_per_ms = 1e6;
constexpr double ns_per_us = 1e3;

double in_ms(std::uint64_t ns) {
    return static_cast<double>(ns) / ns_per_ms;
}

std::uint64_t done_of(exchange what, const amount& done) {
    switch (what) {
        case exchange::sessions:
            return done.sessions;
        case exchange::messages:
            return done.messages;
        case exchange::recipients:
            break;
    }
    return done.rcpts;
}

const char* unit_of(exchange what) {
    switch (what) {
        case exchange::sessions:
            return "sessions";
        case exchange::messages:
            return "messages";
        case exchange::recipients:
            break;
    }
    return "RCPTs";
}

/// Quantiles at even steps of "one in so many is slower": x is the number of nines.
chart by_percentile(const histogram& latency) {
    constexpr double steps = 20;  // to a nine
    chart out{"Latency by percentile", "percentile", "ms", scale::decades, {{"", {}}}, {}};
    const std::array<const char*, 7> nines = {"0", "90", "99", "99.9", "99.99", "99.999", "99.9999"};
    const double most = latency.count() == 0 ? 1 : std::log10(static_cast<double>(latency.count()));
    for (std::size_t i = 0; i < nines.size() && static_cast<double>(i) <= std::max(most, 1.0); ++i) {
        out.x_marks.emplace_back(static_cast<double>(i), nines[i]);
    }
    for (double i = 0; latency.count() != 0 && i / steps <= std::min(most, 6.0); ++i) {
        const double slower = std::pow(10.0, -i / steps);
        out.lines.front().points.emplace_back(i / steps, in_ms(latency.quantile(1 - slower)));
    }
    return out;
}

}  // namespace

std::string csv_report(const findings& found) {
    std::string out = "second,rcpts,sessions,messages,p50_us,p90_us,p99_us,p999_us,max_us\n";
    for (std::size_t i = 0; i < found.each_second.size(); ++i) {
        const second_found& each = found.each_second[i];
        const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / ns_per_us; };
        put(out, "%zu,%llu,%llu,%llu,%.1f,%.1f,%.1f,%.1f,%.1f\n", i + 1,
            static_cast<unsigned long long>(each.done.rcpts), static_cast<unsigned long long>(each.done.sessions),
            static_cast<unsigned long long>(each.done.messages), us(each.p50), us(each.p90), us(each.p99),
            us(each.p999), us(each.most));
    }
    return out;
}

std::string plot_report(const options& made, const findings& found) {
    const exchange what = made.plan.exchange;
    chart rate{
        std::string("Throughput over time"), "seconds", std::string(unit_of(what)) + "/s", scale::even, {{"", {}}}, {}};
    chart latency{"Latency over time", "seconds", "ms", scale::decades, {{"p50", {}}, {"p99", {}}, {"max", {}}}, {}};
    for (std::size_t i = 0; i < found.each_second.size(); ++i) {
        const second_found& second = found.each_second[i];
        const auto at = static_cast<double>(i + 1);
        rate.lines[0].points.emplace_back(at, static_cast<double>(done_of(what, second.done)));
        if (second.any) {
            latency.lines[0].points.emplace_back(at, in_ms(second.p50));
            latency.lines[1].points.emplace_back(at, in_ms(second.p99));
            latency.lines[2].points.emplace_back(at, in_ms(second.most));
        }
    }
    return svg(headline(made), {by_percentile(latency_of(what, found.all)), rate, latency});
}

}  // namespace postern::perf
