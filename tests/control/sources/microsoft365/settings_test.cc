#include "control/sources/microsoft365/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "tests/control/sources/microsoft365/key_pair.h"

namespace postern::sources::microsoft365 {
namespace {

using testing::HasSubstr;
using testing::Not;

boost::json::object object_of(const std::string& text) {
    return boost::json::parse(text).as_object();
}
boost::json::object good() {
    return object_of(R"({"tenant": "example.onmicrosoft.com", "client_id": "3f2504e0-4f89-11d3-9a0c-0305e82c3301"})");
}
boost::json::object with(const std::string& more) {
    auto out = good();
    for (const auto& each : object_of(more)) {
        out[each.key()] = each.value();
    }
    return out;
}

TEST(settings, two_members_are_enough) {
    const auto got = parse(good());
    ASSERT_TRUE(got) << got.error().text;
    EXPECT_EQ(got->login().url(), "https://login.microsoftonline.com");
    EXPECT_EQ(got->graph().url(), "https://graph.microsoft.com");
    EXPECT_EQ(got->token_target(), "/example.onmicrosoft.com/oauth2/v2.0/token");
    EXPECT_TRUE(got->groups);
}

TEST(settings, a_cloud_has_its_hosts_and_urls_go_before_it) {
    EXPECT_EQ(parse(with(R"({"cloud": "us_government"})"))->graph().host, "graph.microsoft.us");
    EXPECT_EQ(parse(with(R"({"cloud": "us_defense"})"))->graph().host, "dod-graph.microsoft.us");
    EXPECT_EQ(parse(with(R"({"cloud": "china"})"))->login().host, "login.chinacloudapi.cn");
    const auto got = parse(with(R"({"graph_url": "https://127.0.0.1:8443", "login_url": "https://[::1]:8443"})"));
    EXPECT_EQ(got->graph().url(), "https://127.0.0.1:8443");
    EXPECT_EQ(got->login().url(), "https://[::1]:8443");
}

TEST(settings, all_members_survive_their_json_form) {
    const auto got = parse(with(R"({"cloud": "china", "sign_in": "secret", "proxy": "http://proxy.example.com:3128",
        "proxy_user": "p", "groups": false, "user_principal_names": true, "disabled": "take_unlicensed",
        "exclude": ["svc-*"], "connect_timeout_s": 1, "answer_timeout_s": 2, "fetch_timeout_s": 3,
        "whole_every_hours": 4, "login_url": "https://a", "graph_url": "https://b"})"));
    ASSERT_TRUE(got) << got.error().text;
    const auto again = parse(to_json(*got));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *got);
}

TEST(settings, secrets_are_no_members_and_never_come_out) {
    for (const char* const each : {"client_secret", "client_key", "proxy_password"}) {
        auto from = good();
        from[each] = "hush";
        const auto got = parse(from);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().member, each);
        EXPECT_THAT(got.error().text, Not(HasSubstr("hush")));
    }
    const auto got = parse(good(), {"hush", "", "hush"});
    ASSERT_TRUE(got);
    EXPECT_THAT(boost::json::serialize(to_json(*got)), Not(HasSubstr("hush")));
}

TEST(settings, what_can_not_work_is_refused_by_name) {
    const auto member = [](const std::string& more) {
        const auto got = parse(with(more));
        return got ? std::string("none") : got.error().member;
    };
    EXPECT_EQ(member(R"({"tenant": ""})"), "tenant");
    EXPECT_EQ(member(R"({"tenant": "a/../b"})"), "tenant");
    EXPECT_EQ(member(R"({"client_id": "a b"})"), "client_id");
    EXPECT_EQ(member(R"({"cloud": "germany"})"), "cloud");
    EXPECT_EQ(member(R"({"graph_url": "http://graph.microsoft.com"})"), "graph_url");
    EXPECT_EQ(member(R"({"graph_url": "https://graph.microsoft.com/v1.0"})"), "graph_url");
    EXPECT_EQ(member(R"({"login_url": "login"})"), "login_url");
    EXPECT_EQ(member(R"({"proxy": "socks5://a:1"})"), "proxy");
    EXPECT_EQ(member(R"({"proxy": "http://u:p@a:1"})"), "proxy");
    EXPECT_EQ(member(R"({"proxy_user": "a:b"})"), "proxy_user");
    EXPECT_EQ(member(R"({"sign_in": "certificate"})"), "client_certificate");
    EXPECT_EQ(member(R"({"ca_certificates": "x"})"), "ca_certificates");
    EXPECT_EQ(member(R"({"exclude": [""]})"), "exclude");
    EXPECT_EQ(member(R"({"fetch_timeout_s": 0})"), "fetch_timeout_s");
    EXPECT_EQ(member(R"({"groups": "yes"})"), "groups");
    EXPECT_EQ(member(R"({"colour": 1})"), "colour");
}

TEST(settings, a_certificate_needs_its_own_key) {
    const key_pair& pair = rsa_pair();
    auto from = with(R"({"sign_in": "certificate"})");
    from["client_certificate"] = pair.certificate;
    EXPECT_TRUE(parse(from, {"", pair.key, ""}));
    EXPECT_EQ(parse(from, {"", "rubbish", ""}).error().member, "secrets");
}

TEST(settings, the_fingerprint_changes_with_what_a_fetch_yields_and_with_nothing_else) {
    const auto one = *parse(good());
    for (const char* const same : {R"({"connect_timeout_s": 5})", R"({"proxy": "http://a:1"})",
                                   R"({"whole_every_hours": 1})", R"({"login_url": "https://a"})"}) {
        EXPECT_EQ(parse(with(same))->fingerprint(), one.fingerprint()) << same;
    }
    for (const char* const other :
         {R"({"tenant": "b"})", R"({"client_id": "b"})", R"({"groups": false})", R"({"user_principal_names": true})",
          R"({"disabled": "leave_out"})", R"({"exclude": ["a"]})", R"({"cloud": "china"})"}) {
        EXPECT_NE(parse(with(other))->fingerprint(), one.fingerprint()) << other;
    }
}

}  // namespace
}  // namespace postern::sources::microsoft365
