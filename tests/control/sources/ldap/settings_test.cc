#include "control/sources/ldap/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>

namespace postern::sources::ldap {
namespace {

using testing::HasSubstr;

boost::json::object object_of(const std::string& text) {
    return boost::json::parse(text).as_object();
}

boost::json::object good() {
    return object_of(
        R"json({"servers": ["dc1.example.com", "dc2.example.com:3269", "[2001:db8::1]:636"], "security": "ldaps",
        "bind_name": "postern@example.com", "base": "DC=example,DC=com", "filter": "(mail=*)", "exclude": ["svc-*"]})json");
}

TEST(settings, come_back_as_they_were_without_their_secrets) {
    const auto parsed = parse(good(), {"secret!", "key!"});
    ASSERT_TRUE(parsed) << parsed.error().member << ": " << parsed.error().text;
    EXPECT_EQ(parsed->url_of(parsed->servers[0]), "ldaps://dc1.example.com:636");
    EXPECT_EQ(parsed->url_of(parsed->servers[1]), "ldaps://dc2.example.com:3269");
    EXPECT_EQ(parsed->url_of(parsed->servers[2]), "ldaps://[2001:db8::1]:636");
    EXPECT_EQ(parsed->secrets.password, "secret!");
    const boost::json::object shown = to_json(*parsed);
    EXPECT_THAT(boost::json::serialize(shown), testing::Not(HasSubstr("secret!")));
    EXPECT_THAT(boost::json::serialize(shown), testing::Not(HasSubstr("key!")));
    EXPECT_TRUE(*parse(shown, {"secret!", "key!"}) == *parsed);
}

TEST(settings, every_wrong_member_is_named) {
    const auto wrong = [](const char* member, const std::string& value) {
        boost::json::object from = good();
        from[member] = boost::json::parse(value);
        const auto parsed = parse(from);
        EXPECT_FALSE(parsed) << member << " " << value;
        return parsed ? "" : parsed.error().member;
    };
    EXPECT_EQ(wrong("servers", "[]"), "servers");
    EXPECT_EQ(wrong("servers", R"(["a b"])"), "servers");
    EXPECT_EQ(wrong("servers", R"(["dc1:0"])"), "servers");
    EXPECT_EQ(wrong("servers", R"(["dc1:99999"])"), "servers");
    EXPECT_EQ(wrong("servers", R"("dc1")"), "servers");
    EXPECT_EQ(wrong("security", R"("tls")"), "security");
    EXPECT_EQ(wrong("bind_name", R"("")"), "bind_name");
    EXPECT_EQ(wrong("sign_in", R"("certificate")"), "client_certificate");
    EXPECT_EQ(wrong("ca_certificates", R"("/etc/ssl/ca.pem")"), "ca_certificates");
    EXPECT_EQ(wrong("base", R"("example.com")"), "base");
    EXPECT_EQ(wrong("filter", R"("mail=*")"), "filter");
    EXPECT_EQ(wrong("mail_attribute", R"("mail;x")"), "mail_attribute");
    EXPECT_EQ(wrong("alias_attributes", R"(["proxy addresses"])"), "alias_attributes");
    EXPECT_EQ(wrong("exclude", R"([""])"), "exclude");
    EXPECT_EQ(wrong("page_size", "0"), "page_size");
    EXPECT_EQ(wrong("page_size", "1001"), "page_size");
    EXPECT_EQ(wrong("page_size", "-1"), "page_size");
    EXPECT_EQ(wrong("answer_timeout_s", R"("60")"), "answer_timeout_s");
    EXPECT_EQ(wrong("changes", R"("delta")"), "changes");
    EXPECT_EQ(wrong("persist", "1"), "persist");
    EXPECT_EQ(wrong("preset", R"("exchnge")"), "preset");
    EXPECT_EQ(wrong("fliter", R"json("(mail=*)")json"), "fliter");
    EXPECT_EQ(wrong("password", R"("x")"), "password");
    EXPECT_EQ(wrong("client_key", R"("x")"), "client_key");
}

TEST(settings, a_preset_is_where_they_begin) {
    const auto parsed = parse(object_of(
        R"json({"preset": "openldap", "servers": ["ldap.example.com"], "bind_name": "cn=x", "base": "dc=example,dc=com"})json"));
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_EQ(parsed->filter, "(&(mail=*)(objectClass=person))");
    EXPECT_EQ(parsed->security, security::start_tls);
    EXPECT_EQ(parsed->port_of(parsed->servers[0]), 389);
}

TEST(settings, every_preset_needs_no_more_than_a_place_and_a_name) {
    EXPECT_EQ(presets().size(), 7U);
    for (const preset& each : presets()) {
        EXPECT_EQ(find_preset(each.name), &each);
        ldap_settings settings = each.settings;
        settings.servers = {{"ldap.example.com", 0}};
        settings.base = "dc=example,dc=com";
        settings.bind_name = "cn=postern,dc=example,dc=com";
        settings.client_certificate = "-----BEGIN CERTIFICATE-----";
        const auto checked = check(settings);
        EXPECT_TRUE(checked) << each.name << ": " << (checked ? "" : checked.error().text);
        EXPECT_TRUE(parse(to_json(settings)).value_or(ldap_settings{}) == settings) << each.name;
    }
}

TEST(settings, the_fingerprint_changes_with_what_a_fetch_yields_and_with_nothing_else) {
    const ldap_settings one = *parse(good(), {"a", ""});
    ldap_settings other = one;
    other.secrets.password = "b";
    other.page_size = 100;
    other.answer_timeout_s = 5;
    other.preset = "exchange";
    EXPECT_EQ(other.fingerprint(), one.fingerprint());
    for (const auto change :
         {+[](ldap_settings& s) { s.base = "DC=other"; }, +[](ldap_settings& s) { s.filter = "(a=b)"; },
          +[](ldap_settings& s) { s.exclude.emplace_back("x"); }, +[](ldap_settings& s) { s.alias_attributes.clear(); },
          +[](ldap_settings& s) { s.exclude_disabled = true; }, +[](ldap_settings& s) { s.bind_name = "y"; },
          +[](ldap_settings& s) { s.servers.pop_back(); }}) {
        other = one;
        change(other);
        EXPECT_NE(other.fingerprint(), one.fingerprint());
    }
}

}  // namespace
}  // namespace postern::sources::ldap
