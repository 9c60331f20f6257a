#include "board/process/log.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <limits>
#include <string>

namespace postern::process {
namespace {

boost::json::object logged(level at, std::string_view event, std::initializer_list<log_field> fields) {
    ::testing::internal::CaptureStderr();
    log(at, event, fields);
    const std::string line = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    return boost::json::parse(line.substr(0, line.size() - 1)).as_object();
}

TEST(log_test, a_line_is_one_json_object_with_its_fields) {
    start_log("postern-test", level::info);
    const auto line =
        logged(level::warn, "table_refused",
               {{"file", "base-1"}, {"octets", std::size_t{12}}, {"offset", -3}, {"again", true}, {"share", 0.5}});
    EXPECT_EQ(line.at("level"), "warn");
    EXPECT_EQ(line.at("program"), "postern-test");
    EXPECT_EQ(line.at("event"), "table_refused");
    EXPECT_EQ(line.at("file"), "base-1");
    EXPECT_EQ(line.at("octets").to_number<int>(), 12);
    EXPECT_EQ(line.at("offset"), -3);
    EXPECT_EQ(line.at("again"), true);
    EXPECT_EQ(line.at("share"), 0.5);
    EXPECT_EQ(line.at("time").as_string().size(), std::string("2026-01-31T12:00:00.123Z").size());
}

TEST(log_test, hostile_text_cannot_break_the_line) {
    start_log("postern-test", level::info);
    const auto line = logged(level::info, "x", {{"helo", std::string_view("a\"\r\n\0{%v}\xff\xc3", 11)}});
    EXPECT_EQ(line.at("helo"), boost::json::string_view("a\"\r\n\0{%v}\x3f\x3f", 11));
}

TEST(log_test, numbers_keep_their_whole_range) {
    start_log("postern-test", level::info);
    const auto line = logged(level::info, "x", {{"most", std::numeric_limits<std::uint64_t>::max()}});
    EXPECT_EQ(line.at("most").as_uint64(), std::numeric_limits<std::uint64_t>::max());
}

TEST(log_test, less_than_the_least_level_is_not_written) {
    start_log("postern-test", level::warn);
    ::testing::internal::CaptureStderr();
    log(level::info, "quiet");
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(log_test, levels_are_known_by_their_words_only) {
    level found = level::info;
    EXPECT_TRUE(parse_level("error", found));
    EXPECT_EQ(found, level::error);
    EXPECT_FALSE(parse_level("loud", found));
    EXPECT_EQ(found, level::error);
}

}  // namespace
}  // namespace postern::process
