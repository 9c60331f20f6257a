// What a sync does to the list, rule by rule.
#include <gtest/gtest.h>

#include "control/directory/assertions.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "tests/control/sync/scripted_directory.h"

namespace postern::sync {
namespace {

using directory::need;
using end = enum sources::fetch_outcome::end;
constexpr directory::timestamp minute = 60'000;
constexpr directory::timestamp hour = 60 * minute;

class sync_rules : public sync_test {
protected:
    sync_rules() {
        for (int i = 0; i < 20; ++i) {
            people().put("id-" + std::to_string(i), "user" + std::to_string(i) + "@example.com");
        }
        _source = add_source("people").id;
    }
    scripted_directory& people() { return _directories["people"]; }
    sync_run sync() { return sync_test::sync(_source); }
    directory::mailbox box(const std::string& address) { return need(directory::find_mailbox(read(), address)); }
    /// Everything the directory has less what is to go, and a sync that finds it so.
    void lose(int count) {
        for (int i = 0; i < count; ++i) {
            people().remove("id-" + std::to_string(i));
        }
    }

    std::uint32_t _source = 0;
};

TEST_F(sync_rules, the_first_sync_brings_the_list_with_names_kinds_and_aliases) {
    sources::directory_entry entry;
    entry.identity = "shared";
    entry.name = "CN=Info";
    entry.address = "Info@Example.com";
    entry.aliases = {"help@example.com", "Info@example.com"};
    entry.first_name = "In";
    entry.last_name = "Fo";
    entry.kind = recipients::mailbox_kind::shared;
    entry.internal_only = true;
    people().put(entry);
    const sync_run done = sync();
    EXPECT_EQ(done.state, run_state::succeeded) << done.reason << done.guard;
    EXPECT_TRUE(done.whole);
    EXPECT_EQ(done.counts.added, 22U);
    EXPECT_EQ(done.server, "test://directory");
    const directory::mailbox info = box("help@example.com");
    EXPECT_EQ(info.address, "Info@example.com");
    EXPECT_EQ(info.first_name, "In");
    EXPECT_EQ(info.kind, recipients::mailbox_kind::shared);
    EXPECT_TRUE(info.internal_only);
    ASSERT_EQ(info.aliases.size(), 1U);
    EXPECT_EQ(info.aliases[0].address, "help@example.com");
    ASSERT_EQ(info.sources.size(), 1U);
    EXPECT_EQ(info.sources[0].source, "test:people");
    EXPECT_EQ(items(done.id).size(), 22U);
}

TEST_F(sync_rules, changes_alone_are_asked_for_next_and_itemised) {
    sync();
    people().put("id-0", "user0@example.com", {"zero@example.com"}, "Zoe");
    people().remove("id-1");
    people().put("new", "new@example.com");
    const sync_run done = sync();
    EXPECT_EQ(done.state, run_state::succeeded) << done.guard;
    EXPECT_FALSE(done.whole);
    EXPECT_EQ(done.counts.read, 2U);
    EXPECT_EQ(done.counts.added, 2U);
    EXPECT_EQ(done.counts.removed, 1U);
    EXPECT_EQ(done.counts.changed, 1U);
    EXPECT_EQ(valid(), people().addresses());
    std::set<std::string> told;
    for (const diff_item& each : items(done.id)) {
        told.insert(std::string(to_string(each.what)) + " " + each.address + " " + each.object);
    }
    EXPECT_EQ(told,
              (texts{"added new@example.com CN=new,OU=People", "added zero@example.com CN=id-0,OU=People",
                     "changed user0@example.com CN=id-0,OU=People", "removed user1@example.com CN=id-1,OU=People"}));
}

TEST_F(sync_rules, a_dry_run_tells_and_changes_nothing) {
    sync();
    people().put("new", "new@example.com");
    people().remove("id-3");
    const auto before = valid();
    const sync_run dry = sync_test::sync(_source, true);
    EXPECT_EQ(dry.state, run_state::previewed);
    EXPECT_EQ(dry.counts.added, 1U);
    EXPECT_EQ(dry.counts.removed, 1U);
    EXPECT_EQ(items(dry.id).size(), 2U);
    EXPECT_EQ(valid(), before);
    const sync_run real = sync();
    EXPECT_EQ(real.counts.added, 1U) << "the dry run did not count as a sync";
    EXPECT_EQ(valid(), people().addresses());
}

TEST_F(sync_rules, a_renamed_unit_moves_objects_and_no_address) {
    sync();
    auto entry = people().objects["id-4"];
    entry.name = "CN=id-4,OU=Elsewhere";
    people().put(entry);
    const sync_run done = sync();
    EXPECT_EQ(done.counts.moved, 1U);
    EXPECT_EQ(done.counts.added + done.counts.removed + done.counts.changed, 0U);
    const auto told = items(done.id);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].before, "CN=id-4,OU=People");
    EXPECT_EQ(told[0].after, "CN=id-4,OU=Elsewhere");
}

