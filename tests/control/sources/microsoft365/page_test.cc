#include "control/sources/microsoft365/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::sources::microsoft365 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* next = R"("@odata.nextLink":"https://graph.microsoft.com/v1.0/users/delta?$skiptoken=a")";

tl::expected<delta_page, std::string> users(const std::string& objects) {
    return parse_page("{" + std::string(next) + ",\"value\":[" + objects + "]}", collection::users);
}

TEST(page, has_users_and_the_link_to_go_on) {
    const auto got = users(R"({"id":"3F2504E0-4f89-11d3-9a0c-0305e82c3301","mail":"ada@example.com",
        "proxyAddresses":["SMTP:ada@example.com","smtp:a@example.com"],"userPrincipalName":"ada@example.com",
        "userType":"Member","accountEnabled":true,"assignedLicenses":[{"skuId":"x","disabledPlans":[]}],
        "givenName":"Ada","surname":null,"other":{"deep":[1,2]}})");
    ASSERT_TRUE(got) << got.error();
    EXPECT_EQ(got->next_link, "https://graph.microsoft.com/v1.0/users/delta?$skiptoken=a");
    EXPECT_EQ(got->delta_link, "");
    ASSERT_EQ(got->objects.size(), 1U);
    const directory_object& one = got->objects[0];
    EXPECT_EQ(one.id, "3f2504e0-4f89-11d3-9a0c-0305e82c3301");
    EXPECT_TRUE(one.whole && one.enabled && one.licensed && !one.guest && !one.removed);
    EXPECT_THAT(one.proxy_addresses, ElementsAre("SMTP:ada@example.com", "smtp:a@example.com"));
    EXPECT_EQ(one.first_name, "Ada");
    EXPECT_EQ(one.last_name, "");
}

TEST(page, may_be_empty) {
    const auto got = users("");
    ASSERT_TRUE(got);
    EXPECT_THAT(got->objects, IsEmpty());
}

TEST(page, tells_who_is_gone_and_who_is_told_in_part) {
    const auto got = users(R"({"id":"a","@removed":{"reason":"changed"}},{"id":"b","@removed":{"reason":"deleted"}},
                              {"id":"c","mail":"c@example.com"},{"id":"d","userPrincipalName":null})");
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->objects[0].removed && got->objects[1].removed);
    EXPECT_FALSE(got->objects[2].whole);
    EXPECT_TRUE(got->objects[3].whole);
}

TEST(page, has_groups) {
    const auto got = parse_page(R"({"@odata.deltaLink":"https://graph.microsoft.com/x","value":[
        {"id":"a","displayName":"All","mail":"all@example.com","mailEnabled":true,"proxyAddresses":[]},
        {"id":"b","members@delta":[]}]})",
                                collection::groups);
    ASSERT_TRUE(got) << got.error();
    EXPECT_TRUE(got->objects[0].whole && got->objects[0].mail_enabled);
    EXPECT_EQ(got->objects[0].display_name, "All");
    EXPECT_FALSE(got->objects[1].whole);
}

TEST(page, that_is_none_is_refused_in_words) {
    const auto error = [](const std::string& body) {
        const auto got = parse_page(body, collection::users);
        return got ? std::string("none") : got.error();
    };
    EXPECT_THAT(error(""), HasSubstr("no JSON object"));
    EXPECT_THAT(error("[]"), HasSubstr("no JSON object"));
    EXPECT_THAT(error(R"({"value":[],)"), HasSubstr("no JSON object: "));
    EXPECT_THAT(error(R"({"value":[]})"), HasSubstr("neither @odata.nextLink nor @odata.deltaLink"));
    EXPECT_THAT(error(R"({"value":[],"@odata.nextLink":"a","@odata.deltaLink":"b"})"), HasSubstr("both"));
    EXPECT_THAT(error("{" + std::string(next) + "}"), HasSubstr("no value"));
    EXPECT_THAT(error(R"({"value":[],"@odata.nextLink":1})"), HasSubstr("@odata.nextLink is no string"));
    EXPECT_THAT(error("{" + std::string(next) + R"(,"value":[1]})"), HasSubstr("an object is none"));
    EXPECT_THAT(error("{" + std::string(next) + R"(,"value":[{"mail":"a"}]})"), HasSubstr("can't be told"));
    EXPECT_THAT(error("{" + std::string(next) + R"(,"value":[{"id":"a/../b"}]})"), HasSubstr("can't be told"));
    EXPECT_THAT(error("{" + std::string(next) + R"(,"value":[{"id":"a","mail":5}]})"),
                HasSubstr("mail is no string of at most 2048 octets (object a)"));
    EXPECT_THAT(error("{" + std::string(next) + R"(,"value":[{"id":"a","proxyAddresses":[5]}]})"),
                HasSubstr("proxyAddresses has a value"));
}

TEST(page, has_bounds_in_depth_count_and_size) {
    std::string deep =
        "{" + std::string(next) + ",\"value\":[],\"x\":" + std::string(100, '[') + std::string(100, ']') + "}";
    EXPECT_FALSE(parse_page(deep, collection::users));
    std::string many;
    for (int i = 0; i < 10'001; ++i) {
        many += (i == 0 ? "" : ",") + std::string(R"({"id":"a"})");
    }
    EXPECT_THAT(users(many).error(), HasSubstr("value is no array of at most 10000"));
    std::string long_one = "{\"x\":\"" + std::string(longest_answer, 'x') + "\"}";
    EXPECT_THAT(parse_object(long_one).error(), HasSubstr("longer than"));
}

TEST(page, only_asks_for_what_is_read) {
    EXPECT_EQ(first_target(collection::users),
              "/v1.0/users/delta?$select=id,mail,proxyAddresses,userPrincipalName,userType,accountEnabled,"
              "assignedLicenses,givenName,surname");
    EXPECT_EQ(object_target(collection::groups, "a-1"),
              "/v1.0/groups/a-1?$select=id,displayName,mail,mailEnabled,proxyAddresses");
}

TEST(errors, have_a_code_and_a_message_or_not) {
    const auto got = parse_error(R"({"error":{"code":"syncStateNotFound","message":"m","innerError":{}}})");
    EXPECT_EQ(got.code, "syncStateNotFound");
    EXPECT_EQ(got.message, "m");
    EXPECT_EQ(parse_error("<html>").code, "");
    EXPECT_EQ(parse_error(R"({"error":"x"})").code, "");
    EXPECT_EQ(token_error_text(R"({"error":"invalid_client"})"), "invalid_client");
}

}  // namespace
}  // namespace postern::sources::microsoft365
