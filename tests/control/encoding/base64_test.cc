#include "control/encoding/base64.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::encoding {
namespace {

TEST(base64, is_that_of_the_rfc) {
    const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [octets, text] : vectors) {
        EXPECT_EQ(to_base64(octets), text);
        EXPECT_EQ(from_base64(text), octets);
    }
    EXPECT_EQ(to_base64url("\xFB\xFF"), "-_8");
    EXPECT_EQ(to_base64("\xFB\xFF"), "+/8=");
}

TEST(base64, comes_back_as_it_was) {
    std::string octets;
    for (int each = 0; each < 300; ++each) {
        const std::string text = to_base64url(octets);
        EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                  std::string::npos);
        EXPECT_EQ(from_base64url(text), octets);
        EXPECT_EQ(from_base64(to_base64(octets)), octets);
        octets += static_cast<char>(each * 7);
    }
}

TEST(base64, is_read_in_one_way_only) {
    for (const char* text : {"A", "AA==", "A+BC", "A/BC", "AB C", "AB\n", "AAAAA", "AB" /* bits left over */}) {
        EXPECT_FALSE(from_base64url(text)) << text;
    }
    for (const char* text : {"Zm9", "Zm9=Zm9=", "Zm=v", "Z===", "Zm9!", "A-BC", "YTpiYw===", "YTpiYw=", "YTpiYw",
                             "====", "Zm9vYh==" /* bits left over */}) {
        EXPECT_FALSE(from_base64(text)) << text;
    }
}

}  // namespace
}  // namespace postern::encoding
