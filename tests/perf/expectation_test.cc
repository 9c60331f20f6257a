#include "perf/expectation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::perf {
namespace {

using testing::HasSubstr;

TEST(expectations, are_those_of_a_server_that_has_the_list_unless_told_otherwise) {
    const expectations expect;
    EXPECT_TRUE(expect.met(expected_reply::greeting, "220 mx ESMTP"));
    EXPECT_TRUE(expect.met(expected_reply::valid, "250 2.1.5 Ok"));
    EXPECT_TRUE(expect.met(expected_reply::stranger, "550 5.1.1 Invalid recipient"));
    EXPECT_FALSE(expect.met(expected_reply::stranger, "450 4.1.1 Invalid recipient"));
    EXPECT_TRUE(expect.met(expected_reply::data_refused, "503 5.5.1 no recipients"));
    EXPECT_TRUE(expect.met(expected_reply::data_refused, "554 5.5.1 no valid recipients"));
    EXPECT_TRUE(expect.met(expected_reply::quit, "221"));
}

TEST(expectations, hold_a_prefix_up_to_a_blank_or_the_end) {
    expectations expect;
    ASSERT_TRUE(expect.set("stranger=550 5.1.1|450"));
    EXPECT_TRUE(expect.met(expected_reply::stranger, "550 5.1.1"));
    EXPECT_TRUE(expect.met(expected_reply::stranger, "550 5.1.1 no"));
    EXPECT_FALSE(expect.met(expected_reply::stranger, "550 5.1.10 no"));
    EXPECT_FALSE(expect.met(expected_reply::stranger, "550 5.7.1 no"));
    EXPECT_TRUE(expect.met(expected_reply::stranger, "450 later"));
    EXPECT_FALSE(expect.met(expected_reply::stranger, "4501"));
    EXPECT_EQ(expect.text(expected_reply::stranger), "550 5.1.1|450");
}

TEST(expectations, refuse_rules_that_say_nothing) {
    expectations expect;
    EXPECT_THAT(expect.set("stranger").error(), HasSubstr("NAME=PREFIX"));
    EXPECT_THAT(expect.set("someone=250").error(), HasSubstr("data-refused"));
    EXPECT_THAT(expect.set("stranger=").error(), HasSubstr("three digits"));
    EXPECT_THAT(expect.set("stranger=5xx").error(), HasSubstr("three digits"));
    EXPECT_THAT(expect.set("stranger=550|").error(), HasSubstr("three digits"));
    EXPECT_TRUE(expect.met(expected_reply::stranger, "550 still as before"));
}

}  // namespace
}  // namespace postern::perf
