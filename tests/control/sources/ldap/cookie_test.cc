#include "control/sources/ldap/cookie.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::sources::ldap {
namespace {

using namespace std::string_literals;

TEST(cookie, comes_back_as_it_was) {
    sync_cookie cookie;
    cookie.method = change_method::usn;
    cookie.fingerprint = "abc=";
    cookie.whole_at = 1'700'000'000;
    cookie.server = "CN=NTDS Settings,CN=DC1|id";
    cookie.usn = 18'446'744'073'709'551'615ULL;
    cookie.flags = 1;
    cookie.state = "any\0octets \xFF"s;
    EXPECT_EQ(decode_cookie(encode(cookie)), cookie);
    const sync_cookie empty{.method = change_method::dirsync, .fingerprint = {}, .server = {}, .state = {}};
    EXPECT_EQ(decode_cookie(encode(empty)), empty);
}

TEST(cookie, what_is_not_ours_is_none) {
    const std::string good =
        encode({.method = change_method::syncrepl, .fingerprint = "f", .server = {}, .state = "s"});
    ASSERT_TRUE(decode_cookie(good));
    EXPECT_FALSE(decode_cookie(""));
    EXPECT_FALSE(decode_cookie("nonsense"));
    EXPECT_FALSE(decode_cookie(good + " more"));
    EXPECT_FALSE(decode_cookie(good.substr(0, good.size() - 1)));
    EXPECT_FALSE(decode_cookie("ldap2" + good.substr(5)));
    EXPECT_FALSE(decode_cookie("ldap1 none" + good.substr(good.find(" f "))));
}

}  // namespace
}  // namespace postern::sources::ldap