TEST_F(sync_rules, a_new_primary_address_turns_mailbox_and_alias_round) {
    sync();
    const auto old_id = box("user5@example.com").id;
    people().put("id-5", "married@example.com", {"user5@example.com"});
    const sync_run done = sync();
    EXPECT_EQ(done.state, run_state::succeeded) << done.guard;
    EXPECT_EQ(done.counts.removed, 0U);
    const auto found = box("user5@example.com");
    EXPECT_EQ(found.address, "married@example.com");
    EXPECT_NE(found.id, old_id);
    ASSERT_EQ(found.aliases.size(), 1U);
    EXPECT_EQ(found.aliases[0].id, old_id) << "the address keeps its row, and so its history and its block";
    const auto counts = need(directory::count_addresses(read(), 1));
    EXPECT_EQ(counts.mailboxes, 20U);
    EXPECT_EQ(counts.aliases, 1U);
    people().put("id-5", "user5@example.com", {"married@example.com"});
    sync();
    EXPECT_EQ(box("married@example.com").address, "user5@example.com");
}

TEST_F(sync_rules, an_alias_moves_from_one_person_to_another) {
    people().put("id-6", "user6@example.com", {"sales@example.com"});
    sync();
    people().put("id-6", "user6@example.com");
    people().put("id-7", "user7@example.com", {"sales@example.com"});
    const sync_run done = sync();
    EXPECT_EQ(done.counts.added + done.counts.removed, 0U);
    EXPECT_EQ(done.counts.changed, 1U);
    EXPECT_EQ(box("sales@example.com").address, "user7@example.com");
    const auto told = items(done.id);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].before, "alias of user6@example.com");
    EXPECT_EQ(told[0].after, "alias of user7@example.com");
}

TEST_F(sync_rules, a_partial_answer_adds_and_never_removes) {
    sync();
    people().whole_only = true;
    people().put("a-first", "first@example.com");
    people().end = end::partial;
    people().cut_after = 3;
    people().reason = "the size limit of the server was hit";
    lose(15);
    const sync_run done = sync();
    EXPECT_EQ(done.state, run_state::partial);
    EXPECT_EQ(done.reason, "the size limit of the server was hit");
    EXPECT_FALSE(done.removals_applied);
    EXPECT_EQ(valid().size(), 21U);
    EXPECT_TRUE(valid().contains("first@example.com"));
    EXPECT_EQ(source(_source).state.failures, 1U);
    people().end = end::complete;
    people().cut_after = SIZE_MAX;
    people().put("id-0", "user0@example.com");
    for (int i = 1; i < 15; ++i) {
        people().put("id-" + std::to_string(i), "user" + std::to_string(i) + "@example.com");
    }
    EXPECT_EQ(sync().state, run_state::succeeded) << "the next good one repairs by itself";
    EXPECT_EQ(valid(), people().addresses());
    EXPECT_EQ(source(_source).state.failures, 0U);
    EXPECT_EQ(source(_source).state.trouble, "");
}

