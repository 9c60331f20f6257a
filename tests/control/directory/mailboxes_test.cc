#include "control/directory/mailboxes.h"

#include <gmock/gmock.h>

#include "control/directory/assertions.h"
#include "control/directory/changes.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "tests/control/directory/open_store.h"

namespace postern::directory {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class mailboxes : public store_test {
protected:
    mailboxes() { _domain = add("example.com"); }

    /// Changes of addresses after the mark, as text.
    std::vector<std::string> changed_since(std::uint64_t mark) {
        const reader in = read();
        std::vector<std::string> out;
        for (const change& next : need(changes_after(in, mark, 1000))) {
            out.push_back(next.address + (next.was ? " was" : " was not"));
        }
        return out;
    }
    std::uint64_t mark() {
        const reader in = read();
        return need(last_change(in));
    }
    /// What the table is to hold, sorted.
    std::vector<std::string> published() {
        const reader in = read();
        std::vector<std::string> out;
        need(each_valid_address(in, [&](const recipients::listed_address& next) {
            out.emplace_back(next.text);
            return true;
        }));
        std::ranges::sort(out);
        return out;
    }
    std::uint32_t csv(writer& in) { return need(need_source(in, "csv:default/example.com", 1)); }

    domain _domain;
};

TEST_F(mailboxes, one_added_by_hand_is_valid_and_asserted_by_manual) {
    new_mailbox input;
    input.address = "Alice.Smith@Example.COM";
    input.first_name = "Alice";
    input.last_name = "Smith";
    input.group = "Sales";
    input.kind = recipients::mailbox_kind::shared;
    input.aliases = {"a.smith@example.com", "AS@example.com"};
    const std::uint64_t before = mark();
    const mailbox box = add(input);
    EXPECT_EQ(box.address, "Alice.Smith@example.com");
    EXPECT_EQ(box.normal, "alice.smith@example.com");
    EXPECT_EQ(box.group, "Sales");
    EXPECT_TRUE(box.valid);
    ASSERT_EQ(box.sources.size(), 1U);
    EXPECT_EQ(box.sources[0].source, "manual");
    EXPECT_EQ(box.sources[0].since, _now);
    ASSERT_EQ(box.aliases.size(), 2U);
    EXPECT_EQ(box.aliases[0].normal, "a.smith@example.com");
    EXPECT_THAT(published(), ElementsAre("a.smith@example.com", "alice.smith@example.com", "as@example.com"));
    EXPECT_THAT(changed_since(before), ElementsAre("alice.smith@example.com was not", "a.smith@example.com was not",
                                                   "as@example.com was not"));
}

TEST_F(mailboxes, an_address_is_there_once_as_mailbox_or_alias) {
    new_mailbox input;
    input.address = "alice@example.com";
    input.aliases = {"al@example.com"};
    add(input);
    writer in = write();
    new_mailbox again;
    again.address = "ALICE@example.com";
    EXPECT_EQ(add_mailbox(in, again).error().kind, error_kind::conflict);
    again.address = "al@example.com";
    const auto taken = add_mailbox(in, again);
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().text, HasSubstr("alias of alice@example.com"));
}

TEST_F(mailboxes, what_is_not_an_address_or_not_served_is_invalid) {
    writer in = write();
    new_mailbox input;
    for (const char* address : {"", "alice", "alice@", "@example.com", "a b@example.com", "alice@not-served.example"}) {
        input.address = address;
        const auto made = add_mailbox(in, input);
        ASSERT_FALSE(made) << address;
        EXPECT_EQ(made.error().kind, error_kind::invalid) << address;
        EXPECT_EQ(made.error().field, "address") << address;
    }
    input.address = "alice@example.com";
    input.first_name = "Al\nice";
    EXPECT_EQ(add_mailbox(in, input).error().field, "first_name");
    input.first_name = "";
    input.kind = recipients::mailbox_kind::alias;
    EXPECT_EQ(add_mailbox(in, input).error().field, "kind");
}

