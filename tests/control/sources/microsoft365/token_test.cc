#include "control/sources/microsoft365/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/sources/microsoft365/key_pair.h"

namespace postern::sources::microsoft365 {
namespace {

using testing::HasSubstr;
using testing::Not;

tenant_settings example() {
    tenant_settings out;
    out.tenant = "example.com";
    out.client_id = "app-1";
    out.secrets.client_secret = "a&b=c d";
    return out;
}

TEST(token, is_asked_for_with_the_secret) {
    EXPECT_EQ(token_form(example(), 0),
              "client_id=app-1&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&grant_type=client_credentials"
              "&client_secret=a%26b%3Dc%20d");
}

TEST(token, is_asked_for_with_an_assertion) {
    auto settings = example();
    settings.sign_in = sign_in::certificate;
    settings.client_certificate = rsa_pair().certificate;
    settings.secrets = {"", rsa_pair().key, ""};
    const auto form = token_form(settings, 1'800'000'000);
    ASSERT_TRUE(form) << form.error();
    EXPECT_THAT(*form, HasSubstr("&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-"
                                 "bearer&client_assertion="));
    EXPECT_THAT(*form, Not(HasSubstr("client_secret")));
}

TEST(token, without_a_secret_says_which_is_missing) {
    auto settings = example();
    settings.secrets = {};
    EXPECT_THAT(token_form(settings, 0).error(), HasSubstr("no secret client_secret; set"));
}

TEST(token, answers_are_read) {
    const auto got = parse_token(R"({"token_type":"Bearer","expires_in":3599,"access_token":"ey.J-_~+/="})");
    ASSERT_TRUE(got) << got.error();
    EXPECT_EQ(got->text, "ey.J-_~+/=");
    EXPECT_EQ(got->lifetime.count(), 3599);
    for (const char* const bad :
         {"", "[]", "{}", R"({"access_token":"a"})", R"({"access_token":"a b","expires_in":1})",
          R"({"access_token":"a\r\nX: y","expires_in":1})", R"({"access_token":1,"expires_in":1})",
          R"({"access_token":"a","expires_in":0})", R"({"access_token":"a","expires_in":"x"})"}) {
        EXPECT_FALSE(parse_token(bad)) << bad;
    }
}

TEST(token, a_refusal_is_told_in_words_with_what_to_do) {
    const auto words = [](const std::string& text) {
        return token_refusal(example(), 401, R"({"error":"invalid_client","error_description":")" + text + "\"}");
    };
    EXPECT_THAT(words("AADSTS7000215: Invalid client secret provided."),
                testing::AllOf(HasSubstr("the client secret is wrong (401: AADSTS7000215"),
                               HasSubstr("; set the secret's value")));
    EXPECT_THAT(words("AADSTS7000222: x"), HasSubstr("has expired"));
    EXPECT_THAT(words("AADSTS700016: x"), HasSubstr("no such application"));
    EXPECT_THAT(words("AADSTS900023: x"), HasSubstr("no such tenant (401"));
    EXPECT_THAT(words("AADSTS1: x"), HasSubstr("the token endpoint refused (401: AADSTS1: x); see whether"));
    EXPECT_THAT(token_refusal(example(), 404, "<html>"), HasSubstr("refused (404); see whether login_url"));
}

}  // namespace
}  // namespace postern::sources::microsoft365
