// What a person does by hand beyond add and edit: reassigning, claims of domains, and what is counted for the bill.
#include <gmock/gmock.h>

#include "control/directory/assertions.h"
#include "control/directory/billing.h"
#include "control/directory/changes.h"
#include "control/directory/claims.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/directory/organisations.h"
#include "control/directory/reassign.h"
#include "tests/control/directory/open_store.h"

namespace postern::directory {
namespace {

std::vector<std::string> published(const reader& in) {
    std::vector<std::string> out;
    need(each_valid_address(in, [&](const recipients::listed_address& each) {
        out.push_back(std::string(each.text) + (each.kind == recipients::mailbox_kind::alias ? " alias" : ""));
        return true;
    }));
    std::ranges::sort(out);
    return out;
}

TEST_F(store_test, a_reassigned_mailbox_is_an_alias_and_its_aliases_move_along) {
    add("example.com");
    const mailbox alice = add_address("alice@example.com");
    const mailbox bob = add_address("bob@example.com");
    writer in = write();
    need(add_alias(in, bob.id, "b.baker@example.com"));
    const std::vector<std::uint64_t> ids{bob.id};
    const mailbox now = need(reassign_mailboxes(in, alice.id, ids));
    ASSERT_EQ(now.aliases.size(), 2U);
    EXPECT_EQ(now.aliases[0].address, "b.baker@example.com");
    EXPECT_EQ(now.aliases[1].address, "bob@example.com");
    EXPECT_THAT(published(in),
                testing::ElementsAre("alice@example.com", "b.baker@example.com alias", "bob@example.com alias"));
    EXPECT_EQ(need(count_addresses(in, 0U)).aliases, 2U);
    EXPECT_TRUE(need(standing_at(in, "bob@example.com", 0)).valid);
    history_filter of_bob;
    of_bob.subject = "address:bob@example.com";
    EXPECT_EQ(need(list_history(in, of_bob, {})).items.front().what, "reassigned");
    EXPECT_EQ(find_mailbox(in, bob.id).error().kind, error_kind::not_found);
}

TEST_F(store_test, a_mailbox_is_not_reassigned_to_itself_or_elsewhere_or_against_its_directory) {
    add("example.com");
    const mailbox alice = add_address("alice@example.com");
    const mailbox bob = add_address("bob@example.com");
    writer in = write();
    const std::vector<std::uint64_t> itself{alice.id};
    EXPECT_EQ(reassign_mailboxes(in, alice.id, itself).error().kind, error_kind::invalid);
    const organisation other = need(add_organisation(in, {"Other"}));
    need(add_domain(in, {"other.example", other.id}));
    new_mailbox input;
    input.address = "x@other.example";
    const std::vector<std::uint64_t> foreign{need(add_mailbox(in, input)).id};
    EXPECT_EQ(reassign_mailboxes(in, alice.id, foreign).error().kind, error_kind::invalid);
    const std::uint32_t source = need(need_source(in, "ldap:dc", 1));
    in.on().run(
        "INSERT INTO sync_source(source, organisation, type, settings, enabled, interval, removed_count, "
        "removed_percent,"
        " added_count, added_percent, total_count, floor, grace, freshness, fallback_to_defer, webhook, emails,"
        " notify_additions, notify_changes, notify_trouble, created, updated)"
        " VALUES (?, 1, 'ldap', '{}', 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', 0, 0, 0, 0, 0)",
        source);
    need(assert_address(in, bob.id, source));
    const std::vector<std::uint64_t> synced{bob.id};
    EXPECT_EQ(reassign_mailboxes(in, alice.id, synced).error().kind, error_kind::conflict);
}

TEST_F(store_test, one_of_many_claims_becomes_the_domain) {
    writer in = write();
    const organisation first = need(add_organisation(in, {"First"}));
    const organisation second = need(add_organisation(in, {"Second"}));
    const domain_claim mine = need(add_claim(in, {"Example.COM", first.id}));
    const domain_claim theirs = need(add_claim(in, {"example.com", second.id}));
    EXPECT_EQ(mine.record_name(), "_postern.example.com");
    EXPECT_EQ(mine.challenge.size(), 32U);
    EXPECT_NE(mine.challenge, theirs.challenge) << "one's record does not prove the other's claim";
    EXPECT_EQ(add_claim(in, {"example.com", first.id}).error().kind, error_kind::conflict);
    EXPECT_EQ(find_domain(in, "example.com").error().kind, error_kind::not_found) << "claimed is not served";
    const domain made = need(accept_claim(in, mine.id, proof::dns));
    EXPECT_EQ(made.organisation, first.id);
    EXPECT_EQ(made.proven, in.now());
    EXPECT_EQ(find_claim(in, mine.id).error().kind, error_kind::not_found);
    EXPECT_EQ(accept_claim(in, theirs.id, proof::granted).error().kind, error_kind::conflict);
    const domain_claim alias = need(add_claim(in, {"example.org", first.id, made.id}));
    const domain other_name = need(accept_claim(in, alias.id, proof::granted));
    EXPECT_EQ(other_name.target, made.id);
    EXPECT_EQ(other_name.proven, 0);
    EXPECT_EQ(add_claim(in, {"example.net", second.id, made.id}).error().field, "alias_of");
    EXPECT_EQ(add_claim(in, {"[192.0.2.1]", first.id}).error().field, "name");
    need(add_claim(in, {"later.example", second.id}));
    need(remove_organisation(in, second.id));
    EXPECT_EQ(need(list_claims(in, {}, {})).items.size(), 0U);
}

TEST_F(store_test, a_domain_alias_is_renamed_and_led_elsewhere) {
    writer in = write();
    const domain first = need(add_domain(in, {"example.com"}));
    const domain second = need(add_domain(in, {"example.org"}));
    const domain alias = need(add_domain_alias(in, "too.example", first.id));
    domain_alias_change change;
    change.name = "also.example";
    change.target = second.id;
    const domain now = need(change_domain_alias(in, alias.id, change));
    EXPECT_EQ(now.name, "also.example");
    EXPECT_EQ(now.target, second.id);
    change.name = "example.com";
    EXPECT_EQ(change_domain_alias(in, alias.id, change).error().kind, error_kind::conflict);
    change.name.reset();
    change.target = alias.id;
    EXPECT_EQ(change_domain_alias(in, alias.id, change).error().field, "domain");
    const organisation other = need(add_organisation(in, {"Other"}));
    change.target = need(add_domain(in, {"other.example", other.id})).id;
    EXPECT_EQ(change_domain_alias(in, alias.id, change).error().field, "domain");
}

TEST_F(store_test, what_is_billed_follows_every_change_of_kind_and_validity) {
    add("example.com");
    const mailbox alice = add_address("alice@example.com");
    const mailbox bob = add_address("bob@example.com");
    add_address("carol@example.com");
    writer in = write();
    const billed_kinds users;
    const auto billable = [&](const billed_kinds& kinds) { return need(count_billable(in, kinds, {})); };
    EXPECT_EQ(billable(users), 3U);
    need(add_alias(in, alice.id, "a@example.com"));
    EXPECT_EQ(billable(users), 3U) << "aliases are not billed";
    mailbox_change change;
    change.kind = recipients::mailbox_kind::unclassified;
    need(change_mailbox(in, alice.id, change));
    EXPECT_EQ(billable(users), 2U);
    billed_kinds at_once;
    at_once.counts.at(static_cast<std::size_t>(recipients::mailbox_kind::unclassified)) = true;
    EXPECT_EQ(billable(at_once), 3U);
    need(block_address(in, "carol@example.com"));
    EXPECT_EQ(billable(users), 1U);
    const std::vector<std::uint64_t> ids{bob.id};
    need(reassign_mailboxes(in, alice.id, ids));
    EXPECT_EQ(billable(users), 0U);
    const auto page = need(list_billed(in, at_once, {}, {}));
    ASSERT_EQ(page.items.size(), 1U);
    EXPECT_EQ(page.items[0].name, "default");
    EXPECT_EQ(page.items[0].billable, 1U);
    need(remove_mailbox(in, alice.id));
    EXPECT_EQ(billable(at_once), 0U);
}

}  // namespace
}  // namespace postern::directory