TEST_F(mailboxes, an_address_is_valid_while_any_source_asserts_it) {
    const mailbox box = add_address("alice@example.com");
    {
        writer in = write();
        need(assert_address(in, box.id, csv(in)));
        commit(in);
    }
    std::uint64_t before = mark();
    {
        writer in = write();
        need(withdraw_address(in, box.id, manual_source));
        commit(in);
    }
    EXPECT_THAT(published(), ElementsAre("alice@example.com"));
    EXPECT_THAT(changed_since(before), IsEmpty());
    before = mark();
    {
        writer in = write();
        need(withdraw_address(in, box.id, csv(in)));
        commit(in);
    }
    EXPECT_THAT(published(), IsEmpty());
    EXPECT_THAT(changed_since(before), ElementsAre("alice@example.com was"));
    const reader in = read();
    EXPECT_FALSE(find_mailbox(in, box.id)) << "nothing asserts it: it is gone";
}

TEST_F(mailboxes, blocked_beats_every_source_and_pinned_outlives_them) {
    const mailbox box = add_address("alice@example.com");
    mailbox_change change;
    change.hold = hold::blocked;
    {
        writer in = write();
        EXPECT_FALSE(need(change_mailbox(in, box.id, change)).valid);
        need(assert_address(in, box.id, csv(in)));
        commit(in);
    }
    EXPECT_THAT(published(), IsEmpty());
    change.hold = hold::pinned;
    {
        writer in = write();
        EXPECT_TRUE(need(change_mailbox(in, box.id, change)).valid);
        need(withdraw_address(in, box.id, manual_source));
        need(withdraw_address(in, box.id, csv(in)));
        commit(in);
    }
    EXPECT_THAT(published(), ElementsAre("alice@example.com"));
    change.hold = hold::none;
    writer in = write();
    const mailbox lifted = need(change_mailbox(in, box.id, change));
    EXPECT_FALSE(lifted.valid);
    commit(in);
    EXPECT_THAT(published(), IsEmpty());
}

TEST_F(mailboxes, an_address_that_nobody_lists_can_be_blocked) {
    {
        writer in = write();
        const mailbox blocked = need(block_address(in, "Spam@example.com"));
        EXPECT_EQ(blocked.hold, hold::blocked);
        EXPECT_FALSE(blocked.valid);
        need(assert_address(in, blocked.id, csv(in)));
        commit(in);
    }
    EXPECT_THAT(published(), IsEmpty());
    writer in = write();
    new_mailbox input;
    input.address = "spam@example.com";
    EXPECT_THAT(add_mailbox(in, input).error().text, HasSubstr("blocked: lift that first"));
}

TEST_F(mailboxes, an_entry_stays_while_an_alias_of_another_source_hangs_on_it) {
    const mailbox box = add_address("alice@example.com");
    std::uint64_t hanging = 0;
    {
        writer in = write();
        hanging = need(add_alias(in, box.id, "al@example.com")).id;
        need(withdraw_address(in, box.id, manual_source));
        commit(in);
    }
    EXPECT_THAT(published(), ElementsAre("al@example.com"));
    {
        const reader in = read();
        EXPECT_FALSE(need(find_mailbox(in, box.id)).valid);
    }
    writer in = write();
    need(remove_alias(in, hanging));
    EXPECT_FALSE(find_mailbox(in, box.id)) << "nothing keeps it any more";
}

TEST_F(mailboxes, aliases_are_replaced_as_a_whole) {
    new_mailbox input;
    input.address = "alice@example.com";
    input.aliases = {"a@example.com", "b@example.com"};
    const mailbox box = add(input);
    const std::uint64_t before = mark();
    mailbox_change change;
    change.aliases = std::vector<std::string>{"B@example.com", "c@example.com", "c@example.com"};
    {
        writer in = write();
        EXPECT_EQ(need(change_mailbox(in, box.id, change)).aliases.size(), 2U);
        commit(in);
    }
    EXPECT_THAT(published(), ElementsAre("alice@example.com", "b@example.com", "c@example.com"));
    EXPECT_THAT(changed_since(before), ElementsAre("a@example.com was", "c@example.com was not"));
}

