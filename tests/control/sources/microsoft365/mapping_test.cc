#include "control/sources/microsoft365/mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::sources::microsoft365 {
namespace {

using recipients::mailbox_kind;
using testing::ElementsAre;
using verdict = enum mapped::verdict;

directory_object user() {
    directory_object out;
    out.id = "a-1";
    out.whole = true;
    out.mail = "ada@example.com";
    out.principal_name = "ada.l@example.com";
    out.licensed = true;
    return out;
}

TEST(mapping, a_user_has_its_addresses_and_identity) {
    directory_object from = user();
    from.proxy_addresses = {"smtp:a@example.com", "SMTP:lovelace@example.com", "x500:/o=x"};
    from.first_name = "Ada";
    const mapped got = map({}, from, collection::users);
    EXPECT_EQ(got.verdict, verdict::entry);
    EXPECT_EQ(got.entry.identity, "a-1");
    EXPECT_EQ(got.entry.name, "ada.l@example.com");
    EXPECT_EQ(got.entry.address, "lovelace@example.com");
    EXPECT_THAT(got.entry.aliases, ElementsAre("ada@example.com", "a@example.com"));
    EXPECT_EQ(got.entry.first_name, "Ada");
    EXPECT_EQ(got.entry.kind, mailbox_kind::user);
}

TEST(mapping, the_principal_name_is_an_address_by_choice) {
    tenant_settings settings;
    EXPECT_TRUE(map(settings, user(), collection::users).entry.aliases.empty());
    settings.user_principal_names = true;
    EXPECT_THAT(map(settings, user(), collection::users).entry.aliases, ElementsAre("ada.l@example.com"));
}

TEST(mapping, guests_are_left_out_whatever_they_have) {
    directory_object from = user();
    from.guest = true;
    EXPECT_EQ(map({}, from, collection::users).verdict, verdict::guest);
}

TEST(mapping, disabled_accounts_are_left_out_by_choice) {
    directory_object leaver = user();
    leaver.enabled = false;
    directory_object room = leaver;
    room.licensed = false;
    const auto with = [](disabled_accounts choice, const directory_object& from) {
        tenant_settings settings;
        settings.disabled = choice;
        return map(settings, from, collection::users).verdict;
    };
    EXPECT_EQ(with(disabled_accounts::take, leaver), verdict::entry);
    EXPECT_EQ(with(disabled_accounts::take, room), verdict::entry);
    EXPECT_EQ(with(disabled_accounts::take_unlicensed, leaver), verdict::disabled);
    EXPECT_EQ(with(disabled_accounts::take_unlicensed, room), verdict::entry);
    EXPECT_EQ(with(disabled_accounts::leave_out, room), verdict::disabled);
    EXPECT_EQ(map({}, room, collection::users).entry.kind, mailbox_kind::shared);
    EXPECT_EQ(map({}, leaver, collection::users).entry.kind, mailbox_kind::user);
}

TEST(mapping, groups_count_if_they_take_mail) {
    directory_object from;
    from.id = "g";
    from.mail = "all@example.com";
    from.display_name = "All";
    EXPECT_EQ(map({}, from, collection::groups).verdict, verdict::no_address);
    from.mail_enabled = true;
    const mapped got = map({}, from, collection::groups);
    EXPECT_EQ(got.verdict, verdict::entry);
    EXPECT_EQ(got.entry.kind, mailbox_kind::list);
    EXPECT_EQ(got.entry.name, "All");
}

TEST(mapping, what_has_no_address_or_an_excluded_one_is_left_out) {
    directory_object from = user();
    from.mail.clear();
    EXPECT_EQ(map({}, from, collection::users).verdict, verdict::no_address);
    tenant_settings settings;
    settings.exclude = {"ada@*"};
    EXPECT_EQ(map(settings, user(), collection::users).verdict, verdict::excluded);
    from.proxy_addresses = {"SMTP:no address"};
    EXPECT_EQ(map({}, from, collection::users).unreadable, 1U);
}

}  // namespace
}  // namespace postern::sources::microsoft365
