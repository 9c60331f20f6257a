// What a token for a part reaches, as the directory stands.
#include "control/directory/scope.h"

#include "control/directory/connection.h"
#include "control/directory/groups.h"
#include "control/directory/history.h"
#include "control/directory/organisations.h"
#include "control/directory/schema.h"
#include "control/directory/tokens.h"
#include "tests/control/directory/open_store.h"

namespace postern::directory {
namespace {

TEST_F(store_test, a_customer_has_a_name_among_its_resellers_alone) {
    writer in = write();
    const organisation first = need(add_organisation(in, {"First", 0, true}));
    const organisation second = need(add_organisation(in, {"Second", 0, true}));
    EXPECT_EQ(need(add_organisation(in, {"Acme", first.id})).name, "Acme");
    EXPECT_EQ(need(add_organisation(in, {"Acme", second.id})).name, "Acme");
    EXPECT_EQ(add_organisation(in, {"ACME", second.id}).error().field, "name");
    const organisation plain = need(add_organisation(in, {"Plain"}));
    EXPECT_EQ(add_organisation(in, {"x", plain.id}).error().field, "parent");
    EXPECT_EQ(add_organisation(in, {"x", first.id, true}).error().field, "reseller");
    organisation_change change;
    change.reseller = false;
    EXPECT_EQ(change_organisation(in, first.id, change).error().kind, error_kind::conflict);
    EXPECT_EQ(remove_organisation(in, first.id).error().kind, error_kind::conflict);
}

TEST_F(store_test, a_scope_follows_what_is_there) {
    writer in = write();
    const organisation reseller = need(add_organisation(in, {"Reseller", 0, true}));
    const domain own = need(add_domain(in, {"own.example", reseller.id}));
    const scope_rule rule{reseller.id, {}, 0};
    EXPECT_TRUE(need(resolve_scope(in, rule)).has(own));
    const organisation customer = need(add_organisation(in, {"Customer", reseller.id}));
    const domain theirs = need(add_domain(in, {"theirs.example", customer.id}));
    const domain other = need(add_domain(in, {"other.example"}));
    const scope whole = need(resolve_scope(in, rule));
    EXPECT_TRUE(whole.has(theirs));
    EXPECT_FALSE(whole.has(other));
    EXPECT_FALSE(whole.has_organisation(1));
    const scope one = need(resolve_scope(in, need(check_scope(in, {0, {theirs.id}, 0}))));
    EXPECT_EQ(one.organisation, customer.id);
    EXPECT_TRUE(one.has(need(add_domain_alias(in, "too.example", theirs.id))));
    EXPECT_FALSE(one.has_organisation(customer.id)) << "not with all that is in it";
    EXPECT_TRUE(contains(whole, one));
    EXPECT_FALSE(contains(one, whole));
    EXPECT_TRUE(contains({}, whole));
    EXPECT_FALSE(contains(whole, {}));
    EXPECT_EQ(check_scope(in, {0, {theirs.id, own.id}, 0}).error().field, "domains");
    EXPECT_EQ(check_scope(in, {99, {}, 0}).error().field, "organisation");
    need(remove_domain(in, theirs.id, true));
    EXPECT_FALSE(need(resolve_scope(in, {customer.id, {theirs.id}, 0})).has(theirs));
}

TEST_F(store_test, a_group_within_a_domain_takes_mailboxes_of_it_alone) {
    writer in = write();
    const domain here = need(add_domain(in, {"example.com"}));
    need(add_domain(in, {"example.org"}));
    const group made = need(add_group(in, 1, "Sales", here.id));
    new_mailbox input;
    input.group = "Sales";
    input.address = "bob@example.org";
    EXPECT_EQ(add_mailbox(in, input).error().field, "group");
    input.address = "alice@example.com";
    const mailbox alice = need(add_mailbox(in, input));
    input.group.clear();
    input.address = "carol@example.com";
    const mailbox carol = need(add_mailbox(in, input));
    const alias of_alice = need(add_alias(in, alice.id, "a.archer@example.com"));
    const scope within = need(resolve_scope(in, need(check_scope(in, {0, {}, made.id}))));
    EXPECT_TRUE(need(has_mailbox(in, within, alice)));
    EXPECT_TRUE(need(has_alias(in, within, of_alice)));
    EXPECT_FALSE(need(has_mailbox(in, within, carol)));
    mailbox_filter filter;
    filter.within = &within;
    EXPECT_EQ(need(count_mailboxes(in, filter)), 1U);
    EXPECT_EQ(need(list_mailboxes(in, filter, {})).items.at(0).address, "alice@example.com");
    EXPECT_EQ(need(count_addresses(in, within)).valid, 2U);
    history_filter of_group;
    of_group.within = &within;
    for (const history_entry& each : need(list_history(in, of_group, {})).items) {
        EXPECT_EQ(each.subject.find("carol"), std::string::npos);
    }
    EXPECT_EQ(need(list_history(in, of_group, {})).items.size(), 2U);
    group_change change;
    change.domain = 0;
    need(change_group(in, made.id, change));
    EXPECT_FALSE(need(has_mailbox(in, need(resolve_scope(in, {1, {}, made.id})), alice)));
}

TEST_F(store_test, what_was_before_a_domain_came_is_not_its_new_organisations) {
    writer in = write();
    const domain first = need(add_domain(in, {"example.com"}));
    new_mailbox input;
    input.address = "alice@example.com";
    need(add_mailbox(in, input));
    need(remove_domain(in, first.id, true));
    const organisation other = need(add_organisation(in, {"Other"}));
    need(add_domain(in, {"example.com", other.id}));
    EXPECT_TRUE(need(standing_at(in, "alice@example.com", 0)).last);
    EXPECT_FALSE(need(standing_at(in, "alice@example.com", 0, false)).last);
    const scope within = need(resolve_scope(in, {other.id, {}, 0}));
    history_filter filter;
    filter.within = &within;
    for (const history_entry& each : need(list_history(in, filter, {})).items) {
        EXPECT_EQ(each.subject.find("alice"), std::string::npos) << each.subject;
    }
}

TEST(store_migrations, what_was_before_tenants_is_kept) {
    const temporary_folder folder;
    {
        auto raw = need(connection::open(folder.file("d.db"), 1024));
        need(migrate(*raw, 5));
        raw->script(
            "INSERT INTO organisation(name, created) VALUES ('Acme', 0);"
            "INSERT INTO domain(organisation, name, mode_since, created) VALUES (2, 'example.com', 0, 0);"
            "INSERT INTO mailbox_group(organisation, name, created) VALUES (2, 'Sales', 0);"
            "INSERT INTO address(domain, normal, local, kind, valid, grp, created, updated) VALUES"
            " (1, 'alice', 'alice', 0, 1, 1, 0, 0), (1, 'office', 'office', 1, 1, NULL, 0, 0);"
            "INSERT INTO address(domain, normal, local, mailbox, kind, valid, created, updated)"
            " VALUES (1, 'a', 'a', 1, 4, 1, 0, 0);"
            "INSERT INTO token(name, role, hash, created, created_by) VALUES ('ops', 2, zeroblob(32), 0, 'system');"
            "INSERT INTO act(at, who, why) VALUES (1, 'token:ops', '');"
            "INSERT INTO history(act, what, subject, domain) VALUES (1, 'added', 'domain:example.com', 1);");
        ASSERT_FALSE(raw->failed()) << raw->failure().text;
    }
    const auto opened = need(store::open(folder.file("d.db")));
    writer in = need(opened->write({"tester", ""}));
    EXPECT_EQ(need(find_organisation(in, 2)).name, "Acme");
    EXPECT_EQ(need(find_organisation(in, 2)).parent, 0U);
    EXPECT_EQ(need(find_group(in, 1)).domain, 0U);
    EXPECT_EQ(need(find_token(in, 1)).scope, scope_rule{}) << "it reaches everything, as it did";
    EXPECT_FALSE(need(needs_first_token(in)));
    const scope within = need(resolve_scope(in, {2, {}, 0}));
    history_filter filter;
    filter.within = &within;
    EXPECT_EQ(need(list_history(in, filter, {})).items.size(), 1U);
}

}  // namespace
}  // namespace postern::directory
