#include "control/directory/domains.h"

#include <gmock/gmock.h>

#include "control/directory/changes.h"
#include "control/directory/groups.h"
#include "control/directory/organisations.h"
#include "control/directory/routes.h"
#include "tests/control/directory/open_store.h"

namespace postern::directory {
namespace {

using testing::HasSubstr;

TEST_F(store_test, a_new_domain_observes_and_has_no_route) {
    const domain made = add("Example.COM.");
    EXPECT_EQ(made.name, "example.com");
    EXPECT_EQ(made.mode, recipients::mode::observe);
    EXPECT_EQ(made.mode_since, _now);
    EXPECT_EQ(made.route, 0U);
    EXPECT_EQ(made.settings.target, made.id);
    EXPECT_EQ(made.settings.subaddress_delimiter, '+');
    EXPECT_TRUE(made.settings.abuse_always);
}

TEST_F(store_test, an_international_domain_is_kept_as_its_a_label) {
    EXPECT_EQ(add("bücher.example").name, "xn--bcher-kva.example");
    const reader in = read();
    EXPECT_TRUE(find_domain(in, "BÜCHER.example"));
}

TEST_F(store_test, a_domain_is_there_once) {
    add("example.com");
    writer in = write();
    const auto again = add_domain(in, {"EXAMPLE.com"});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().kind, error_kind::conflict);
    EXPECT_EQ(again.error().field, "name");
}

TEST_F(store_test, a_name_that_is_no_domain_is_invalid) {
    writer in = write();
    for (const char* name : {"", "exa mple.com", "a@b.example", "-x.example", "a..b"}) {
        const auto made = add_domain(in, {name});
        ASSERT_FALSE(made) << name;
        EXPECT_EQ(made.error().kind, error_kind::invalid) << name;
    }
}

TEST_F(store_test, a_domains_id_is_never_used_again) {
    const std::uint32_t first = add("one.example").id;
    const std::uint32_t second = add("two.example").id;
    writer in = write();
    need(remove_domain(in, second, false));
    EXPECT_GT(need(add_domain(in, {"two.example"})).id, second);
    EXPECT_GT(second, first);
}

TEST_F(store_test, enforce_is_refused_on_an_empty_list) {
    const domain made = add("example.com");
    {
        writer in = write();
        const auto set = set_mode(in, made.id, recipients::mode::enforce);
        ASSERT_FALSE(set);
        EXPECT_EQ(set.error().kind, error_kind::refused);
        EXPECT_THAT(set.error().text, HasSubstr("no valid address"));
    }
    add_address("alice@example.com");
    writer in = write();
    EXPECT_EQ(need(set_mode(in, made.id, recipients::mode::enforce)).mode, recipients::mode::enforce);
}

TEST_F(store_test, a_blocked_address_does_not_make_a_list) {
    const domain made = add("example.com");
    writer in = write();
    need(block_address(in, "alice@example.com"));
    EXPECT_FALSE(set_mode(in, made.id, recipients::mode::enforce));
}

TEST_F(store_test, defer_and_discover_end_on_their_dates_in_observe) {
    const domain deferred = add("defer.example");
    const domain discovered = add("discover.example");
    constexpr timestamp day = 24LL * 3600 * 1000;
    {
        writer in = write();
        EXPECT_EQ(need(set_mode(in, deferred.id, recipients::mode::defer)).mode_until, _now + 3 * day);
        EXPECT_EQ(need(set_mode(in, discovered.id, recipients::mode::discover)).mode_until, _now + 30 * day);
        commit(in);
    }
    _now += 4 * day;
    {
        writer in = write();
        const std::vector<domain> ended = need(end_modes(in));
        ASSERT_EQ(ended.size(), 1U);
        EXPECT_EQ(ended[0].name, "defer.example");
        EXPECT_EQ(ended[0].mode, recipients::mode::observe);
        EXPECT_EQ(ended[0].mode_since, _now);
        EXPECT_EQ(ended[0].mode_until, 0);
        commit(in);
    }
    writer in = write();
    EXPECT_TRUE(need(end_modes(in)).empty());
}

TEST_F(store_test, an_end_is_for_defer_and_discover_and_in_the_future) {
    const domain made = add("example.com");
    writer in = write();
    EXPECT_EQ(set_mode(in, made.id, recipients::mode::observe, _now + 1000).error().field, "until");
    EXPECT_EQ(set_mode(in, made.id, recipients::mode::defer, _now).error().field, "until");
    EXPECT_EQ(need(set_mode(in, made.id, recipients::mode::defer, _now + 5)).mode_until, _now + 5);
}

TEST_F(store_test, a_domain_alias_has_its_targets_addresses) {
    const domain made = add("example.com");
    {
        writer in = write();
        const domain other = need(add_domain_alias(in, "example.net", made.id));
        EXPECT_EQ(other.settings.target, made.id);
        EXPECT_FALSE(add_domain_alias(in, "third.example", other.id)) << "an alias of an alias";
        EXPECT_FALSE(set_mode(in, other.id, recipients::mode::defer));
        commit(in);
    }
    const mailbox box = add_address("alice@EXAMPLE.net");
    EXPECT_EQ(box.normal, "alice@example.com");
    const reader in = read();
    EXPECT_EQ(need(find_mailbox(in, "alice@example.net")).id, box.id);
}

TEST_F(store_test, a_full_domain_goes_only_with_all_that_is_in_it) {
    const domain made = add("example.com");
    const domain other = add("other.example");
    new_mailbox input;
    input.address = "bob@other.example";
    input.aliases = {"robert@example.com"};
    add(input);
    add_address("alice@example.com");
    {
        writer in = write();
        EXPECT_EQ(remove_domain(in, made.id, false).error().kind, error_kind::conflict);
        need(remove_domain(in, made.id, true));
        commit(in);
    }
    const reader in = read();
    EXPECT_FALSE(find_domain(in, made.id));
    EXPECT_EQ(need(count_addresses(in, 0)).valid, 1U);
    EXPECT_EQ(need(count_addresses(in, other.id)).valid, 1U);
    const auto changes = need(changes_after(in, 0, 100));
    EXPECT_TRUE(std::ranges::any_of(changes, [](const change& c) { return c.kind == change_kind::bulk && c.seq > 1; }))
        << "the base must not keep the old domain's addresses";
}

TEST_F(store_test, settings_are_kept_and_travel_in_the_domain_section) {
    const domain made = add("example.com");
    recipients::network network;
    network.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 0};
    network.length = 104;
    domain_change change;
    change.subaddress_delimiter = '\0';
    change.grace_defers = true;
    change.strip_prvs = true;
    change.on_hold = true;
    change.trusted = {network};
    {
        writer in = write();
        need(change_domain(in, made.id, change));
        commit(in);
    }
    const reader in = read();
    const recipients::domain_section section = need(published_domains(in));
    ASSERT_EQ(section.domains.size(), 1U);
    EXPECT_EQ(section.domains[0].subaddress_delimiter, '\0');
    EXPECT_TRUE(section.domains[0].grace_defers);
    EXPECT_TRUE(section.domains[0].strip_prvs);
    EXPECT_TRUE(section.domains[0].on_hold);
    EXPECT_EQ(section.domains[0].trusted, std::vector{network});
}

