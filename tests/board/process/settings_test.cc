#include "board/process/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::process {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(settings, absent_keys_leave_their_defaults) {
    settings_file file("", "x.toml");
    auto section = file.root().table("limits");
    int number = 7;
    std::string text = "as it was";
    bool yes = true;
    std::size_t choice = 2;
    section.number("number", number, 1, 10);
    section.text("text", text);
    section.boolean("yes", yes);
    section.choice("choice", choice, {"a", "b", "c"});
    EXPECT_FALSE(section.present());
    EXPECT_EQ(number, 7);
    EXPECT_EQ(text, "as it was");
    EXPECT_TRUE(yes);
    EXPECT_EQ(choice, 2U);
    EXPECT_THAT(file.finish(), IsEmpty());
}

TEST(settings, values_are_read) {
    settings_file file("top = \"x\"\n[limits]\nnumber = 1_000\nyes = false\nchoice = \"b\"\nnames = [\"p\", \"q\"]\n",
                       "x.toml");
    auto root = file.root();
    std::string top;
    root.text("top", top);
    auto section = root.table("limits");
    std::uint16_t number = 0;
    bool yes = true;
    std::size_t choice = 0;
    std::vector<std::string> names;
    section.number<std::uint16_t>("number", number, 1, 1000);
    section.boolean("yes", yes);
    section.choice("choice", choice, {"a", "b"});
    section.texts("names", names);
    EXPECT_THAT(file.finish(), IsEmpty());
    EXPECT_EQ(top, "x");
    EXPECT_EQ(number, 1000);
    EXPECT_FALSE(yes);
    EXPECT_EQ(choice, 1U);
    EXPECT_THAT(names, ElementsAre("p", "q"));
}

TEST(settings, a_header_without_a_name_is_an_error_in_every_build) {
    settings_file file("[a]\n[ # one\n\n]]\nb = 1\n", "x.toml");
    EXPECT_FALSE(file.parsed());
    EXPECT_THAT(file.finish(), ElementsAre(::testing::HasSubstr("x.toml:2: this is not TOML")));
}

TEST(settings, letters_beyond_ascii_stand_in_quotes_and_are_an_error_elsewhere) {
    for (const char* letter : {"\xc3\xa9", "\xc4\xba", "\xe3\x80\x81", "\xef\xbb\xbe"}) {
        const std::string name = letter;
        settings_file bare("d" + name + " = 1\n", "x.toml");
        EXPECT_THAT(bare.finish(), ElementsAre(::testing::StartsWith("x.toml:1: this is not TOML: ")));
        std::string text = "name = \"\"\"\\\n  ";
        text.append(name).append("\"\"\" # ").append(name).append("\n");
        settings_file quoted(text, "x.toml");
        std::string value;
        quoted.root().text("name", value);
        EXPECT_THAT(quoted.finish(), IsEmpty());
        EXPECT_EQ(value, name);
    }
}

TEST(settings, a_reader_of_a_part_leaves_unknown_keys_alone_but_not_wrong_values) {
    settings_file file("[mine]\nnumber = \"x\"\nother = 1\n[theirs]\nkey = 1\n", "x.toml");
    int number = 0;
    file.root().table("mine").number("number", number, 0, 9);
    EXPECT_THAT(file.finish(unknown_keys::left_alone), ElementsAre(::testing::HasSubstr("mine.number")));
}

TEST(settings, each_wrong_value_names_file_line_key_value_and_remedy) {
    settings_file file(
        "[s]\nlow = 0\nword = 5\nflag = \"true\"\npick = \"d\"\nlist = [1]\nreal = 1.5\nnul = \"a\\u0000b\"\n",
        "x.toml");
    auto section = file.root().table("s");
    int number = 3;
    std::string text;
    bool flag = false;
    std::size_t pick = 0;
    std::vector<std::string> list;
    section.number("low", number, 1, 9);
    section.text("word", text);
    section.boolean("flag", flag);
    section.choice("pick", pick, {"a", "b"});
    section.texts("list", list);
    section.number("real", number, 1, 9);
    section.text("nul", text);
    EXPECT_THAT(file.finish(), ElementsAre("x.toml:2: s.low = 0: it must be from 1 to 9",
                                           "x.toml:3: s.word = 5: it must be a string; put it in double quotes",
                                           "x.toml:4: s.flag = \"true\": it must be true or false, without quotes",
                                           "x.toml:5: s.pick = \"d\": it must be one of \"a\", \"b\"",
                                           "x.toml:6: s.list = (an array): it must be an array of strings; write "
                                           "[\"one\", \"two\"]",
                                           "x.toml:7: s.real = 1.5: it must be a whole number, without quotes",
                                           ::testing::StartsWith("x.toml:8: s.nul = ")));
    EXPECT_EQ(number, 3);
}

TEST(settings, unknown_keys_and_sections_are_errors_that_name_the_known_ones) {
    settings_file file("[s]\nknown = 1\nunknwon = 1\n[t]\nx = 1\n", "x.toml");
    auto section = file.root().table("s");
    int number = 0;
    section.number("known", number, 0, 9);
    section.number("other", number, 0, 9);
    EXPECT_THAT(file.finish(),
                ElementsAre("x.toml:3: s.unknwon: there is no such key; remove it, or use one of known, other",
                            "x.toml:4: t: there is no such section; remove it, or use one of s"));
}

TEST(settings, one_bracket_where_two_are_wanted_says_so) {
    settings_file file("[listener]\nport = 1\n", "x.toml");
    EXPECT_THAT(file.root().tables("listener"), IsEmpty());
    const auto errors = file.finish();
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_THAT(errors[0], ::testing::HasSubstr("[[listener]]"));
}

TEST(settings, a_key_where_a_section_is_wanted_says_so) {
    settings_file file("s = 1\n", "x.toml");
    EXPECT_FALSE(file.root().table("s").present());
    EXPECT_THAT(file.finish(), ElementsAre("x.toml:1: s = 1: it must be a section; write [s] on a line of its own"));
}

TEST(settings, what_is_not_toml_is_one_error_with_its_line) {
    settings_file file("[s]\nx = = 1\n[t]\n", "x.toml");
    EXPECT_FALSE(file.parsed());
    const auto errors = file.finish();
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_THAT(errors[0], ::testing::StartsWith("x.toml:2: this is not TOML: "));
}

}  // namespace
}  // namespace postern::process