TEST_F(mailboxes, a_change_that_fails_half_way_changes_nothing) {
    const mailbox box = add_address("alice@example.com");
    add_address("bob@example.com");
    {
        writer in = write();
        mailbox_change change;
        change.first_name = "Alice";
        change.aliases = std::vector<std::string>{"new@example.com", "bob@example.com"};
        EXPECT_EQ(change_mailbox(in, box.id, change).error().kind, error_kind::conflict);
    }
    const reader in = read();
    EXPECT_EQ(need(find_mailbox(in, box.id)).first_name, "");
    EXPECT_THAT(published(), ElementsAre("alice@example.com", "bob@example.com"));
}

TEST_F(mailboxes, a_change_of_names_is_no_change_of_the_table) {
    const mailbox box = add_address("alice@example.com");
    const std::uint64_t before = mark();
    mailbox_change change;
    change.first_name = "Alice";
    change.group = "Sales";
    {
        writer in = write();
        need(change_mailbox(in, box.id, change));
        commit(in);
    }
    EXPECT_THAT(changed_since(before), IsEmpty());
    change = {};
    change.internal_only = true;
    {
        writer in = write();
        need(change_mailbox(in, box.id, change));
        commit(in);
    }
    EXPECT_THAT(changed_since(before), ElementsAre("alice@example.com was"));
    const reader in = read();
    EXPECT_TRUE(need(published_address(in, _domain.id, "alice@example.com"))->internal_only);
}

TEST_F(mailboxes, removing_takes_the_aliases_along) {
    new_mailbox input;
    input.address = "alice@example.com";
    input.aliases = {"a@example.com"};
    const mailbox box = add(input);
    const std::uint64_t before = mark();
    {
        writer in = write();
        need(remove_mailbox(in, box.id));
        commit(in);
    }
    EXPECT_THAT(published(), IsEmpty());
    EXPECT_THAT(changed_since(before), ElementsAre("a@example.com was", "alice@example.com was"));
}

TEST_F(mailboxes, are_listed_in_pages_by_filter_and_by_search) {
    for (int n = 0; n < 5; ++n) {
        new_mailbox input;
        input.address = "person" + std::to_string(n) + "@example.com";
        input.last_name = n == 3 ? "Müller-Lüdenscheidt" : "O'Neil";
        input.group = n < 2 ? "Sales" : "";
        input.kind = n == 4 ? recipients::mailbox_kind::list : recipients::mailbox_kind::user;
        if (n == 0) {
            input.aliases = {"the.chief@example.com"};
        }
        add(input);
    }
    const reader in = read();
    std::string after;
    std::vector<std::string> seen;
    do {
        const page<mailbox> next = need(list_mailboxes(in, {}, {after, 2}));
        for (const mailbox& box : next.items) {
            seen.push_back(box.normal);
        }
        after = next.next;
    } while (!after.empty());
    EXPECT_THAT(seen, ElementsAre("person0@example.com", "person1@example.com", "person2@example.com",
                                  "person3@example.com", "person4@example.com"));

    const auto found = [&](auto set) {
        mailbox_filter filter;
        set(filter);
        const std::uint64_t counted = need(count_mailboxes(in, filter));
        EXPECT_EQ(need(list_mailboxes(in, filter, {})).items.size(), counted);
        return counted;
    };
    EXPECT_EQ(found([](auto& f) { f.group = "Sales"; }), 2U);
    EXPECT_EQ(found([](auto& f) { f.group = ""; }), 3U);
    EXPECT_EQ(found([](auto& f) { f.kind = recipients::mailbox_kind::list; }), 1U);
    EXPECT_EQ(found([&](auto& f) { f.domain = _domain.id + 1; }), 0U);
    EXPECT_EQ(found([](auto& f) { f.source = "manual"; }), 5U);
    EXPECT_EQ(found([](auto& f) { f.source = "csv:x"; }), 0U);
    EXPECT_EQ(found([](auto& f) { f.valid = false; }), 0U);
    EXPECT_EQ(found([](auto& f) { f.search = "ERSON3"; }), 1U);
    EXPECT_EQ(found([](auto& f) { f.search = "lüdens"; }), 1U);
    EXPECT_EQ(found([](auto& f) { f.search = "o'n"; }), 4U);
    EXPECT_EQ(found([](auto& f) { f.search = "chief"; }), 1U) << "found by its alias";
    EXPECT_EQ(found([](auto& f) { f.search = "pe"; }), 5U);
    EXPECT_EQ(found([](auto& f) { f.search = "rs"; }), 0U) << "two characters: the beginning only";
    EXPECT_EQ(found([](auto& f) { f.search = "son2@exam"; }), 1U);
    EXPECT_EQ(found([](auto& f) { f.search = "son2@other"; }), 0U);
    EXPECT_EQ(found([](auto& f) { f.search = "@example.com"; }), 5U);
    EXPECT_EQ(found([](auto& f) { f.search = "per%3"; }), 0U);
    EXPECT_EQ(found([](auto& f) { f.search = "\"; DROP"; }), 0U);
    EXPECT_EQ(list_mailboxes(in, {}, {"x", 2}).error().field, "after");
}