TEST_F(sync_rules, a_failed_one_changes_nothing_and_says_why) {
    sync();
    people().end = end::failed;
    people().reason = "connection refused";
    const sync_run done = sync();
    EXPECT_EQ(done.state, run_state::failed);
    EXPECT_EQ(done.step, "TCP");
    EXPECT_EQ(done.reason, "TCP: connection refused");
    EXPECT_EQ(valid().size(), 20U);
    EXPECT_EQ(source(_source).state.trouble, "TCP: connection refused");
}

TEST_F(sync_rules, an_empty_directory_empties_no_list) {
    sync();
    const auto kept = people().objects;
    people().objects.clear();
    people().whole_only = true;
    const sync_run done = sync();
    EXPECT_EQ(done.state, run_state::failed);
    EXPECT_NE(done.reason.find("no address in this organisation's domains"), std::string::npos) << done.reason;
    EXPECT_EQ(valid().size(), 20U);
    people().objects = kept;
    EXPECT_EQ(sync().state, run_state::succeeded);
}

TEST_F(sync_rules, beyond_the_limit_removals_wait_and_additions_do_not) {
    sync();
    lose(6);
    people().put("new", "new@example.com");
    const sync_run held = sync();
    EXPECT_EQ(held.state, run_state::held);
    EXPECT_TRUE(held.additions_applied);
    EXPECT_FALSE(held.removals_applied);
    EXPECT_NE(held.guard.find("6 addresses of 20"), std::string::npos) << held.guard;
    EXPECT_EQ(valid().size(), 21U);
    EXPECT_EQ(source(_source).state.held, held.id);
    EXPECT_EQ(items(held.id).size(), 7U);
    need(_service->approve(held.id, {"token:ops", "they left"}));
    _service->wait_idle();
    const sync_run approved = run(held.id);
    EXPECT_EQ(approved.state, run_state::succeeded) << approved.reason;
    EXPECT_EQ(approved.decided_by, "token:ops");
    EXPECT_EQ(valid(), people().addresses());
    lose(8);  // two more: counted from the approval on
    EXPECT_EQ(sync().state, run_state::succeeded);
}

TEST_F(sync_rules, a_held_one_that_is_discarded_leaves_the_list) {
    sync();
    lose(6);
    const sync_run held = sync();
    need(_service->discard(held.id, {"token:ops", "the directory is wrong"}));
    EXPECT_EQ(run(held.id).state, run_state::discarded);
    EXPECT_EQ(valid().size(), 20U);
    EXPECT_FALSE(_service->approve(held.id, {}));
    EXPECT_EQ(sync().state, run_state::held) << "as long as the directory says so";
}

TEST_F(sync_rules, a_good_sync_takes_the_place_of_a_held_one) {
    sync();
    const auto kept = people().objects;
    lose(6);
    const sync_run held = sync();
    ASSERT_EQ(held.state, run_state::held);
    for (const auto& [identity, entry] : kept) {
        people().put(entry);
    }
    EXPECT_EQ(sync().state, run_state::succeeded);
    EXPECT_EQ(run(held.id).state, run_state::superseded);
    EXPECT_EQ(valid().size(), 20U);
    EXPECT_FALSE(_service->approve(held.id, {}));
}

TEST_F(sync_rules, removals_add_up_over_a_day) {
    change(_source, [](source_settings& set) { set.limits.removed_count = 3; });
    sync();
    for (int i = 0; i < 3; ++i) {
        people().remove("id-" + std::to_string(i));
        EXPECT_EQ(sync().state, run_state::succeeded);
        _now += hour;
    }
    people().remove("id-3");
    const sync_run held = sync();
    EXPECT_EQ(held.state, run_state::held);
    EXPECT_NE(held.guard.find("1 addresses after 3 within the last 24 hours"), std::string::npos) << held.guard;
    _now += 24 * hour;
    EXPECT_EQ(sync().state, run_state::succeeded) << "the window has passed";
}

TEST_F(sync_rules, what_came_back_was_not_removed) {
    change(_source, [](source_settings& set) { set.limits.removed_count = 3; });
    sync();
    for (int i = 0; i < 6; ++i) {
        const auto entry = people().objects["id-1"];
        people().remove("id-1");
        EXPECT_EQ(sync().state, run_state::succeeded) << i;
        people().put(entry);
        EXPECT_EQ(sync().state, run_state::succeeded) << i;
    }
}

