#include "control/sources/csv_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace postern::sources {
namespace {

struct parsed {
    csv_layout layout;
    std::vector<csv_entry> entries;
};

parsed parse(std::string_view content) {
    auto reader = csv_reader::open(from_memory(content));
    std::vector<csv_row> all;
    csv_row row;
    while (reader->next(row).value()) {
        all.push_back(row);
    }
    parsed out;
    auto layout = guess_layout(all, std::nullopt);
    EXPECT_TRUE(layout) << layout.error();
    out.layout = *layout;
    for (std::size_t i = layout->header ? 1 : 0; i < all.size(); ++i) {
        out.entries.push_back(read_entry(all[i], *layout));
    }
    return out;
}

std::vector<std::string> aliases(const csv_entry& of) {
    std::vector<std::string> out;
    for (const csv_address& each : of.aliases) {
        out.push_back(each.text);
    }
    return out;
}

using texts = std::vector<std::string>;

TEST(csv_layout_test, posterns_own_in_any_column_order) {
    const parsed got =
        parse("kind,aliases,email,last_name,group,first_name\nshared,a@x.example;b@x.example,c@x.example,L,G,F\n");
    EXPECT_EQ(got.layout.name, "Postern");
    ASSERT_EQ(got.entries.size(), 1U);
    const csv_entry& entry = got.entries[0];
    EXPECT_EQ(entry.address.text, "c@x.example");
    EXPECT_EQ(entry.address.column, 3U);
    EXPECT_EQ(entry.first_name, "F");
    EXPECT_EQ(entry.last_name, "L");
    EXPECT_EQ(entry.group, "G");
    EXPECT_EQ(entry.kind, recipients::mailbox_kind::shared);
    EXPECT_EQ(aliases(entry), (texts{"a@x.example", "b@x.example"}));
}

TEST(csv_layout_test, addresses_only_with_and_without_a_header) {
    EXPECT_EQ(parse("alice@x.example\nbob@x.example\n").entries[1].address.text, "bob@x.example");
    EXPECT_EQ(parse("alice\nbob\n").entries[0].address.text, "alice");
    const parsed got = parse("E-Mail\nalice@x.example\n");
    EXPECT_TRUE(got.layout.header);
    ASSERT_EQ(got.entries.size(), 1U);
}

TEST(csv_layout_test, first_and_last_name_in_usual_spellings) {
    for (const char* header :
         {"Email,First Name,Last Name", "E-mail address,Given Name,Surname", "email,firstname,lastname",
          "Email Address [Required],First Name [Required],Last Name [Required]"}) {
        const parsed got = parse(std::string(header) + "\na@x.example,F,L\n");
        EXPECT_EQ(got.layout.name, "first and last name") << header;
        EXPECT_EQ(got.entries[0].first_name, "F") << header;
        EXPECT_EQ(got.entries[0].last_name, "L") << header;
    }
}

TEST(csv_layout_test, no_header_and_aliases_at_the_end) {
    const parsed got =
        parse("Ann,Archer,ann@x.example,+1 555 0100,a@x.example,archer@x.example\nBob,Baker,bob@x.example,,,\n");
    EXPECT_FALSE(got.layout.header);
    EXPECT_EQ(got.entries[0].first_name, "Ann");
    EXPECT_EQ(got.entries[0].last_name, "Archer");
    EXPECT_EQ(got.entries[0].address.text, "ann@x.example");
    EXPECT_EQ(aliases(got.entries[0]), (texts{"a@x.example", "archer@x.example"}));
    EXPECT_TRUE(got.entries[1].aliases.empty());
}

TEST(csv_layout_test, an_alias_list_names_the_mailbox_in_each_row) {
    const parsed got = parse(
        "alias address,domain,user id,user "
        "address\ninfo,x.example,7,ann@x.example\nsales@x.example,x.example,7,ann@x.example\n");
    EXPECT_EQ(got.layout.name, "alias list");
    EXPECT_EQ(got.entries[0].address.text, "ann@x.example");
    EXPECT_EQ(aliases(got.entries[0]), (texts{"info@x.example"}));
    EXPECT_EQ(aliases(got.entries[1]), (texts{"sales@x.example"}));
}

TEST(csv_layout_test, the_semicolon_exports) {
    const parsed first = parse(
        "email;aliases;environment;first_name;last_name;display_name;groups\na@x.example;b@x.example,c@x.example;prod;"
        "F;L;F L;G1,G2\n");
    EXPECT_EQ(aliases(first.entries[0]), (texts{"b@x.example", "c@x.example"}));
    EXPECT_EQ(first.entries[0].first_name, "F");
    const parsed second = parse(
        "Surname;Primary email address;Additional email addresses;Phone;Given name\nL;a@x.example;b@x.example "
        "c@x.example;1;F\n");
    EXPECT_EQ(second.layout.name, "primary and additional addresses");
    EXPECT_EQ(second.entries[0].address.text, "a@x.example");
    EXPECT_EQ(second.entries[0].last_name, "L");
    EXPECT_EQ(aliases(second.entries[0]), (texts{"b@x.example", "c@x.example"}));
}

TEST(csv_layout_test, exchange_exports_with_prefixes) {
    const parsed got = parse(
        "Alias,DisplayName,PrimarySmtpAddress,EmailAddresses,RecipientTypeDetails\n"
        "ann,Ann,ann@x.example,\"SMTP:ann@x.example;smtp:a@x.example;sip:ann@x.example;X400:C=US;A= "
        ";P=org;O=ex;\",SharedMailbox\n");
    EXPECT_EQ(got.layout.name, "Exchange or Active Directory export");
    EXPECT_EQ(got.entries[0].address.text, "ann@x.example");
    EXPECT_EQ(got.entries[0].kind, recipients::mailbox_kind::shared);
    const texts found = aliases(got.entries[0]);
    EXPECT_NE(std::find(found.begin(), found.end(), "a@x.example"), found.end());
    EXPECT_TRUE(std::all_of(found.begin(), found.end(),
                            [](const std::string& each) { return each.find("x.example") != std::string::npos; }));
    const parsed alone = parse("cn,proxyAddresses\nAnn,smtp:a@x.example SMTP:ann@x.example\n");
    EXPECT_EQ(alone.entries[0].address.text, "ann@x.example");
    EXPECT_EQ(aliases(alone.entries[0]), (texts{"a@x.example"}));
}

TEST(csv_layout_test, a_header_in_another_language_is_known_by_the_addresses_below) {
    const parsed got = parse("Nachname,Adresse\nArcher,ann@x.example\n");
    EXPECT_TRUE(got.layout.header);
    EXPECT_EQ(got.entries[0].address.text, "ann@x.example");
}

TEST(csv_layout_test, a_kind_that_is_none_is_reported_with_its_column) {
    const parsed got = parse("email,kind\na@x.example,robot\n");
    EXPECT_EQ(got.entries[0].problem.column, 2U);
    EXPECT_EQ(got.entries[0].problem.value, "robot");
    EXPECT_FALSE(got.entries[0].problem.reason.empty());
}

TEST(csv_layout_test, a_file_without_addresses_says_what_to_do) {
    csv_row row;
    row.fields = {"colour", "size"};
    row.size = 2;
    const auto layout = guess_layout(std::span(&row, 1), std::nullopt);
    ASSERT_FALSE(layout);
    EXPECT_NE(layout.error().find("sample file"), std::string::npos);
}

}  // namespace
}  // namespace postern::sources