TEST_F(mailboxes, search_follows_changes_and_removals) {
    const mailbox box = add_address("alice@example.com");
    mailbox_filter filter;
    filter.search = "wonder";
    mailbox_change change;
    change.last_name = "Wonderland";
    {
        writer in = write();
        need(change_mailbox(in, box.id, change));
        EXPECT_EQ(need(count_mailboxes(in, filter)), 1U);
        change.last_name = "Liddell";
        need(change_mailbox(in, box.id, change));
        EXPECT_EQ(need(count_mailboxes(in, filter)), 0U);
        need(remove_mailbox(in, box.id));
        filter.search = "alice";
        EXPECT_EQ(need(count_mailboxes(in, filter)), 0U);
        commit(in);
    }
    writer in = write();
    in.on().script("INSERT INTO address_search(address_search) VALUES ('integrity-check')");
    EXPECT_FALSE(in.on().failed());
}

TEST_F(mailboxes, counts_follow_every_change) {
    new_mailbox input;
    input.address = "alice@example.com";
    input.aliases = {"a@example.com", "b@example.com"};
    const mailbox box = add(input);
    add_address("bob@example.com");
    add("other.example");
    add_address("carol@other.example");
    const auto expect = [&](std::uint64_t valid_mailboxes, std::uint64_t valid_aliases, std::uint64_t blocked) {
        const reader in = read();
        const domain_counts counts = need(count_addresses(in, _domain.id));
        EXPECT_EQ(counts.mailboxes, valid_mailboxes);
        EXPECT_EQ(counts.aliases, valid_aliases);
        EXPECT_EQ(counts.valid, valid_mailboxes + valid_aliases);
        EXPECT_EQ(counts.blocked, blocked);
        // By the rows themselves.
        statement rows = in.on().query(
            "SELECT count(*) FILTER (WHERE mailbox IS NULL), count(*) FILTER (WHERE mailbox IS NOT NULL),"
            " count(*) FILTER (WHERE mailbox IS NULL AND valid) FROM address WHERE domain = ?",
            _domain.id);
        ASSERT_TRUE(rows.step());
        mailbox_filter filter;
        filter.domain = _domain.id;
        EXPECT_EQ(need(count_mailboxes(in, filter)), rows.as<std::uint64_t>(0));
        filter.valid = true;
        EXPECT_EQ(need(count_mailboxes(in, filter)), rows.as<std::uint64_t>(2));
        alias_filter aliases;
        aliases.domain = _domain.id;
        EXPECT_EQ(need(count_aliases(in, aliases)), rows.as<std::uint64_t>(1));
    };
    expect(2, 2, 0);
    {
        writer in = write();
        need(block_address(in, "alice@example.com"));
        need(block_address(in, "new@example.com"));
        commit(in);
    }
    expect(1, 2, 2);
    {
        writer in = write();
        mailbox_change change;
        change.hold = hold::none;
        need(change_mailbox(in, box.id, change));
        need(set_alias_hold(in, box.aliases[0].id, hold::blocked));
        commit(in);
    }
    expect(2, 1, 2);
    {
        writer in = write();
        need(remove_mailbox(in, box.id));
        commit(in);
    }
    expect(1, 0, 1);
    {
        writer in = write();
        need(remove_domain(in, _domain.id, true));
        commit(in);
    }
    const reader in = read();
    EXPECT_EQ(need(count_addresses(in, 0)).valid, 1U);
}