TEST_F(sync_rules, a_removed_address_stays_good_for_its_grace) {
    change(_source, [](source_settings& set) { set.grace = std::chrono::hours(2); });
    sync();
    people().remove("id-0");
    people().remove("id-1");
    EXPECT_EQ(sync().state, run_state::succeeded);
    EXPECT_EQ(valid().size(), 20U);
    EXPECT_EQ(valid(false).size(), 18U) << "the table has them as in grace";
    EXPECT_EQ(box("user0@example.com").grace_until, _now + 2 * hour);
    auto then = need(directory::standing_at(read(), "user0@example.com", 0));
    EXPECT_TRUE(then.valid);
    EXPECT_TRUE(then.sources.empty());
    EXPECT_EQ(then.grace_until, _now + 2 * hour);
    people().put("id-1", "user1@example.com");
    EXPECT_EQ(sync().state, run_state::succeeded);
    EXPECT_EQ(box("user1@example.com").grace_until, 0) << "asserted again";
    _now += 2 * hour - 1;
    _service->tick();
    EXPECT_EQ(valid().size(), 20U);
    _now += 1;
    _service->tick();
    EXPECT_EQ(valid(), people().addresses());
    EXPECT_FALSE(need(directory::standing_at(read(), "user0@example.com", 0)).valid);
    EXPECT_TRUE(need(directory::standing_at(read(), "user0@example.com", _now - 1)).valid);
}

TEST_F(sync_rules, a_person_removes_at_once_whatever_the_grace) {
    change(_source, [](source_settings& set) { set.grace = std::chrono::hours(2); });
    sync();
    people().remove("id-0");
    sync();
    auto in = write();
    need(directory::remove_mailbox(in, box("user0@example.com").id));
    commit(in);
    EXPECT_FALSE(valid().contains("user0@example.com"));
}

TEST_F(sync_rules, blocked_beats_and_pinned_stays) {
    sync();
    auto in = write();
    need(directory::block_address(in, "user2@example.com"));
    directory::mailbox_change pin;
    pin.hold = directory::hold::pinned;
    need(directory::change_mailbox(in, box("user3@example.com").id, pin));
    commit(in);
    people().remove("id-3");
    people().put("id-2", "user2@example.com", {"two@example.com"});
    EXPECT_EQ(sync().state, run_state::succeeded);
    EXPECT_FALSE(valid().contains("user2@example.com"));
    EXPECT_TRUE(valid().contains("two@example.com"));
    EXPECT_TRUE(valid().contains("user3@example.com"));
}

TEST_F(sync_rules, an_address_stays_while_another_source_asserts_it) {
    _directories["other"].put("x", "user0@example.com");
    const auto other = add_source("other").id;
    sync();
    sync_test::sync(other);
    people().remove("id-0");
    EXPECT_EQ(sync().counts.removed, 1U);
    EXPECT_TRUE(valid().contains("user0@example.com"));
    EXPECT_EQ(box("user0@example.com").sources.size(), 1U);
}

TEST_F(sync_rules, what_discovery_found_ends_with_the_directorys_word) {
    {
        auto in = write();
        const auto discovery = need(directory::need_source(in, "discovery:example.com", 1));
        directory::new_mailbox found;
        found.address = "user0@example.com";
        const auto made = need(directory::add_mailbox(in, found));
        need(directory::assert_address(in, made.id, discovery));
        need(directory::withdraw_address(in, made.id, directory::manual_source));
        commit(in);
    }
    sync();
    EXPECT_EQ(box("user0@example.com").sources.size(), 1U);
    people().remove("id-0");
    sync();
    EXPECT_FALSE(valid().contains("user0@example.com")) << "a leaver does not live on";
}

