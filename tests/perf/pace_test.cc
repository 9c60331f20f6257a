#include "perf/pace.h"

#include <gtest/gtest.h>

namespace postern::perf {
namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t start = 5 * second;

/// When each of the next `count` units is sent by somebody who is always free, in ns after the start.
std::vector<std::uint64_t> timetable(pace by, int count) {
    std::vector<std::uint64_t> out;
    for (int i = 0; i < count; ++i) {
        const std::uint64_t at = std::max(by.due(), start);
        EXPECT_TRUE(by.may(at));
        EXPECT_TRUE(at == start || !by.may(at - 1));
        out.push_back(at - start);
        by.take(1, at);
    }
    return out;
}

TEST(pace, without_a_rate_never_waits) {
    pace free;
    EXPECT_TRUE(free.may(0));
    free.take(1'000'000, 1);
    EXPECT_EQ(free.due(), 0U);
    EXPECT_EQ(free.counts_from(7), 7U);
    EXPECT_EQ(free.overdue(second), 0U);
}

TEST(pace, spreads_units_evenly_in_either_loop) {
    for (const bool open : {false, true}) {
        EXPECT_EQ(timetable(pace(1e9 / 1024, start, 0, open), 5),
                  (std::vector<std::uint64_t>{0, 1024, 2048, 3072, 4096}));
    }
}

TEST(pace, keeps_step_over_a_day) {
    pace by(1'000'000, start, 0, true);
    by.take(86'400'000'000, start);
    EXPECT_EQ(by.due(), start + 86'400 * second);
}

TEST(pace, of_a_ramp_does_half_of_the_units_meanwhile_and_then_the_full_rate) {
    pace by(100, start, 2 * second, true);
    by.take(25, start);
    EXPECT_EQ(by.due(), start + second) << "a quarter of the units in the first half";
    by.take(75, start);
    EXPECT_EQ(by.due(), start + 2 * second);
    by.take(100, start);
    EXPECT_EQ(by.due(), start + 3 * second);
}

TEST(pace, of_a_segment_is_that_of_its_units) {
    pace by(100, start, 0, true);
    by.take(50, start);
    EXPECT_EQ(by.due(), start + second / 2);
}

TEST(pace, of_a_closed_loop_is_put_off_by_a_stall) {
    pace by(1000, start, 0, false);
    by.take(1, start);
    const std::uint64_t late = start + 3 * second;
    EXPECT_EQ(by.counts_from(late), late);
    by.take(1, late);
    EXPECT_GT(by.due(), late - 20'000'000) << "no more than a short burst makes up for it";
    EXPECT_EQ(by.overdue(late), 0U);
}

TEST(pace, of_an_open_loop_charges_a_stall_to_those_who_would_have_come) {
    pace by(1000, start, 0, true);
    by.take(1, start);
    const std::uint64_t late = start + 3 * second;
    EXPECT_EQ(by.overdue(late), 2999U);
    EXPECT_EQ(by.counts_from(late), start + 1'000'000);
    by.take(1, late);
    EXPECT_EQ(by.counts_from(late), start + 2'000'000);
    by.take(2998, late);
    EXPECT_EQ(by.overdue(late), 0U);
    EXPECT_EQ(by.due(), late);
}

TEST(pace, counts_what_is_overdue_within_a_ramp_too) {
    const pace by(100, start, 2 * second, true);
    EXPECT_EQ(by.overdue(start - 1), 0U);
    EXPECT_EQ(by.overdue(start), 0U);
    EXPECT_EQ(by.overdue(start + second), 25U);
    EXPECT_EQ(by.overdue(start + 2 * second), 100U);
    EXPECT_EQ(by.overdue(start + 3 * second), 200U);
}

}  // namespace
}  // namespace postern::perf
