#include "control/sources/microsoft365/retry.h"

#include <gtest/gtest.h>

namespace postern::sources::microsoft365 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(retry, without_a_word_of_the_server_pauses_double_up_to_a_minute) {
    EXPECT_EQ(pause_before_retry(1, {}, 0), seconds(1));
    EXPECT_EQ(pause_before_retry(2, {}, 0), seconds(2));
    EXPECT_EQ(pause_before_retry(4, {}, 0), seconds(8));
    EXPECT_EQ(pause_before_retry(7, {}, 0), seconds(60));
}

TEST(retry, waits_at_least_as_long_as_the_server_asks) {
    EXPECT_EQ(pause_before_retry(1, seconds(120), 0), seconds(120));
    EXPECT_EQ(pause_before_retry(5, seconds(3), 0), seconds(3));
    EXPECT_EQ(pause_before_retry(2, seconds(0), 0), seconds(2));
}

TEST(retry, spreads_by_up_to_half_of_the_pause) {
    EXPECT_EQ(pause_before_retry(2, {}, 1), seconds(3));
    EXPECT_EQ(pause_before_retry(1, seconds(600), 1), seconds(630));
}

TEST(retry, has_an_end) {
    EXPECT_FALSE(pause_before_retry(most_tries, {}, 0));
    EXPECT_FALSE(pause_before_retry(1, longest_pause + seconds(1), 0));
    EXPECT_TRUE(pause_before_retry(1, longest_pause, 0));
}

}  // namespace
}  // namespace postern::sources::microsoft365
