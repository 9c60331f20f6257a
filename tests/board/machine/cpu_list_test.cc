#include "board/machine/cpu_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::machine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

TEST(cpu_list, ranges_and_numbers_are_read_in_rising_order) {
    EXPECT_THAT(parse_cpu_list("0-3,8"), Optional(ElementsAre(0U, 1U, 2U, 3U, 8U)));
    EXPECT_THAT(parse_cpu_list("8,0-1,1"), Optional(ElementsAre(0U, 1U, 8U)));
    EXPECT_THAT(parse_cpu_list("7"), Optional(ElementsAre(7U)));
    EXPECT_THAT(parse_cpu_list(""), Optional(IsEmpty()));
}

TEST(cpu_list, anything_else_is_none) {
    for (const char* const text :
         {"(null)", "3-1", "-1", "1-", "a", "0x2", "4096", "0-99999999999999999999", "1 2", "1--2"}) {
        EXPECT_FALSE(parse_cpu_list(text)) << text;
    }
}

TEST(cpu_list, text_is_as_short_as_the_kernels) {
    EXPECT_EQ(cpu_list_text({0, 1, 2, 3, 8}), "0-3,8");
    EXPECT_EQ(cpu_list_text({2, 4}), "2,4");
    EXPECT_EQ(cpu_list_text({}), "");
    for (const char* const text : {"0", "0-1", "1,3,5-7", "0-4095"}) {
        EXPECT_EQ(cpu_list_text(*parse_cpu_list(text)), text);
    }
}

}  // namespace
}  // namespace postern::machine
