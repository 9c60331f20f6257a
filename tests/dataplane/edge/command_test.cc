#include "dataplane/edge/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::edge {
namespace {

using ::testing::HasSubstr;

std::string error_of(std::string_view line) {
    const auto parsed = parse_command(line);
    return parsed ? "(no error)" : parsed.error();
}

TEST(command, every_form_that_help_lists_is_a_command) {
    for (const std::string_view form : command_forms()) {
        std::string line(form);
        // the longer of two arguments that begin alike first: each is replaced whole
        for (const auto& [argument, value] :
             std::vector<std::pair<std::string, std::string>>{{"BASE|-", "b1"},
                                                              {"[OVERLAY]", "o1"},
                                                              {"[GENERATION]", "7"},
                                                              {"[N]", "2"},
                                                              {"ADDRESS[/PREFIX]", "192.0.2.0/24"},
                                                              {"[SECONDS [MIB]]", "60 64"},
                                                              {"ADDRESS", "a@b"},
                                                              {"FILE", "one"},
                                                              {"SINCE", "0"},
                                                              {"[MAX]", "9"},
                                                              {"NUMBER", "4"}}) {
            if (const auto at = line.find(argument); at != std::string::npos) {
                line.replace(at, argument.size(), value);
            }
        }
        EXPECT_TRUE(parse_command(line)) << line;
    }
}

TEST(command, prepare_takes_names_and_a_dash) {
    auto said = parse_command("table prepare base-5.table overlay_6");
    ASSERT_TRUE(said);
    EXPECT_EQ(said->what, verb::table_prepare);
    EXPECT_EQ(said->base, "base-5.table");
    EXPECT_EQ(said->overlay, "overlay_6");
    said = parse_command("  table\tprepare  -   o \r");
    ASSERT_TRUE(said);
    EXPECT_EQ(said->base, "");
    EXPECT_EQ(said->overlay, "o");
    said = parse_command("table prepare b");
    ASSERT_TRUE(said);
    EXPECT_EQ(said->overlay, "");
}

TEST(command, prepare_never_takes_a_path) {
    for (const char* name : {"/etc/passwd", "../x", "a/b", ".", "..", ".hidden", "-x", "a\\b", "a*b", "ü"}) {
        EXPECT_THAT(error_of("table prepare " + std::string(name)), HasSubstr("not the name of a file")) << name;
        EXPECT_THAT(error_of("table prepare b " + std::string(name)), HasSubstr("not the name of a file")) << name;
    }
    EXPECT_THAT(error_of("table prepare b -"), HasSubstr("not the name of a file"));
    EXPECT_TRUE(is_file_name(std::string(255, 'a')));
    EXPECT_FALSE(is_file_name(std::string(256, 'a')));
    EXPECT_FALSE(is_file_name(""));
}

TEST(command, numbers_are_whole_and_above_zero) {
    EXPECT_EQ(parse_command("table commit")->number, std::nullopt);
    EXPECT_EQ(parse_command("table commit 18446744073709551615")->number, 18446744073709551615U);
    EXPECT_EQ(parse_command("table rollback 3")->number, 3U);
    for (const char* word : {"0", "-1", "+1", "1.5", "x", "1x", "18446744073709551616"}) {
        EXPECT_THAT(error_of("table commit " + std::string(word)), HasSubstr("not a whole number")) << word;
    }
}

TEST(command, events_take_a_number_that_may_be_0_and_a_most) {
    EXPECT_EQ(parse_command("events 0")->since, 0U);
    EXPECT_EQ(parse_command("events 0")->most, std::nullopt);
    EXPECT_EQ(parse_command("events 12 500")->since, 12U);
    EXPECT_EQ(parse_command("events 12 500")->most, 500U);
    EXPECT_EQ(parse_command("events ack 12")->what, verb::events_acknowledge);
    EXPECT_EQ(parse_command("events ack 12")->number, 12U);
    EXPECT_THAT(error_of("events"), HasSubstr("write: events SINCE [MAX]"));
    EXPECT_THAT(error_of("events x"), HasSubstr("not a whole number"));
    EXPECT_THAT(error_of("events 1 0"), HasSubstr("above 0"));
    EXPECT_THAT(error_of("events ack"), HasSubstr("write: events ack NUMBER"));
    EXPECT_THAT(error_of("events ack 0"), HasSubstr("above 0"));
}

TEST(command, explain_takes_the_rest_of_the_line) {
    EXPECT_EQ(parse_command("explain  \"a b\"@example.com \r")->address, "\"a b\"@example.com");
    EXPECT_EQ(parse_command("explain grüße@example.com")->address, "grüße@example.com");
    EXPECT_THAT(error_of("explain"), HasSubstr("explain ADDRESS"));
    EXPECT_THAT(error_of("explain   "), HasSubstr("explain ADDRESS"));
}

TEST(command, what_is_wrong_is_said_with_the_form_that_is_right) {
    EXPECT_THAT(error_of("table prepare"), HasSubstr("write: table prepare"));
    EXPECT_THAT(error_of("table prepare a b c"), HasSubstr("too many words"));
    EXPECT_THAT(error_of("drain now"), HasSubstr("write: drain"));
    EXPECT_THAT(error_of("tabel commit"), HasSubstr("\"tabel\" is not a command; \"help\" lists them"));
    EXPECT_THAT(error_of("show tables"), HasSubstr("\"show tables\" is not a command"));
    EXPECT_THAT(error_of("SHOW table"), HasSubstr("not a command"));
    EXPECT_THAT(error_of("show"), HasSubstr("not a command"));
    EXPECT_THAT(error_of(""), HasSubstr("empty line"));
    EXPECT_THAT(error_of(" \t \r"), HasSubstr("empty line"));
    EXPECT_THAT(error_of("a b c d e f g h i j k"), HasSubstr("not a command"));
}

TEST(command, hostile_lines_are_refused_with_words_that_are_utf8) {
    EXPECT_THAT(error_of(std::string_view("show\0table", 10)), HasSubstr("control character"));
    EXPECT_THAT(error_of("show \x1b[31m"), HasSubstr("control character"));
    EXPECT_THAT(error_of("show \xff"), HasSubstr("not UTF-8"));
    EXPECT_THAT(error_of(std::string(longest_command + 1, 'x')), HasSubstr("longer than 4096"));
    // The message shows the beginning only, cut between characters.
    std::string wide;
    while (wide.size() < 100) {
        wide += "€";
    }
    EXPECT_THAT(error_of(wide), HasSubstr("€…\""));
}

TEST(command, a_capture_has_a_file_a_filter_and_bounds) {
    const auto whole = parse_command("capture start monday 2001:db8::/32 600 16");
    ASSERT_TRUE(whole) << whole.error();
    EXPECT_EQ(whole->what, verb::capture_start);
    EXPECT_EQ(whole->file, "monday");
    EXPECT_EQ(whole->network[0], 0x20);
    EXPECT_EQ(whole->prefix, 32);
    EXPECT_EQ(whole->seconds, 600U);
    EXPECT_EQ(whole->mib, 16U);
    const auto least = parse_command("capture start monday 192.0.2.9");
    ASSERT_TRUE(least) << least.error();
    EXPECT_EQ(least->prefix, 32);
    EXPECT_EQ(least->seconds, 60U);
    EXPECT_EQ(least->mib, 64U);
    for (const char* wrong :
         {"capture start", "capture start monday", "capture start ../monday 192.0.2.9", "capture start monday host",
          "capture start monday 192.0.2.9/33", "capture start monday 192.0.2.9/x", "capture start monday 0.0.0.0/7",
          "capture start monday 192.0.2.9 0", "capture start monday 192.0.2.9 3601",
          "capture start monday 192.0.2.9 60 1025", "capture start monday 192.0.2.9 60 64 1", "capture stop now"}) {
        EXPECT_FALSE(parse_command(wrong)) << wrong;
    }
}

}  // namespace
}  // namespace postern::edge
