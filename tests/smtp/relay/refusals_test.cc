// What is remembered of refusals, under a virtual clock.
#include "smtp/relay/refusals.h"

#include <gtest/gtest.h>

#include "smtp/relay/reply.h"

namespace postern::relay::test {
namespace {

using namespace std::chrono_literals;

TEST(relay_refusals, a_refusal_is_remembered_for_its_time_and_route) {
    refusal_memory memory(10, 600s);
    memory.remember(1, "Bob@Example.com", make_reply(550, "5.1.1", "nobody"), 100s);
    ASSERT_TRUE(memory.recall(1, "bob@example.COM", 699s).has_value());
    EXPECT_EQ(memory.recall(1, "bob@example.com", 699s)->view(), "550 5.1.1 nobody");
    EXPECT_FALSE(memory.recall(2, "bob@example.com", 100s).has_value());
    EXPECT_FALSE(memory.recall(1, "rob@example.com", 100s).has_value());
    EXPECT_FALSE(memory.recall(1, "bob@example.com", 700s).has_value());
    EXPECT_EQ(memory.size(), 0U);
}

TEST(relay_refusals, the_least_recently_asked_goes_first) {
    refusal_memory memory(3, 600s);
    const reply no = make_reply(550, "5.1.1", "no");
    memory.remember(1, "a", no, 0s);
    memory.remember(1, "b", no, 0s);
    memory.remember(1, "c", no, 0s);
    EXPECT_TRUE(memory.recall(1, "a", 1s).has_value());
    memory.remember(1, "d", no, 1s);
    EXPECT_EQ(memory.size(), 3U);
    EXPECT_TRUE(memory.recall(1, "a", 1s).has_value());
    EXPECT_FALSE(memory.recall(1, "b", 1s).has_value());
    EXPECT_TRUE(memory.recall(1, "c", 1s).has_value());
    EXPECT_TRUE(memory.recall(1, "d", 1s).has_value());
}

TEST(relay_refusals, a_second_refusal_renews_the_first) {
    refusal_memory memory(3, 600s);
    memory.remember(1, "a", make_reply(550, "5.1.1", "one"), 0s);
    memory.remember(1, "a", make_reply(550, "5.1.1", "two"), 300s);
    EXPECT_EQ(memory.size(), 1U);
    EXPECT_EQ(memory.recall(1, "a", 800s)->view(), "550 5.1.1 two");
}

TEST(relay_refusals, a_row_of_distinct_ones_trips_once) {
    refusal_row row(3);
    EXPECT_EQ(row.refused("a"), refusal_row::change::none);
    EXPECT_EQ(row.refused("a"), refusal_row::change::none);
    EXPECT_EQ(row.refused("A"), refusal_row::change::none);
    EXPECT_EQ(row.refused("b"), refusal_row::change::none);
    EXPECT_FALSE(row.distrusted());
    EXPECT_EQ(row.refused("c"), refusal_row::change::tripped);
    EXPECT_TRUE(row.distrusted());
    EXPECT_EQ(row.refused("d"), refusal_row::change::none);
    row.accepted();
    EXPECT_TRUE(row.distrusted()) << "only a probe or a person ends it";
    EXPECT_TRUE(row.lift());
    EXPECT_FALSE(row.distrusted());
    EXPECT_FALSE(row.lift());
}

TEST(relay_refusals, one_accepted_begins_the_row_anew) {
    refusal_row row(3);
    row.refused("a");
    row.refused("b");
    row.accepted();
    EXPECT_EQ(row.refused("c"), refusal_row::change::none);
    EXPECT_EQ(row.refused("d"), refusal_row::change::none);
    EXPECT_EQ(row.refused("e"), refusal_row::change::tripped);
}

TEST(relay_refusals, a_rate_has_its_burst_and_then_its_pace) {
    rate_limit rate(10, 3);
    EXPECT_TRUE(rate.take(1s));
    EXPECT_TRUE(rate.take(1s));
    EXPECT_TRUE(rate.take(1s));
    EXPECT_FALSE(rate.take(1s));
    EXPECT_FALSE(rate.take(1s + 99ms));
    EXPECT_TRUE(rate.take(1s + 100ms));
    EXPECT_FALSE(rate.take(1s + 100ms));
    EXPECT_TRUE(rate.take(60s));
    EXPECT_TRUE(rate.take(60s));
    EXPECT_TRUE(rate.take(60s));
    EXPECT_FALSE(rate.take(60s));
    rate_limit none(0, 100);
    EXPECT_FALSE(none.take(1s));
}

}  // namespace
}  // namespace postern::relay::test