TEST_F(sync_rules, only_the_own_organisations_domains_are_asserted) {
    {
        auto in = write();
        in.on().run("INSERT INTO organisation(id, name, created) VALUES (2, 'other', 0)");
        need(directory::add_domain(in, {"other.example", 2, 0}));
        commit(in);
    }
    people().put("a", "a@other.example", {"a@example.com", "a@nowhere.example", "not an address"});
    const sync_run done = sync();
    EXPECT_EQ(done.counts.foreign, 2U);
    EXPECT_EQ(done.counts.unusable, 1U);
    EXPECT_EQ(box("a@example.com").address, "a@example.com") << "the first usable one is the mailbox's";
    std::map<std::string, std::string> told;
    for (const run_problem& each : problems(done.id)) {
        told[each.address] = each.reason;
    }
    EXPECT_EQ(told["a@other.example"], "the domain other.example is not served for this organisation");
    EXPECT_EQ(told["a@nowhere.example"], "the domain nowhere.example is not served for this organisation");
    EXPECT_NE(told["not an address"].find("it is not an address"), std::string::npos);
}

TEST_F(sync_rules, a_new_domain_makes_the_next_sync_a_whole_one) {
    people().put("a", "a@new.example");
    sync();
    EXPECT_FALSE(valid().contains("a@new.example"));
    add("new.example");
    const sync_run done = sync();
    EXPECT_TRUE(done.whole);
    EXPECT_TRUE(valid().contains("a@new.example"));
}

TEST_F(sync_rules, what_a_person_removed_comes_back_with_the_next_sync) {
    sync();
    {
        auto in = write();
        need(directory::remove_mailbox(in, box("user9@example.com").id));
        commit(in);
    }
    EXPECT_FALSE(valid().contains("user9@example.com"));
    const sync_run done = sync();
    EXPECT_TRUE(done.whole);
    EXPECT_EQ(done.counts.added, 1U);
    EXPECT_EQ(valid(), people().addresses());
}

TEST_F(sync_rules, two_objects_with_one_address_are_told_of) {
    people().put("twin", "user0@example.com");
    const sync_run done = sync();
    EXPECT_EQ(done.counts.added, 20U);
    const auto told = problems(done.id);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].address, "user0@example.com");
    people().remove("id-0");
    EXPECT_EQ(sync().counts.removed, 0U) << "the other still has it";
    EXPECT_TRUE(valid().contains("user0@example.com"));
}

TEST_F(sync_rules, a_server_that_knows_no_changes_since_then_sends_the_whole) {
    sync();
    people().refuse_cookie = true;
    people().remove("id-19");
    const sync_run done = sync();
    EXPECT_EQ(done.state, run_state::succeeded) << done.reason;
    EXPECT_TRUE(done.whole);
    EXPECT_EQ(valid(), people().addresses());
}

TEST_F(sync_rules, a_removed_source_takes_only_its_own) {
    _directories["other"].put("x", "user0@example.com");
    const auto other = add_source("other").id;
    sync();
    sync_test::sync(other);
    auto in = write();
    need(remove_source(in, _source));
    commit(in);
    EXPECT_EQ(valid(), texts{"user0@example.com"});
    EXPECT_FALSE(find_source(read(), _source));
}

TEST_F(sync_rules, too_many_addresses_are_a_partial_answer) {
    start([](service_options& options) { options.max_addresses = 10; });
    const sync_run done = sync();
    EXPECT_EQ(done.state, run_state::partial);
    EXPECT_NE(done.reason.find("more than 10 addresses"), std::string::npos) << done.reason;
}

TEST_F(sync_rules, history_tells_who_asserted_an_address_and_when) {
    sync();
    const auto first = _now;
    _now += hour;
    people().remove("id-0");
    sync();
    _now += hour;
    const auto then = need(directory::standing_at(read(), "user0@example.com", first));
    EXPECT_TRUE(then.valid);
    EXPECT_EQ(then.sources, std::vector<std::string>{"test:people"});
    ASSERT_TRUE(then.last);
    EXPECT_EQ(then.last->who, "tester");
    EXPECT_NE(then.last->why.find("of test:people: a test"), std::string::npos) << then.last->why;
    const auto now = need(directory::standing_at(read(), "user0@example.com", 0));
    EXPECT_FALSE(now.valid);
    EXPECT_EQ(now.last->what, "withdrawn");
}

}  // namespace
}  // namespace postern::sync
