#include "control/api/encode.h"

#include <gtest/gtest.h>

namespace postern::api {
namespace {

TEST(encode, percent_decoding_takes_whole_octets_only) {
    EXPECT_EQ(percent_decode("a%40b%2e", false), "a@b.");
    EXPECT_EQ(percent_decode("a+b", true), "a b");
    EXPECT_EQ(percent_decode("a+b", false), "a+b");
    for (const char* text : {"%", "%4", "%4g", "a%", "%00", "%-1"}) {
        EXPECT_FALSE(percent_decode(text, true)) << text;
    }
    EXPECT_FALSE(percent_decode(std::string_view("a\0b", 3), true));
}

TEST(encode, percent_encoding_comes_back_as_it_was) {
    const std::string text = "a b&c=d/\xC3\xA4%@+";
    EXPECT_EQ(percent_decode(percent_encode(text), false), text);
    EXPECT_EQ(percent_encode("a@b"), "a%40b");
}

TEST(encode, utf8_is_told_from_what_is_none) {
    for (const char* good :
         {"", "a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
        EXPECT_TRUE(is_utf8(good)) << good;
    }
    for (const char* bad :
         {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "a\xC3"}) {
        EXPECT_FALSE(is_utf8(bad)) << bad;
        EXPECT_TRUE(is_utf8(printable_utf8(bad)));
    }
    EXPECT_EQ(printable_utf8("a\x1b[1m\xC3\xA4\xFF"), "a?[1m\xC3\xA4?");
}

TEST(encode, sha256_is_that_of_the_standard) {
    EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_stream pieces;
    pieces.add("a");
    pieces.add("");
    pieces.add("bc");
    EXPECT_EQ(pieces.finish(), sha256("abc"));
}

TEST(encode, random_octets_differ) {
    EXPECT_NE(random_octets(16), random_octets(16));
}

}  // namespace
}  // namespace postern::api
