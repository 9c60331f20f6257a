#include "control/sources/ldap/attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace postern::sources::ldap {
namespace {

using namespace std::string_literals;
using recipients::mailbox_kind;
using testing::ElementsAre;
using testing::IsEmpty;
using values = std::vector<std::string>;

object make(const std::vector<std::pair<std::string, values>>& attributes) {
    object out;
    out.dn = "CN=Ada,OU=People,DC=example,DC=com";
    out.add(*parse_description("entryUUID"), {"3F2504E0-4F89-11D3-9A0C-0305E82C3301"});
    for (const auto& [name, with] : attributes) {
        EXPECT_TRUE(out.add(*parse_description(name), with));
    }
    return out;
}

ldap_settings exchange() {
    ldap_settings out;
    out.alias_attributes = {"proxyAddresses", "userPrincipalName"};
    return out;
}

mapped map(const std::vector<std::pair<std::string, values>>& attributes, const ldap_settings& settings = exchange()) {
    return entry_mapper(settings).map(make(attributes));
}

TEST(mapping, proxy_addresses_by_their_prefixes) {
    const mapped one = map({{"mail", {"old@example.com"}},
                            {"proxyAddresses",
                             {"x400:C=US;A= ;P=Example;", "smtp:ada.b@example.com", "SMTP:Ada@Example.com",
                              "x500:/o=Example/cn=ada", "sip:ada@example.com", "smtp:ada@example.com"}},
                            {"givenName", {"Ada"}},
                            {"sn", {"Byron"}}});
    EXPECT_EQ(one.verdict, mapped::verdict::entry);
    EXPECT_EQ(one.entry.identity, "3f2504e0-4f89-11d3-9a0c-0305e82c3301");
    EXPECT_EQ(one.entry.name, "CN=Ada,OU=People,DC=example,DC=com");
    EXPECT_EQ(one.entry.address, "Ada@Example.com");
    EXPECT_THAT(one.entry.aliases, ElementsAre("old@example.com", "ada.b@example.com"));
    EXPECT_EQ(one.entry.first_name, "Ada");
    EXPECT_EQ(one.entry.last_name, "Byron");
    EXPECT_EQ(one.unreadable, 0U);
}

TEST(mapping, without_a_primary_the_mail_attribute_is_first) {
    const mapped one = map({{"mail", {"ada@example.com", "ada2@example.com"}},
                            {"userPrincipalName", {"ada@corp.example.com"}},
                            {"proxyAddresses", {"smtp:a@example.com"}}});
    EXPECT_EQ(one.entry.address, "ada@example.com");
    EXPECT_THAT(one.entry.aliases, ElementsAre("ada2@example.com", "a@example.com", "ada@corp.example.com"));
}

TEST(mapping, what_is_no_address_is_counted_and_does_not_hide_the_others) {
    const mapped one = map({{"mail", {"not an address"}}, {"proxyAddresses", {"smtp:", "smtp:a@example.com"}}});
    EXPECT_EQ(one.verdict, mapped::verdict::entry);
    EXPECT_EQ(one.entry.address, "a@example.com");
    EXPECT_EQ(one.unreadable, 2U);
    EXPECT_EQ(map({{"proxyAddresses", {"x500:/o=x"}}}).verdict, mapped::verdict::no_address);
}

TEST(mapping, what_exchange_calls_the_object) {
    const auto kind = [](const std::string& details) {
        return map({{"mail", {"a@example.com"}}, {"msExchRecipientTypeDetails", {details}}}).entry.kind;
    };
    EXPECT_EQ(kind("1"), mailbox_kind::user);
    EXPECT_EQ(kind("4"), mailbox_kind::shared);
    EXPECT_EQ(kind("16"), mailbox_kind::resource);
    EXPECT_EQ(kind("32"), mailbox_kind::resource);
    EXPECT_EQ(kind("128"), mailbox_kind::user);
    EXPECT_EQ(kind("1024"), mailbox_kind::list);
    EXPECT_EQ(kind("2048"), mailbox_kind::list);
    EXPECT_EQ(kind("2147483648"), mailbox_kind::user);
    EXPECT_EQ(kind("8589934592"), mailbox_kind::resource);
    EXPECT_EQ(kind("17179869184"), mailbox_kind::resource);
    EXPECT_EQ(kind("34359738368"), mailbox_kind::shared);
    for (const char* system : {"8388608", "536870912"}) {
        EXPECT_EQ(map({{"mail", {"a@example.com"}}, {"msExchRecipientTypeDetails", {system}}}).verdict,
                  mapped::verdict::system);
    }
}

TEST(mapping, a_list_by_the_attribute_and_value_that_were_set) {
    ldap_settings settings = exchange();
    settings.list_attribute = "objectClass";
    settings.list_value = "groupOf*";
    EXPECT_EQ(map({{"mail", {"a@example.com"}}, {"objectClass", {"top", "groupOfNames"}}}, settings).entry.kind,
              mailbox_kind::list);
    EXPECT_EQ(map({{"mail", {"a@example.com"}}, {"objectClass", {"top", "person"}}}, settings).entry.kind,
              mailbox_kind::user);
}

TEST(mapping, disabled_accounts_only_by_choice_and_never_where_exchange_says_what_they_are) {
    ldap_settings settings = exchange();
    const std::vector<std::pair<std::string, values>> disabled = {{"mail", {"a@example.com"}},
                                                                  {"userAccountControl", {"514"}}};
    EXPECT_EQ(map(disabled, settings).verdict, mapped::verdict::entry);
    settings.exclude_disabled = true;
    EXPECT_EQ(map(disabled, settings).verdict, mapped::verdict::disabled);
    EXPECT_EQ(map({{"mail", {"a@example.com"}}, {"userAccountControl", {"512"}}}, settings).verdict,
              mapped::verdict::entry);
    auto shared = disabled;
    shared.push_back({"msExchRecipientTypeDetails", {"4"}});
    EXPECT_EQ(map(shared, settings).entry.kind, mailbox_kind::shared);
    EXPECT_EQ(map(shared, settings).verdict, mapped::verdict::entry);
    EXPECT_EQ(map({{"mail", {"a@example.com"}}, {"nsAccountLock", {"true"}}}, settings).verdict,
              mapped::verdict::disabled);
}

TEST(mapping, mail_from_outside_is_not_taken_where_senders_must_sign_in) {
    EXPECT_TRUE(map({{"mail", {"a@example.com"}}, {"msExchRequireAuthToSendTo", {"TRUE"}}}).entry.internal_only);
    EXPECT_FALSE(map({{"mail", {"a@example.com"}}, {"msExchRequireAuthToSendTo", {"FALSE"}}}).entry.internal_only);
    EXPECT_EQ(map({{"mail", {"a@example.com"}}, {"msExchHideFromAddressLists", {"TRUE"}}}).verdict,
              mapped::verdict::entry);
}

TEST(mapping, exclusions_of_addresses_and_of_places) {
    ldap_settings settings = exchange();
    settings.exclude = {"healthmailbox*", "*@internal.example.com"};
    EXPECT_EQ(map({{"mail", {"HealthMailbox1@example.com"}}}, settings).verdict, mapped::verdict::excluded);
    const mapped one =
        map({{"mail", {"a@example.com"}}, {"proxyAddresses", {"smtp:a@internal.example.com"}}}, settings);
    EXPECT_EQ(one.verdict, mapped::verdict::entry);
    EXPECT_THAT(one.entry.aliases, IsEmpty());
    settings.exclude = {"*,ou=people,*"};
    EXPECT_EQ(map({{"mail", {"a@example.com"}}}, settings).verdict, mapped::verdict::excluded);
}

TEST(identity, of_each_directory_as_text) {
    const std::string octets = "\xE0\x04\x25\x3F\x89\x4F\xD3\x11\x9A\x0C\x03\x05\xE8\x2C\x33\x01"s;
    EXPECT_EQ(guid_text(octets), "3f2504e0-4f89-11d3-9a0c-0305e82c3301");
    EXPECT_EQ(uuid_text(octets), "e004253f-894f-d311-9a0c-0305e82c3301");
    EXPECT_EQ(guid_text("short"), "");
    object one;
    EXPECT_EQ(identity_of(one), "");
    one.add(*parse_description("nsUniqueId"), {"b4d50d84-e4a611e1-803a8d96-d5a9a0a9"});
    EXPECT_EQ(identity_of(one), "b4d50d84-e4a6-11e1-803a-8d96d5a9a0a9");
    one.add(*parse_description("objectGUID"), {octets});
    EXPECT_EQ(identity_of(one), "3f2504e0-4f89-11d3-9a0c-0305e82c3301");
    EXPECT_EQ(entry_mapper(exchange()).map(object{}).verdict, mapped::verdict::no_identity);
}

TEST(ranges, are_read_and_put_together) {
    const auto some = parse_description("proxyAddresses;range=0-1499");
    ASSERT_TRUE(some);
    EXPECT_EQ(some->name, "proxyaddresses");
    EXPECT_EQ(some->last, 1499U);
    EXPECT_FALSE(parse_description("x;range=1500-*")->last);
    EXPECT_FALSE(parse_description("cn;lang-de")->ranged);
    for (const char* each : {"x;range=", "x;range=5", "x;range=a-b", "x;range=9-1", "x;range=0-1;range=0-1"}) {
        EXPECT_FALSE(parse_description(each)) << each;
    }
    object one;
    EXPECT_TRUE(one.add(*parse_description("x"), {}));
    EXPECT_TRUE(one.add(*parse_description("x;range=0-1"), {"a", "b"}));
    EXPECT_EQ(one.find("x")->more_from, 2U);
    EXPECT_FALSE(one.add(*parse_description("x;range=4-*"), {"e"})) << "a gap";
    EXPECT_TRUE(one.add(*parse_description("x;range=2-*"), {"c"}));
    EXPECT_FALSE(one.find("x")->more_from);
    EXPECT_THAT(one.find("x")->values, ElementsAre("a", "b", "c"));
}

TEST(filters, are_checked_and_looked_into) {
    EXPECT_THAT(filter_attributes("(&(|(mail=*)(Mail=x)(proxyAddresses=smtp:*))(!(cn:dn:=x))(uSNChanged>=5)"
                                  "(userAccountControl:1.2.840.113556.1.4.803:=2))"),
                ElementsAre("mail", "proxyaddresses", "cn", "usnchanged", "useraccountcontrol"));
    EXPECT_TRUE(check_filter("(mail=*)"));
    for (const char* each : {"", "mail=*", "(mail=*", "(mail=*))", "(a=b)(c=d)", "()", "(&)"}) {
        EXPECT_FALSE(check_filter(each)) << each;
    }
    EXPECT_EQ(filter_value("\x01*\xFF"), "\\01\\2a\\ff");
}

TEST(dns, are_compared_without_regard_to_case_and_spaces) {
    EXPECT_TRUE(is_within("CN=a, OU=People , DC=Example,DC=com", "ou=people,dc=example,dc=com"));
    EXPECT_TRUE(is_within("dc=example,dc=com", "DC=example, DC=com"));
    EXPECT_FALSE(is_within("ou=xpeople,dc=example,dc=com", "people,dc=example,dc=com"));
    EXPECT_FALSE(is_within("dc=com", "dc=example,dc=com"));
    EXPECT_FALSE(is_within("cn=a\\,dc=example,dc=com", "dc=example,dc=com"));
}

}  // namespace
}  // namespace postern::sources::ldap
