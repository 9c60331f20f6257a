#include "control/sources/ldap/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::sources::ldap {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

TEST(words, say_what_failed_why_and_what_to_do) {
    const std::string words = refusal_words("search DC=example,DC=com", 4, "");
    EXPECT_THAT(words, HasSubstr("cannot search DC=example,DC=com: the server's size limit was reached"));
    EXPECT_THAT(words, HasSubstr("(LDAP 4)"));
    EXPECT_THAT(words, EndsWith("narrow the base or the filter"));
}

TEST(words, tell_active_directorys_reasons_apart) {
    const auto words = [](std::string_view data) {
        return refusal_words("sign in as x", 49, "80090308: LdapErr: DSID-0C0903A9, comment, " + std::string(data));
    };
    EXPECT_THAT(words("data 52e, v1db1"), HasSubstr("the password is wrong"));
    EXPECT_THAT(words("data 533, v1db1"), HasSubstr("the account is disabled"));
    EXPECT_THAT(words("data 775, v1db1"), HasSubstr("the account is locked"));
}

}  // namespace
}  // namespace postern::sources::ldap
