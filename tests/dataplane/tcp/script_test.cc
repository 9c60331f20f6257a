// Plays every script in scripts/, one test each, and checks that the player can tell right from wrong.
#include "tests/dataplane/tcp/script.h"

#include <gtest/gtest.h>

namespace postern::tcp::testing {
namespace {

class script : public ::testing::TestWithParam<std::string> {};

TEST_P(script, holds) {
    for (const std::string& complaint : play(read_script(GetParam()))) {
        ADD_FAILURE() << "scripts/" << GetParam() << ", " << complaint;
    }
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
    std::string name = info.param.substr(0, info.param.rfind('.'));
    for (char& c : name) {
        c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    }
    return name;
}

INSTANTIATE_TEST_SUITE_P(tcp, script, ::testing::ValuesIn(script_files()), test_name);

constexpr const char* opening =
    "< S 0:0(0) <mss 1460>\n"
    "> S. 0:0(0) ack 1\n"
    "< . 1:1(0) ack 1\n";

TEST(script_player, notices_what_is_not_as_written) {
    EXPECT_TRUE(play(opening).empty());
    EXPECT_FALSE(play("< S 0:0(0) <mss 1460>\n> S. 0:0(0) ack 2\n").empty()) << "another number";
    EXPECT_FALSE(play("< S 0:0(0) <mss 1460>\n> R. 0:0(0) ack 1\n").empty()) << "other flags";
    EXPECT_FALSE(play("< S 0:0(0) <mss 1460>\n").empty()) << "a segment that was not expected";
    EXPECT_FALSE(play(std::string(opening) + "> . 1:1(0) ack 1\n").empty()) << "a segment that was not sent";
    EXPECT_FALSE(play(std::string(opening) + "? reset\n").empty()) << "another callback";
    EXPECT_FALSE(play(std::string(opening) + "count accepted 2\n").empty()) << "another count";
    EXPECT_FALSE(play(std::string(opening) + "jump\n").empty()) << "no such verb";
    EXPECT_FALSE(play("< S 0:0(0) <mss 1460>\n> S. 0:0(0) ack 1 <mss 1400>\n").empty()) << "other options";
}

}  // namespace
}  // namespace postern::tcp::testing
