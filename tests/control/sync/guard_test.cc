#include "control/sync/guard.h"

#include <gtest/gtest.h>

namespace postern::sync {
namespace {

using end = enum guard_verdict::end;

guard_numbers thousand() {
    guard_numbers out;
    out.staged = 1000;
    out.asserted = 1000;
    out.oldest = 1000;
    return out;
}

TEST(guard, lets_through_what_is_within_the_limits) {
    guard_numbers numbers = thousand();
    numbers.added = 10;
    numbers.removed = 100;
    const guard_verdict verdict = judge({}, numbers);
    EXPECT_EQ(verdict.end, end::apply);
    EXPECT_TRUE(verdict.additions);
    EXPECT_TRUE(verdict.removals);
    EXPECT_EQ(verdict.text, "");
}

TEST(guard, holds_removals_beyond_the_percentage_and_lets_additions_through) {
    guard_numbers numbers = thousand();
    numbers.added = 10;
    numbers.removed = 101;
    const guard_verdict verdict = judge({}, numbers);
    EXPECT_EQ(verdict.end, end::hold);
    EXPECT_TRUE(verdict.additions);
    EXPECT_FALSE(verdict.removals);
    EXPECT_EQ(verdict.text, "it would remove 101 addresses of 1000, more than the limit of 10 %");
}

TEST(guard, holds_removals_beyond_the_count) {
    guard_numbers numbers = thousand();
    numbers.asserted = numbers.oldest = 100'000;
    numbers.removed = 501;
    EXPECT_EQ(judge({}, numbers).text, "it would remove 501 addresses, more than the limit of 500");
    numbers.removed = 500;
    EXPECT_EQ(judge({}, numbers).end, end::apply);
}

TEST(guard, counts_what_was_removed_earlier_in_the_window) {
    guard_numbers numbers = thousand();
    numbers.removed = 60;
    numbers.removed_earlier = 41;
    const guard_verdict verdict = judge({}, numbers);
    EXPECT_EQ(verdict.end, end::hold);
    EXPECT_NE(verdict.text.find("after 41 within the last 24 hours"), std::string::npos) << verdict.text;
}

TEST(guard, takes_the_percentage_of_the_oldest_list_in_the_window) {
    guard_numbers numbers = thousand();
    numbers.asserted = 10'000;  // grew since
    numbers.removed = 101;
    EXPECT_EQ(judge({}, numbers).end, end::hold);
}

TEST(guard, leaves_small_lists_their_leavers) {
    guard_numbers numbers;
    numbers.staged = 3;
    numbers.asserted = numbers.oldest = 8;
    numbers.removed = 5;
    EXPECT_EQ(judge({}, numbers).end, end::apply) << "the floor is 5";
    numbers.removed = 6;
    EXPECT_EQ(judge({}, numbers).end, end::hold);
}

TEST(guard, never_removes_all_that_there_is_without_a_person) {
    guard_numbers numbers;
    numbers.whole = false;
    numbers.asserted = numbers.oldest = 3;
    numbers.removed = 3;
    const guard_verdict verdict = judge({}, numbers);
    EXPECT_EQ(verdict.end, end::hold);
    EXPECT_NE(verdict.text.find("leave nothing"), std::string::npos) << verdict.text;
}

TEST(guard, takes_an_empty_answer_for_a_fault) {
    guard_numbers numbers = thousand();
    numbers.staged = 0;
    numbers.removed = 1000;
    for (const bool approved : {false, true}) {
        numbers.approved = approved;
        const guard_verdict verdict = judge({}, numbers);
        EXPECT_EQ(verdict.end, end::empty);
        EXPECT_FALSE(verdict.removals);
        EXPECT_FALSE(verdict.additions);
    }
}

TEST(guard, an_empty_directory_of_a_new_source_is_no_fault) {
    EXPECT_EQ(judge({}, {}).end, end::apply);
}

TEST(guard, a_partial_answer_never_removes) {
    guard_numbers numbers = thousand();
    numbers.complete = false;
    numbers.staged = 1;
    numbers.added = 1;
    const guard_verdict verdict = judge({}, numbers);
    EXPECT_EQ(verdict.end, end::apply);
    EXPECT_TRUE(verdict.additions);
    EXPECT_FALSE(verdict.removals);
}

TEST(guard, holds_everything_when_too_much_is_new) {
    guard_limits limits;
    limits.added_percent = 50;
    guard_numbers numbers = thousand();
    numbers.added = 501;
    numbers.removed = 1;
    const guard_verdict verdict = judge(limits, numbers);
    EXPECT_EQ(verdict.end, end::hold);
    EXPECT_FALSE(verdict.additions);
    EXPECT_FALSE(verdict.removals);
    limits = {};
    limits.added_count = 500;
    EXPECT_EQ(judge(limits, numbers).end, end::hold);
    limits = {};
    limits.total_count = 1499;
    EXPECT_EQ(judge(limits, numbers).end, end::hold);
    limits.total_count = 1500;
    EXPECT_EQ(judge(limits, numbers).end, end::apply);
}

TEST(guard, the_first_sync_is_not_a_growth) {
    guard_limits limits;
    limits.added_percent = 50;
    guard_numbers numbers;
    numbers.staged = 1000;
    numbers.added = 1000;
    EXPECT_EQ(judge(limits, numbers).end, end::apply);
}

TEST(guard, a_limit_of_zero_does_not_limit) {
    guard_limits limits;
    limits.removed_count = 0;
    limits.removed_percent = 0;
    guard_numbers numbers = thousand();
    numbers.removed = 999;
    EXPECT_EQ(judge(limits, numbers).end, end::apply);
}

TEST(guard, a_person_may_go_beyond_the_limits) {
    guard_numbers numbers = thousand();
    numbers.removed = 999;
    numbers.approved = true;
    const guard_verdict verdict = judge({}, numbers);
    EXPECT_EQ(verdict.end, end::apply);
    EXPECT_TRUE(verdict.removals);
}

}  // namespace
}  // namespace postern::sync