TEST_F(store_test, a_delimiter_that_is_part_of_names_is_invalid) {
    const domain made = add("example.com");
    writer in = write();
    domain_change change;
    change.subaddress_delimiter = 'a';
    EXPECT_EQ(change_domain(in, made.id, change).error().field, "subaddress_delimiter");
}

TEST_F(store_test, domains_are_listed_by_name_in_pages_and_by_filter) {
    for (const char* name : {"c.example", "a.example", "b.test"}) {
        add(name);
    }
    const reader in = read();
    page<domain> first = need(list_domains(in, {}, {"", 2}));
    ASSERT_EQ(first.items.size(), 2U);
    EXPECT_EQ(first.items[0].name, "a.example");
    page<domain> second = need(list_domains(in, {}, {first.next, 2}));
    ASSERT_EQ(second.items.size(), 1U);
    EXPECT_EQ(second.items[0].name, "c.example");
    EXPECT_EQ(second.next, "");
    domain_filter filter;
    filter.search = "test";
    EXPECT_EQ(need(count_domains(in, filter)), 1U);
    filter = {};
    filter.mode = recipients::mode::enforce;
    EXPECT_EQ(need(count_domains(in, filter)), 0U);
    filter = {};
    filter.alias = true;
    EXPECT_EQ(need(count_domains(in, filter)), 0U);
}

