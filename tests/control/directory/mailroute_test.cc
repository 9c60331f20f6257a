// What the MailRoute-compatible API needs of the directory: renamed entries, aliases that lead elsewhere, mail servers
// with ids of their own, holds of aliases, and what is kept of a domain beyond its own settings.
#include <gtest/gtest.h>

#include "control/directory/changes.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/directory/mail_servers.h"
#include "control/directory/mailroute.h"
#include "control/directory/reassign.h"
#include "control/directory/renames.h"
#include "control/directory/routes.h"
#include "tests/control/directory/open_store.h"

namespace postern::directory {
namespace {

class mailroute : public store_test {
protected:
    void change(const std::function<void(writer&)>& what) {
        writer in = write();
        what(in);
        commit(in);
    }
    std::vector<mail_server> servers_of(std::uint32_t domain) {
        const reader in = read();
        std::vector<mail_server> out;
        statement rows = in.on().query("SELECT id FROM mail_server WHERE domain = ? ORDER BY id", domain);
        while (rows.step()) {
            if (auto found = find_mail_server(in, rows.as<std::uint64_t>(0))) {
                out.push_back(std::move(*found));
            }
        }
        return out;
    }
};

TEST_F(mailroute, a_renamed_mailbox_is_the_same_under_another_address) {
    add("example.com");
    new_mailbox input;
    input.address = "alice@example.com";
    input.aliases = {"a@example.com"};
    const mailbox box = add(input);
    const std::uint64_t before = need(last_change(read()));
    const timestamp then = _now;
    _now += 1000;
    change([&](writer& in) { need(rename_address(in, box.id, "Alice.Archer@example.com")); });

    const mailbox now = need(find_mailbox(read(), box.id));
    EXPECT_EQ(now.address, "Alice.Archer@example.com");
    EXPECT_EQ(now.normal, "alice.archer@example.com");
    EXPECT_TRUE(now.valid);
    EXPECT_EQ(now.aliases.size(), 1U);
    EXPECT_FALSE(find_mailbox(read(), "alice@example.com"));
    const auto told = need(changes_after(read(), before, 10));
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[0].address, "alice@example.com");
    EXPECT_TRUE(told[0].was);
    EXPECT_EQ(told[1].address, "alice.archer@example.com");
    EXPECT_FALSE(told[1].was);
    // "Were you valid": the one then, the other now.
    EXPECT_TRUE(need(standing_at(read(), "alice@example.com", then)).valid);
    EXPECT_FALSE(need(standing_at(read(), "alice@example.com", 0)).valid);
    EXPECT_FALSE(need(standing_at(read(), "alice.archer@example.com", then)).valid);
    EXPECT_EQ(need(standing_at(read(), "alice.archer@example.com", 0)).sources, std::vector<std::string>{"manual"});
}

TEST_F(mailroute, a_rename_is_refused_where_it_can_not_be) {
    add("example.com");
    add("example.net");
    const mailbox box = add_address("alice@example.com");
    add_address("bob@example.com");
    writer in = write();
    EXPECT_EQ(rename_address(in, box.id, "BOB@example.com").error().kind, error_kind::conflict);
    EXPECT_EQ(rename_address(in, box.id, "alice@example.net").error().kind, error_kind::invalid);
    EXPECT_EQ(rename_address(in, box.id, "not an address").error().kind, error_kind::invalid);
    EXPECT_EQ(rename_address(in, 4711, "x@example.com").error().kind, error_kind::not_found);
    need(rename_address(in, box.id, "ALICE@example.com"));
    EXPECT_EQ(need(find_mailbox(in, box.id)).address, "ALICE@example.com") << "another spelling is no other address";
}

TEST_F(mailroute, an_alias_leads_to_another_mailbox) {
    const domain of = add("example.com");
    new_mailbox input;
    input.address = "alice@example.com";
    input.aliases = {"sales@example.com"};
    const mailbox alice = add(input);
    const mailbox bob = add_address("bob@example.com");
    change([&](writer& in) { EXPECT_EQ(need(reassign_alias(in, bob.id, alice.aliases.front().id)).mailbox, bob.id); });
    EXPECT_TRUE(need(find_mailbox(read(), alice.id)).aliases.empty());
    EXPECT_EQ(need(find_mailbox(read(), bob.id)).aliases.front().id, alice.aliases.front().id);
    EXPECT_EQ(need(count_addresses(read(), of.id)).aliases, 1U);
}

TEST_F(mailroute, mail_servers_keep_their_ids_whoever_changes_the_hosts) {
    const domain of = add("example.com");
    change([&](writer& in) {
        need(add_mail_server(in, {of.id, "one.example", 25, 10}));
        need(add_mail_server(in, {of.id, "two.example", 25, 20}));
    });
    const auto first = servers_of(of.id);
    ASSERT_EQ(first.size(), 2U);
    const std::uint32_t route = need(find_domain(read(), of.id)).route;
    EXPECT_NE(need(find_route(read(), route)).confirmed, 0) << "whoever sets a mail server here has confirmed it";

    change([&](writer& in) {
        mail_server_change wanted;
        wanted.host = "renamed.example";
        wanted.sealed_password = std::vector<std::byte>{std::byte{0}, std::byte{7}};
        EXPECT_EQ(need(change_mail_server(in, first[0].id, wanted)).id, first[0].id);
    });
    EXPECT_EQ(servers_of(of.id)[0].host, "renamed.example");
    EXPECT_EQ(servers_of(of.id)[0].sealed_password.size(), 2U);

    change([&](writer& in) {
        route_change wanted;
        wanted.hosts = {{"new.example", 25, 5}, {"two.example", 25, 30}};
        need(change_route(in, route, wanted));
    });
    const auto second = servers_of(of.id);
    ASSERT_EQ(second.size(), 2U);
    EXPECT_EQ(second[0].id, first[1].id);
    EXPECT_EQ(second[0].priority, 30);
    EXPECT_GT(second[1].id, first[1].id);
    EXPECT_TRUE(second[1].sealed_password.empty());

    change([&](writer& in) { need(set_delivery_port(in, of.id, 2525)); });
    EXPECT_EQ(servers_of(of.id)[0].id, second[0].id);
    EXPECT_EQ(servers_of(of.id)[0].port, 2525);
    EXPECT_EQ(need(find_delivery_port(read(), of.id)), 2525);

    change([&](writer& in) {
        need(remove_mail_server(in, second[0].id));
        need(remove_mail_server(in, second[1].id));
    });
    EXPECT_TRUE(servers_of(of.id).empty());
    EXPECT_EQ(need(find_domain(read(), of.id)).route, 0U);
    EXPECT_FALSE(find_route(read(), route)) << "the inbound server went with its last host";
}

TEST_F(mailroute, an_inbound_server_that_others_use_is_not_changed) {
    const domain one = add("one.example");
    const domain two = add("two.example");
    change([&](writer& in) {
        need(add_mail_server(in, {one.id, "mail.example", 25, 10}));
        domain_change same;
        same.route = need(find_domain(in, one.id)).route;
        need(change_domain(in, two.id, same));
    });
    ASSERT_EQ(servers_of(two.id).size(), 1U);
    change([&](writer& in) { need(add_mail_server(in, {two.id, "more.example", 25, 20})); });
    EXPECT_EQ(servers_of(one.id).size(), 1U);
    EXPECT_EQ(servers_of(two.id).size(), 2U);
    EXPECT_NE(need(find_domain(read(), one.id)).route, need(find_domain(read(), two.id)).route);
    change([&](writer& in) {
        mail_server_change same;
        same.host = "more.example";
        EXPECT_EQ(change_mail_server(in, servers_of(two.id)[0].id, same).error().kind, error_kind::conflict);
    });
}

TEST_F(mailroute, an_alias_on_hold_is_published_as_a_domain_on_hold) {
    const domain target = add("example.com");
    std::uint32_t alias = 0;
    change([&](writer& in) { alias = need(add_domain_alias(in, "example.net", target.id)).id; });
    const auto published = [&] {
        const auto section = need(published_domains(read()));
        for (const recipients::domain_settings& each : section.domains) {
            if (each.id == alias) {
                return each;
            }
        }
        return recipients::domain_settings();
    };
    EXPECT_EQ(published().target, target.id);
    domain_alias_change wanted;
    wanted.on_hold = true;
    change([&](writer& in) { need(change_domain_alias(in, alias, wanted)); });
    EXPECT_EQ(published().target, alias);
    EXPECT_TRUE(published().on_hold);
    wanted.on_hold = false;
    change([&](writer& in) { need(change_domain_alias(in, alias, wanted)); });
    EXPECT_EQ(published().target, target.id);
}

TEST_F(mailroute, what_was_said_of_a_hold_ends_with_it) {
    const domain of = add("example.com");
    change([&](writer& in) {
        domain_change hold;
        hold.on_hold = true;
        need(change_domain(in, of.id, hold));
        need(put_mailroute_domain(in, of.id, {2525, true, true, true, false}));
        hold.on_hold = false;
        need(change_domain(in, of.id, hold));
    });
    const mailroute_domain kept = need(find_mailroute_domain(read(), of.id));
    EXPECT_FALSE(kept.inactive || kept.held);
    EXPECT_TRUE(kept.outbound_enabled);
    EXPECT_EQ(kept.deliveryport, 2525);
}

TEST_F(mailroute, enforce_waits_for_the_first_address_unless_the_mode_is_set_meanwhile) {
    const domain of = add("example.com");
    mailroute_domain wanted;
    wanted.enforce_when_listed = true;
    change([&](writer& in) { need(put_mailroute_domain(in, of.id, wanted)); });
    change([&](writer& in) { EXPECT_FALSE(need(enforce_if_listed(in, of.id))); });
    add_address("alice@example.com");
    change([&](writer& in) { EXPECT_TRUE(need(enforce_if_listed(in, of.id))); });
    EXPECT_EQ(need(find_domain(read(), of.id)).mode, recipients::mode::enforce);
    EXPECT_FALSE(need(find_mailroute_domain(read(), of.id)).enforce_when_listed);

    change([&](writer& in) {
        need(put_mailroute_domain(in, of.id, wanted));
        need(set_mode(in, of.id, recipients::mode::discover));
        EXPECT_FALSE(need(enforce_if_listed(in, of.id)));
    });
}

}  // namespace
}  // namespace postern::directory
