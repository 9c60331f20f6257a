#include "board/process/pauses.h"

#include <gtest/gtest.h>

namespace postern::process {
namespace {

using namespace std::chrono_literals;

TEST(pauses, come_after_a_piece_of_work_and_last_their_share_of_it) {
    pauses with(3);
    const auto begin = 1000s;  // of processor time: later than any that this thread has
    EXPECT_GT(with.due(begin), 0ns);
    EXPECT_EQ(with.due(begin + pauses::piece - 1ns), 0ns);
    EXPECT_EQ(with.due(begin + pauses::piece), 3 * pauses::piece);
    EXPECT_EQ(with.due(begin + pauses::piece + 10us), 0ns) << "the next piece counts from the pause";
    EXPECT_EQ(with.due(begin + pauses::piece + 1ms), 3ms) << "what could not be interrupted is made up for";
    EXPECT_EQ(with.taken(), 3u);
}

TEST(pauses, without_a_share_never_come) {
    pauses with;
    EXPECT_EQ(with.due(1000s), 0ns);
    EXPECT_EQ(with.taken(), 0u);
}

}  // namespace
}  // namespace postern::process
