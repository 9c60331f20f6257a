// Plays every dialogue of tests/smtp/session/golden in every way.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/smtp/session/dialogue.h"

namespace postern::session::testing {

namespace {

std::vector<std::string> dialogues() {
    std::vector<std::string> all;
    for (const auto& file : std::filesystem::directory_iterator(POSTERN_SOURCE_DIR "/tests/smtp/session/golden")) {
        all.push_back(file.path().stem().string());
    }
    std::sort(all.begin(), all.end());
    return all;
}

class golden : public ::testing::TestWithParam<std::string> {
protected:
    static void expect_as_written(playing how) {
        const std::string path = POSTERN_SOURCE_DIR "/tests/smtp/session/golden/" + GetParam() + ".txt";
        for (const std::string& difference : play(path, how)) {
            ADD_FAILURE() << path << ": " << difference;
        }
    }
};

TEST_P(golden, is_spoken_as_written) {
    expect_as_written(playing::as_written);
}
TEST_P(golden, is_the_same_octet_by_octet) {
    expect_as_written(playing::octet_by_octet);
}
TEST_P(golden, is_the_same_when_pipelined) {
    expect_as_written(playing::pipelined);
}

INSTANTIATE_TEST_SUITE_P(all, golden, ::testing::ValuesIn(dialogues()),
                         [](const auto& dialogue) { return dialogue.param; });

}  // namespace

}  // namespace postern::session::testing
