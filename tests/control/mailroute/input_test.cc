// Objects as clients send them.
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "control/mailroute/input.h"

namespace postern::mailroute {
namespace {

result<input> read(const resource& of, const char* json, purpose why = purpose::post) {
    return input::read(of, boost::json::parse(json), why);
}

std::string refused(const resource& of, const char* json, purpose why = purpose::post) {
    const auto got = read(of, json, why);
    EXPECT_FALSE(got) << json;
    EXPECT_EQ(got ? 0U : got.error().status, 400U) << json;
    return got ? std::string() : got.error().body;
}

TEST(inputs, are_read_leniently) {
    const auto got = read(
        domain, R"({"name": "x.example", "customer": 7, "active": "True", "hold_email": 0, "deliveryport": "2525"})");
    ASSERT_TRUE(got) << got.error().body;
    EXPECT_EQ(got->text("name"), "x.example");
    EXPECT_EQ(got->id("customer"), 7);
    EXPECT_EQ(got->flag("active"), true);
    EXPECT_EQ(got->flag("hold_email"), false);
    EXPECT_EQ(got->number("deliveryport"), 2525);
    EXPECT_FALSE(got->has("outbound_enabled"));
}

TEST(inputs, take_relations_in_every_form) {
    for (const char* const json :
         {R"("/api/v1/domain/12/")", R"(12)", R"("12")", R"({"resource_uri": "/api/v1/domain/12/", "id": 5})",
          R"({"id": 12})", R"("https://host/api/v1/domain/12/")"}) {
        const auto got = read(email_account, (R"({"localpart": "a", "domain": )" + std::string(json) + "}").c_str());
        ASSERT_TRUE(got) << json;
        EXPECT_EQ(got->id("domain"), 12) << json;
    }
    for (const char* const json :
         {R"("/api/v1/customer/12/")", "0", "-1", "1.5", "true", "[12]", "{}", R"({"resource_uri": null})"}) {
        refused(email_account, (R"({"localpart": "a", "domain": )" + std::string(json) + "}").c_str());
    }
}

TEST(inputs, ignore_what_is_postern_s_own_and_what_nobody_knows) {
    const auto got = read(
        email_account,
        R"({"localpart": "a", "domain": 1, "id": "x", "created_at": 5, "policy": {}, "email": "a@x", "password": [], "aliases": "x,,y"})");
    ASSERT_TRUE(got) << got.error().body;
    EXPECT_FALSE(got->has("id") || got->has("created_at") || got->has("policy") || got->has("password"));
    EXPECT_EQ(got->texts("aliases"), (std::vector<std::string>{"x", "y"}));
}

TEST(inputs, need_what_is_required) {
    EXPECT_EQ(refused(email_account, R"({"domain": 1})"),
              R"({"email_account":{"localpart":["This field is required."]}})");
    EXPECT_EQ(refused(email_account, R"({"localpart": "", "domain": 1})"),
              R"({"email_account":{"localpart":["This field is required."]}})");
    // What is there already needs not be given again, but can't be emptied.
    EXPECT_TRUE(read(email_account, "{}", purpose::put));
    EXPECT_TRUE(read(email_account, "{}", purpose::patch));
    EXPECT_EQ(refused(email_account, R"({"localpart": null})", purpose::patch),
              R"({"email_account":{"localpart":["This field is required."]}})");
}

TEST(inputs, tell_every_wrong_value_at_once) {
    EXPECT_EQ(
        refused(mail_server, R"({"server": 5.5, "domain": "x", "priority": 65536, "use_sasl": null})"),
        R"({"mail_server":{"server":["Enter a text, not 5.5E0."],"domain":["Enter a URI such as /api/v1/domain/12/, not \"x\"."],)"
        R"("priority":["Enter a whole number from 0 to 65535, not 65536."],"use_sasl":["This field cannot be null."]}})");
}

TEST(inputs, have_bounds) {
    refused(domain, ("{\"customer\": 1, \"name\": \"" + std::string(256, 'x') + "\"}").c_str());
    refused(domain, R"({"customer": 1, "name": "a\u0007b"})");
    refused(email_account,
            ("{\"domain\": 1, \"localpart\": \"a\", \"aliases\": \"" + std::string(70'000, 'x') + "\"}").c_str());
    refused(email_account, R"({"domain": 1, "localpart": "a", "aliases": ["x", 1]})");
    refused(domain, "[]");
    refused(domain, "null");
}

TEST(inputs, of_a_put_leave_the_aliases) {
    EXPECT_FALSE(read(email_account, R"({"aliases": "x"})", purpose::put)->has("aliases"));
    EXPECT_TRUE(read(email_account, R"({"aliases": "x"})", purpose::patch)->has("aliases"));
    EXPECT_TRUE(read(email_account, R"({"aliases": []})", purpose::patch)->texts("aliases")->empty());
}

TEST(inputs, tell_null_from_absent) {
    const auto got = read(mail_server, R"({"sasl_login": null})", purpose::patch);
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->has("sasl_login"));
    EXPECT_TRUE(got->is_null("sasl_login"));
    EXPECT_FALSE(got->text("sasl_login"));
    EXPECT_FALSE(got->is_null("sasl_password"));
}

TEST(bodies, that_are_no_json_are_refused) {
    EXPECT_TRUE(read_body(" {} "));
    for (const char* const text : {"", "{", "{} {}", "a=1", "{\"a\": 01}"}) {
        EXPECT_FALSE(read_body(text)) << text;
    }
    EXPECT_FALSE(read_body(std::string(100, '[')));
}

}  // namespace
}  // namespace postern::mailroute
