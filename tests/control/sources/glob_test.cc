#include "control/sources/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::sources {
namespace {

TEST(glob, stars_and_question_marks) {
    EXPECT_TRUE(glob_match("svc-*@example.com", "svc-backup@example.com"));
    EXPECT_TRUE(glob_match("*", ""));
    EXPECT_TRUE(glob_match("a?c", "abc"));
    EXPECT_FALSE(glob_match("a?c", "ac"));
    EXPECT_FALSE(glob_match("svc-*", "xsvc-1"));
    EXPECT_TRUE(glob_match("*a*b*c", "xxaxxbxxbxc"));
    EXPECT_FALSE(glob_match("*a*b*c", "xxaxxbxxbxcd"));
    EXPECT_FALSE(glob_match("", "a"));
    EXPECT_TRUE(glob_match("", ""));
}

TEST(glob, ascii_case_does_not_count) {
    EXPECT_TRUE(glob_match("HealthMailbox*", "healthmailbox12@EXAMPLE.com"));
    EXPECT_TRUE(glob_match("[a-c]x", "BX"));
}

TEST(glob, sets_and_their_opposite) {
    EXPECT_TRUE(glob_match("user[0-9]@x", "user7@x"));
    EXPECT_FALSE(glob_match("user[0-9]@x", "userx@x"));
    EXPECT_TRUE(glob_match("user[!0-9]@x", "userx@x"));
    EXPECT_FALSE(glob_match("user[!0-9]@x", "user7@x"));
    EXPECT_TRUE(glob_match("[]]", "]"));
    EXPECT_TRUE(glob_match("[!]]", "a"));
    EXPECT_FALSE(glob_match("[!]]", "]"));
    EXPECT_TRUE(glob_match("[a-]", "-"));
    EXPECT_FALSE(glob_match("[abc]", ""));
}

TEST(glob, a_set_that_is_not_closed_stands_for_itself) {
    EXPECT_TRUE(glob_match("[abc", "[abc"));
    EXPECT_FALSE(glob_match("[abc", "a"));
    EXPECT_TRUE(glob_match("[", "["));
    EXPECT_TRUE(glob_match("[!", "[!"));
}

TEST(glob, a_question_mark_is_one_character) {
    EXPECT_TRUE(glob_match("m?ller", "m\xC3\xBCller"));
    EXPECT_FALSE(glob_match("m??ller", "m\xC3\xBCller"));
    EXPECT_TRUE(glob_match("m??ller", "m\xC3\xC3ller"));  // octets that make no character count one each
    EXPECT_TRUE(glob_match("m[!a]ller", "m\xC3\xBCller"));
}

TEST(glob, a_hostile_pattern_ends_in_time) {
    std::string pattern;
    for (int i = 0; i < 200; ++i) {
        pattern += "*a";
    }
    EXPECT_FALSE(glob_match(pattern + "b", std::string(20'000, 'a')));
}

}  // namespace
}  // namespace postern::sources
