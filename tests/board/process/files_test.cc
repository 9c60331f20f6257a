#include "board/process/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace postern::process {
namespace {

class files_test : public ::testing::Test {
protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "postern-files-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        _folder = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(_folder); }
    std::string path(const std::string& name) const { return _folder + "/" + name; }

    std::string _folder;
};

TEST_F(files_test, a_replaced_file_has_the_new_content_and_mode_and_leaves_no_temporary) {
    ASSERT_TRUE(replace_file(path("a"), "old", 0644));
    ASSERT_TRUE(replace_file(path("a"), "new content", 0600));
    EXPECT_EQ(read_file(path("a"), 100).value(), "new content");
    struct stat facts {};
    ASSERT_EQ(::stat(path("a").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(_folder), std::filesystem::directory_iterator()), 1);
}

TEST_F(files_test, a_left_over_temporary_of_a_crash_does_not_hinder_the_next_replacement) {
    std::ofstream(path(".a.new")) << "half of something longer than the new content";
    ASSERT_TRUE(replace_file(path("a"), "whole", 0644));
    EXPECT_EQ(read_file(path("a"), 100).value(), "whole");
}

TEST_F(files_test, a_temporary_that_is_a_link_is_not_followed) {
    std::ofstream(path("victim")) << "precious";
    std::filesystem::create_symlink(path("victim"), path(".a.new"));
    EXPECT_FALSE(replace_file(path("a"), "x", 0644));
    EXPECT_EQ(read_file(path("victim"), 100).value(), "precious");
}

TEST_F(files_test, reading_names_the_file_that_is_missing) {
    const auto content = read_file(path("absent"), 100);
    ASSERT_FALSE(content);
    EXPECT_EQ(content.error(), "cannot open " + path("absent") + ": No such file or directory");
}

TEST_F(files_test, reading_stops_at_the_limit) {
    ASSERT_TRUE(replace_file(path("a"), std::string(1000, 'x'), 0644));
    EXPECT_TRUE(read_file(path("a"), 1000));
    const auto content = read_file(path("a"), 999);
    ASSERT_FALSE(content);
    EXPECT_NE(content.error().find("larger than 999 octets"), std::string::npos);
}

TEST_F(files_test, a_folder_that_is_missing_is_an_error) {
    const auto done = replace_file(path("none/a"), "x", 0644);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().find(path("none")), std::string::npos);
}

TEST_F(files_test, a_descriptor_closes_what_it_owns_once) {
    descriptor first(::open(_folder.c_str(), O_RDONLY | O_DIRECTORY));
    const int number = first.get();
    descriptor second(std::move(first));
    EXPECT_EQ(second.get(), number);
    second = descriptor();
    EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

}  // namespace
}  // namespace postern::process