TEST_F(store_test, a_route_is_used_only_after_probe_and_confirmation) {
    writer in = write();
    new_route input;
    input.name = "Exchange";
    input.hosts = {{"mx1.example.com", 25, 10}, {"192.0.2.7", 2525, 20}};
    const route made = need(add_route(in, input));
    EXPECT_EQ(made.hosts, input.hosts);
    EXPECT_EQ(confirm_route(in, made.id).error().kind, error_kind::refused);
    EXPECT_EQ(record_probe(in, made.id, "not json", false).error().field, "probe");
    EXPECT_TRUE(need(record_probe(in, made.id, R"({"size":1000})", true)).catch_all);
    const route confirmed = need(confirm_route(in, made.id));
    EXPECT_EQ(confirmed.confirmed_by, "tester");
    EXPECT_EQ(confirmed.confirmed, _now);

    route_change rename;
    rename.name = "Exchange 2";
    EXPECT_EQ(need(change_route(in, made.id, rename)).confirmed, _now) << "its hosts are the same";
    route_change move;
    move.hosts = {{"mx2.example.com", 25, 10}};
    EXPECT_EQ(need(change_route(in, made.id, move)).confirmed, 0) << "these hosts nobody confirmed";
}

TEST_F(store_test, a_route_in_use_stays) {
    writer in = write();
    new_route input;
    input.name = "Exchange";
    input.hosts = {{"mx1.example.com", 25, 10}};
    const route made = need(add_route(in, input));
    const domain served = need(add_domain(in, {"example.com", 1, made.id}));
    EXPECT_EQ(remove_route(in, made.id).error().kind, error_kind::conflict);
    domain_change change;
    change.route = 0;
    need(change_domain(in, served.id, change));
    EXPECT_TRUE(remove_route(in, made.id));
}

TEST_F(store_test, routes_with_bad_hosts_are_invalid) {
    writer in = write();
    new_route input;
    input.name = "x";
    EXPECT_EQ(add_route(in, input).error().field, "hosts");
    input.hosts = {{"mx 1", 25, 10}};
    EXPECT_EQ(add_route(in, input).error().field, "hosts");
    input.hosts = {{"mx1", 0, 10}};
    EXPECT_EQ(add_route(in, input).error().field, "hosts");
}

TEST_F(store_test, an_organisation_with_something_in_it_stays) {
    writer in = write();
    const organisation made = need(add_organisation(in, {"Acme"}));
    EXPECT_EQ(add_organisation(in, {"ACME"}).error().kind, error_kind::conflict);
    new_domain input;
    input.name = "acme.example";
    input.organisation = made.id;
    const domain served = need(add_domain(in, input));
    EXPECT_EQ(remove_organisation(in, made.id).error().kind, error_kind::conflict);
    need(remove_domain(in, served.id, false));
    EXPECT_TRUE(remove_organisation(in, made.id));
}

TEST_F(store_test, a_group_goes_without_its_mailboxes) {
    add("example.com");
    new_mailbox input;
    input.address = "alice@example.com";
    input.group = "Sales";
    const mailbox box = add(input);
    writer in = write();
    const page<group> groups = need(list_groups(in, {1}, {}));
    ASSERT_EQ(groups.items.size(), 1U);
    EXPECT_EQ(groups.items[0].mailboxes, 1U);
    need(remove_group(in, groups.items[0].id));
    EXPECT_EQ(need(find_mailbox(in, box.id)).group, "");
}

}  // namespace
}  // namespace postern::directory
