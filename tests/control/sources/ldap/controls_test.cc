#include "control/sources/ldap/controls.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>

#include "control/sources/ldap/ber.h"

namespace postern::sources::ldap {
namespace {

using namespace std::string_literals;

const std::string id = "0123456789abcdef";

TEST(ber, integers_take_their_shortest_form) {
    const auto encoded = [](std::int64_t value) {
        std::string out;
        append_integer(out, value);
        return out;
    };
    EXPECT_EQ(encoded(0), "\x02\x01\x00"s);
    EXPECT_EQ(encoded(127), "\x02\x01\x7F"s);
    EXPECT_EQ(encoded(128), "\x02\x02\x00\x80"s);
    EXPECT_EQ(encoded(-1), "\x02\x01\xFF"s);
    for (const std::int64_t each : {std::int64_t{500}, std::int64_t{-129}, std::numeric_limits<std::int64_t>::max(),
                                    std::numeric_limits<std::int64_t>::min()}) {
        const std::string text = encoded(each);
        EXPECT_EQ(ber_reader(text).take_integer(), each);
    }
}

TEST(ber, nothing_is_read_past_the_end_and_no_length_is_believed) {
    for (const std::string& each : {""s, "\x04"s, "\x04\x01"s, "\x04\x80"s, "\x04\x81"s,
                                    "\x04\x85\x01\x01\x01\x01\x01"s, "\x04\x84\xFF\xFF\xFF\xFF"s, "\x04\x7F x"s}) {
        EXPECT_FALSE(ber_reader(each).take(tag::octet_string)) << each.size();
    }
    const std::string wrong_tag = "\x02\x01\x00"s;
    ber_reader reader(wrong_tag);
    EXPECT_FALSE(reader.take(tag::octet_string));
    EXPECT_EQ(reader.take_integer(), 0) << "a refusal leaves the reader where it was";
    const std::string nine = "\x02\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01"s;
    EXPECT_FALSE(ber_reader(nine).take_integer());
}

TEST(ber, long_contents_have_long_lengths) {
    std::string out;
    append_element(out, tag::octet_string, std::string(70'000, 'x'));
    EXPECT_EQ(ber_reader(out).take(tag::octet_string).value_or("").size(), 70'000U);
}

TEST(controls, pages) {
    EXPECT_EQ(encode_paged(500, ""), "\x30\x06\x02\x02\x01\xF4\x04\x00"s);
    const auto value = decode_paged(
        "\x30\x08\x02\x01\x00\x04\x03"
        "abc"s);
    ASSERT_TRUE(value);
    EXPECT_EQ(value->cookie, "abc");
    EXPECT_FALSE(
        decode_paged("\x30\x08\x02\x01\x00\x04\x03"
                     "abcd"s))
        << "something behind it";
    EXPECT_FALSE(decode_paged("\x30\x03\x02\x01\x00"s)) << "no cookie";
}

TEST(controls, dirsync_there_and_back) {
    EXPECT_EQ(encode_dirsync(1, 0, "c"),
              "\x30\x09\x02\x01\x01\x02\x01\x00\x04\x01"
              "c"s);
    const auto value = decode_dirsync(
        "\x30\x09\x02\x01\x01\x02\x01\x00\x04\x01"
        "c"s);
    ASSERT_TRUE(value);
    EXPECT_TRUE(value->more);
    EXPECT_EQ(value->cookie, "c");
    EXPECT_FALSE(decode_dirsync("\x30\x00"s));
}

TEST(controls, sync_request_leaves_out_an_empty_cookie) {
    EXPECT_EQ(encode_sync_request(sync_mode::refresh_only, ""), "\x30\x06\x0A\x01\x01\x01\x01\xFF"s);
    EXPECT_EQ(encode_sync_request(sync_mode::refresh_and_persist, "c"),
              "\x30\x09\x0A\x01\x03\x04\x01"
              "c\x01\x01\xFF"s);
}

std::string sequence(const std::string& content) {
    std::string out;
    append_element(out, tag::sequence, content);
    return out;
}

TEST(controls, sync_state) {
    const std::string modify = "\x0A\x01\x02\x04\x10"s + id;
    const auto value = decode_sync_state(sequence(modify));
    ASSERT_TRUE(value);
    EXPECT_EQ(value->state, sync_state_value::state::modify);
    EXPECT_EQ(std::string(value->uuid.begin(), value->uuid.end()), id);
    EXPECT_FALSE(value->cookie);
    EXPECT_EQ(decode_sync_state(sequence(modify + "\x04\x01z"s))->cookie, "z");
    EXPECT_FALSE(decode_sync_state(sequence("\x0A\x01\x04\x04\x10"s + id))) << "there is no fifth state";
    EXPECT_FALSE(decode_sync_state(sequence("\x0A\x01\x02\x04\x0F"s + id.substr(1)))) << "too short for an id";
}

TEST(controls, sync_done_has_everything_optional) {
    const auto empty = decode_sync_done(sequence(""));
    ASSERT_TRUE(empty);
    EXPECT_FALSE(empty->cookie);
    EXPECT_FALSE(empty->refresh_deletes);
    const auto full =
        decode_sync_done(sequence("\x04\x03"
                                  "csn\x01\x01\xFF"s));
    ASSERT_TRUE(full);
    EXPECT_EQ(full->cookie, "csn");
    EXPECT_TRUE(full->refresh_deletes);
    EXPECT_FALSE(decode_sync_done(sequence("\x02\x01\x00"s)));
}

TEST(controls, sync_info_of_each_kind) {
    EXPECT_EQ(decode_sync_info("\x80\x03"
                               "csn"s)
                  ->cookie,
              "csn");
    const auto deleted = decode_sync_info("\xA1\x00"s);
    ASSERT_TRUE(deleted);
    EXPECT_EQ(deleted->kind, sync_info_value::kind::refresh_delete);
    EXPECT_TRUE(deleted->refresh_done) << "the default";
    EXPECT_FALSE(decode_sync_info("\xA2\x03\x01\x01\x00"s)->refresh_done);
    const std::string ids = "\x04\x10"s + id + "\x04\x10"s + id;
    std::string content = "\x01\x01\xFF"s;
    append_element(content, tag::set, ids);
    std::string info;
    append_element(info, 0xA3, content);
    const auto set = decode_sync_info(info);
    ASSERT_TRUE(set);
    EXPECT_TRUE(set->refresh_deletes);
    EXPECT_EQ(set->ids.size(), 2U);
    EXPECT_FALSE(decode_sync_info("\xA4\x00"s));
    EXPECT_FALSE(decode_sync_info(info + "x"));
    EXPECT_FALSE(decode_sync_info(""));
}

}  // namespace
}  // namespace postern::sources::ldap
