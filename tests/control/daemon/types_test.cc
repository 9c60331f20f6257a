// What the types of directory sources make of an order: the field that is wrong, by the API's name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/daemon/ldap_type.h"
#include "control/daemon/microsoft365_type.h"

namespace postern::daemon {
namespace {

using testing::HasSubstr;

constexpr const char* ldap_settings =
    R"({"servers": ["dc1.example.com"], "bind_name": "cn=x", "base": "dc=example,dc=com"})";
constexpr const char* tenant_settings = R"({"tenant": "example.com", "client_id": "x"})";

directory::result<void> check(const sync::source_type& type, const std::string& settings, const std::string& secret) {
    return type.check({"name", 1, settings, secret});
}

TEST(source_types, take_settings_with_their_secrets) {
    EXPECT_TRUE(check(ldap_type({}), ldap_settings, R"({"password": "p"})"));
    EXPECT_TRUE(check(microsoft365_type({}), tenant_settings, R"({"client_secret": "p"})"));
    EXPECT_TRUE(check(microsoft365_type({}), tenant_settings, ""));
    EXPECT_TRUE(microsoft365_type({}).make({"name", 1, tenant_settings, ""}));
}

TEST(source_types, name_the_setting_that_is_wrong) {
    const auto wrong = check(microsoft365_type({}), R"({"tenant": "a b", "client_id": "x"})", "");
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().kind, directory::error_kind::invalid);
    EXPECT_EQ(wrong.error().field, "settings/tenant");
    EXPECT_EQ(check(ldap_type({}), "{}", "").error().field, "settings/servers");
    EXPECT_EQ(check(ldap_type({}), "[]", "").error().field, "settings");
    EXPECT_THAT(microsoft365_type({}).make({"name", 1, "{}", ""}).error(), HasSubstr("tenant: "));
}

TEST(source_types, know_their_own_secrets_alone_and_never_repeat_one) {
    for (const char* const secret :
         {R"({"password": "hush"})", R"({"client_secret": ["hush"]})", "hush", R"(["hush"])"}) {
        const auto wrong = check(microsoft365_type({}), tenant_settings, secret);
        ASSERT_FALSE(wrong) << secret;
        EXPECT_EQ(wrong.error().field, "secrets");
        EXPECT_THAT(wrong.error().text, testing::Not(HasSubstr("hush")));
    }
    EXPECT_THAT(check(ldap_type({}), ldap_settings, R"({"client_secret": "x"})").error().text,
                HasSubstr("an LDAP source has no secret \"client_secret\"; there are: password, client_key"));
}

TEST(source_types, a_test_of_settings_that_can_not_be_read_says_so) {
    const std::atomic<bool> stop{false};
    const auto report = microsoft365_type({}).test({"name", 1, "{}", ""}, stop);
    EXPECT_FALSE(report.good);
    ASSERT_EQ(report.steps.size(), 1U);
    EXPECT_EQ(report.steps[0].name, "settings");
}

}  // namespace
}  // namespace postern::daemon