TEST_F(mailboxes, history_says_who_what_when_and_why) {
    const mailbox box = add_address("alice@example.com");
    _now += 1000;
    {
        writer in = write("ticket 4711");
        mailbox_change change;
        change.hold = hold::blocked;
        need(change_mailbox(in, box.id, change));
        commit(in);
    }
    const reader in = read();
    history_filter filter;
    filter.subject = "address:alice@example.com";
    const page<history_entry> entries = need(list_history(in, filter, {}));
    ASSERT_EQ(entries.items.size(), 2U);
    EXPECT_EQ(entries.items[0].what, "blocked");
    EXPECT_EQ(entries.items[0].who, "tester");
    EXPECT_EQ(entries.items[0].why, "ticket 4711");
    EXPECT_EQ(entries.items[0].at, _now);
    EXPECT_THAT(entries.items[0].before, HasSubstr(R"("hold":"none")"));
    EXPECT_THAT(entries.items[0].after, HasSubstr(R"("hold":"blocked")"));
    EXPECT_EQ(entries.items[1].what, "added");
    EXPECT_EQ(entries.items[1].source, "manual");
    EXPECT_EQ(entries.items[1].before, "");
    filter.until = _now;
    EXPECT_EQ(need(list_history(in, filter, {})).items.size(), 1U);
    filter = {};
    filter.who = "nobody";
    EXPECT_TRUE(need(list_history(in, filter, {})).items.empty());
}

TEST_F(mailboxes, an_address_can_be_asked_whether_it_was_valid_and_by_whom) {
    const timestamp start = _now;
    const mailbox box = add_address("alice@example.com");
    _now = start + 1000;
    {
        writer in = write();
        need(assert_address(in, box.id, csv(in)));
        commit(in);
    }
    _now = start + 2000;
    {
        writer in = write();
        need(withdraw_address(in, box.id, manual_source));
        commit(in);
    }
    _now = start + 3000;
    {
        writer in = write();
        need(block_address(in, "alice@example.com"));
        commit(in);
    }
    _now = start + 4000;
    {
        writer in = write();
        need(remove_mailbox(in, box.id));
        commit(in);
    }
    const reader in = read();
    const auto at = [&](timestamp when) { return need(standing_at(in, "ALICE@example.com", when)); };
    EXPECT_FALSE(at(start - 1).valid);
    EXPECT_TRUE(at(start).valid);
    EXPECT_THAT(at(start).sources, ElementsAre("manual"));
    EXPECT_THAT(at(start + 1000).sources, ElementsAre("manual", "csv:default/example.com"));
    EXPECT_TRUE(at(start + 2500).valid);
    EXPECT_THAT(at(start + 2500).sources, ElementsAre("csv:default/example.com"));
    EXPECT_FALSE(at(start + 3500).valid);
    EXPECT_EQ(at(start + 3500).last->what, "blocked");
    EXPECT_FALSE(at(0).valid);
    EXPECT_THAT(at(0).sources, IsEmpty());
}

}  // namespace
}  // namespace postern::directory
