// Pushed lists: what is taken, what is refused with which words, and what becomes of the list.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "control/sources/push/lines.h"
#include "control/sync/push.h"
#include "tests/control/sync/scripted_directory.h"

namespace postern::sync {
namespace {

using directory::need;
using reason = enum push_refusal::reason;
constexpr directory::timestamp minute = 60'000;

sources::directory_entry person(const std::string& name) {
    sources::directory_entry out;
    out.identity = "id-" + name;
    out.address = name + "@example.com";
    return out;
}

class sync_push : public sync_test {
protected:
    sync_push() { _source = add_push("push:agent"); }

    std::uint32_t add_push(const std::string& name, const std::string& settings = "{}") {
        auto in = write();
        new_source input;
        input.name = name;
        input.set.settings = settings;
        const auto made = need(sync::add_source(in, _service->with(), input));
        need(in.commit());
        _service->look_again();
        return made.id;
    }
    /// A file of these lines, with the end line unless it was cut off.
    std::string file(const std::vector<std::string>& lines) {
        std::string path = _folder.path() + "/upload-" + std::to_string(++_files);
        std::ofstream out(path);
        for (const std::string& each : lines) {
            out << each;
        }
        out << sources::push::end_line(lines.size());
        return path;
    }
    std::vector<std::string> people(const std::set<std::string>& names) {
        std::vector<std::string> out;
        for (const std::string& each : names) {
            out.push_back(sources::push::to_line(person(each)));
        }
        return out;
    }
    push_order whole(const std::set<std::string>& names, std::optional<std::uint64_t> sequence = {}) {
        push_order out;
        out.source = _source;
        out.sequence = sequence;
        out.path = file(people(names));
        for (const std::string& each : names) {
            out.digest += each + ' ';
        }
        return out;
    }
    push_order changes(const std::vector<std::string>& lines, std::uint64_t base,
                       std::optional<std::uint64_t> sequence = {}) {
        push_order out;
        out.source = _source;
        out.whole = false;
        out.base = base;
        out.sequence = sequence;
        out.path = file(lines);
        out.digest = std::to_string(lines.size());
        return out;
    }
    tl::expected<taken_push, push_refusal> push(const push_order& what) {
        tl::expected<taken_push, push_refusal> out;
        {
            auto in = write();
            out = _service->take_push(in, what);
            if (!out) {
                return out;
            }
            need(in.commit());
        }
        if (!out->again) {
            _service->begin(out->run);
        }
        _service->wait_idle();
        return out;
    }
    push_state state() { return need(find_push_state(read(), _source)); }

    std::uint32_t _source = 0;
    int _files = 0;
};

TEST_F(sync_push, a_whole_list_becomes_the_list_and_the_next_one_takes_its_place) {
    const auto first = push(whole({"alice", "bob", "carol"}));
    ASSERT_TRUE(first) << first.error().text;
    EXPECT_EQ(first->sequence, 1U);
    EXPECT_EQ(run(first->run).state, run_state::succeeded) << run(first->run).reason;
    EXPECT_EQ(valid(), (texts{"alice@example.com", "bob@example.com", "carol@example.com"}));
    const auto second = push(whole({"alice", "bob", "dave"}, 10));
    ASSERT_TRUE(second);
    EXPECT_EQ(valid(), (texts{"alice@example.com", "bob@example.com", "dave@example.com"}));
    EXPECT_EQ(run(second->run).counts.added, 1U);
    EXPECT_EQ(run(second->run).counts.removed, 1U);
    EXPECT_EQ(state().sequence, 10U);
    for (const auto& left : std::filesystem::directory_iterator(_folder.path() + "/syncs")) {
        EXPECT_NE(left.path().extension(), ".push") << "what was pushed is not kept";
    }
}

TEST_F(sync_push, changes_build_upon_exactly_the_list_that_is_here) {
    ASSERT_TRUE(push(whole({"alice", "bob"}, 5)));
    EXPECT_EQ(state().changes, 5U);
    const auto more = push(changes({sources::push::to_line(person("carol")), sources::push::gone_line("id-bob")}, 5));
    ASSERT_TRUE(more) << more.error().text;
    EXPECT_EQ(more->sequence, 6U);
    EXPECT_FALSE(run(more->run).whole);
    EXPECT_EQ(valid(), (texts{"alice@example.com", "carol@example.com"}));
    // A lost one in between, and one that comes late.
    for (const std::uint64_t base : {5U, 7U}) {
        const auto other = push(changes({sources::push::to_line(person("eve"))}, base, 20));
        ASSERT_FALSE(other);
        EXPECT_EQ(other.error().why, reason::other_base);
        EXPECT_NE(other.error().text.find("push the whole list"), std::string::npos) << other.error().text;
    }
    EXPECT_EQ(valid(), (texts{"alice@example.com", "carol@example.com"}));
    EXPECT_EQ(state().changes, 6U);
    EXPECT_TRUE(push(changes({}, 6))) << "a sign of life";
}

TEST_F(sync_push, the_same_list_again_is_answered_and_not_applied_twice) {
    const auto first = push(whole({"alice"}, 7));
    ASSERT_TRUE(first);
    const auto again = push(whole({"alice"}, 7));
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->again);
    EXPECT_EQ(again->run, first->run);
    const auto other = push(whole({"bob"}, 7));
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().why, reason::older);
    const auto grown = push(changes({sources::push::to_line(person("bob"))}, 7, 8));
    ASSERT_TRUE(grown);
    const auto repeated = push(changes({sources::push::to_line(person("bob"))}, 7, 8));
    ASSERT_TRUE(repeated);
    EXPECT_TRUE(repeated->again);
    EXPECT_EQ(repeated->run, grown->run);
    EXPECT_EQ(valid(), (texts{"alice@example.com", "bob@example.com"}));
}

TEST_F(sync_push, an_older_list_is_refused_with_words) {
    ASSERT_TRUE(push(whole({"alice", "bob"}, 1'000)));
    for (const auto& older : {push(whole({"alice"}, 999)), push(changes({}, 1'000, 1'000))}) {
        ASSERT_FALSE(older);
        EXPECT_EQ(older.error().why, reason::older);
    }
    EXPECT_NE(push(whole({"alice"}, 999)).error().text.find("an older list is never applied"), std::string::npos);
    EXPECT_EQ(valid().size(), 2U);
    push_order follows = whole({"alice"});
    follows.base = 999;
    const auto other = push(follows);
    ASSERT_FALSE(other) << "a pusher that did not see the last list";
    EXPECT_EQ(other.error().why, reason::other_base);
    EXPECT_FALSE(push(whole({"alice"}, 0)));
    EXPECT_FALSE(push(whole({"alice"}, std::numeric_limits<std::uint64_t>::max())));
}

TEST_F(sync_push, a_held_list_waits_for_a_person_and_takes_no_changes) {
    std::set<std::string> all;
    for (int i = 0; i < 40; ++i) {
        all.insert("user" + std::to_string(i));
    }
    ASSERT_TRUE(push(whole(all, 1)));
    const std::set<std::string> few{"user1", "user2", "new"};
    const auto held = push(whole(few, 2));
    ASSERT_TRUE(held);
    EXPECT_EQ(run(held->run).state, run_state::held);
    EXPECT_EQ(items(held->run).size(), 39U);
    EXPECT_EQ(valid().size(), 41U) << "additions are applied";
    EXPECT_FALSE(state().changes);
    const auto refused = push(changes({}, 2));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().why, reason::other_base);
    EXPECT_NE(refused.error().text.find("is held"), std::string::npos) << refused.error().text;
    need(_service->approve(held->run, {"token:ops", ""}));
    _service->wait_idle();
    EXPECT_EQ(valid().size(), 3U);
    EXPECT_EQ(state().changes, 2U) << "changes can go on from there";
    // The next whole one takes the place of one that is held.
    const auto empty = push(whole({}, 3));
    ASSERT_TRUE(empty);
    EXPECT_EQ(run(empty->run).state, run_state::failed);
    EXPECT_NE(run(empty->run).guard.find("that was pushed"), std::string::npos) << run(empty->run).guard;
    EXPECT_EQ(valid().size(), 3U);
}

TEST_F(sync_push, a_test_run_gives_the_diff_and_changes_nothing) {
    ASSERT_TRUE(push(whole({"alice", "bob"}, 3)));
    push_order test = whole({"alice", "carol"});
    test.dry = true;
    const auto done = push(test);
    ASSERT_TRUE(done);
    EXPECT_EQ(run(done->run).state, run_state::previewed);
    EXPECT_EQ(items(done->run).size(), 2U);
    EXPECT_EQ(valid(), (texts{"alice@example.com", "bob@example.com"}));
    EXPECT_EQ(state().sequence, 3U);
    EXPECT_EQ(state().changes, 3U);
}

TEST_F(sync_push, no_more_lists_an_hour_than_the_rate_and_test_runs_are_free) {
    _source = add_push("push:rate", R"({"pushes_per_hour": 2})");
    ASSERT_TRUE(push(whole({"alice"})));
    _now += 10 * minute;
    ASSERT_TRUE(push(whole({"bob"})));
    const auto third = push(whole({"carol"}));
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().why, reason::too_often);
    EXPECT_EQ(third.error().retry_after, std::chrono::minutes(50));
    push_order test = whole({"carol"});
    test.dry = true;
    EXPECT_TRUE(push(test));
    _now += 50 * minute;
    EXPECT_TRUE(push(whole({"carol"})));
}

TEST_F(sync_push, a_source_for_some_domains_asserts_no_others) {
    store_test::add("example.net");
    _source = add_push("push:net", R"({"domains": ["EXAMPLE.net"]})");
    push_order mixed;
    mixed.source = _source;
    mixed.path = file({sources::push::to_line(person("alice")),
                       R"({"address": "bob@example.net", "aliases": ["carol@example.com"]})"
                       "\n"});
    const auto done = push(mixed);
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_EQ(run(done->run).counts.foreign, 2U);
    EXPECT_EQ(valid(), (texts{"bob@example.net"}));
    const auto bad = [&] {
        auto in = write();
        new_source input;
        input.name = "push:bad";
        input.set.settings = R"({"domain": "example.net"})";
        return sync::add_source(in, _service->with(), input);
    }();
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().field, "settings/domain");
}

TEST_F(sync_push, a_crash_at_any_step_loses_no_list_that_was_taken) {
    ASSERT_TRUE(push(whole({"alice"}, 1)));
    std::uint64_t sequence = 1;
    for (const std::string step : {"fetching", "fetched", "staged", "comparing", "applied", "committed"}) {
        start([&](service_options& options) { options.fault = [step](std::string_view at) { return at == step; }; });
        const auto taken = push(changes({sources::push::to_line(person("new-" + step))}, sequence, sequence + 1));
        ASSERT_TRUE(taken) << step << taken.error().text;
        crash();
        reopen();
        start();
        _service->wait_idle();
        EXPECT_EQ(run(taken->run).state, run_state::succeeded) << step << run(taken->run).reason;
        EXPECT_EQ(run(taken->run).counts.added, 1U) << step;
        sequence = taken->sequence;
    }
    EXPECT_EQ(valid().size(), 7U);
    EXPECT_EQ(state().changes, sequence);
}

TEST_F(sync_push, a_list_whose_run_failed_may_come_again) {
    std::filesystem::path kept;
    start([&](service_options& options) { options.fault = [](std::string_view at) { return at == "fetching"; }; });
    const auto taken = push(whole({"alice"}, 1));
    ASSERT_TRUE(taken);
    crash();
    std::filesystem::remove(_folder.path() + "/syncs/" + std::to_string(taken->run) + ".push");
    reopen();
    start();
    _service->wait_idle();
    ASSERT_EQ(run(taken->run).state, run_state::failed);
    EXPECT_NE(run(taken->run).reason.find("push again"), std::string::npos);
    const auto again = push(whole({"alice"}, 1));
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->again);
    EXPECT_EQ(valid(), (texts{"alice@example.com"}));
}

TEST_F(sync_push, a_push_source_is_not_read_by_the_schedule_nor_at_once) {
    _now += 1'000 * minute;
    _service->tick();
    _service->wait_idle();
    EXPECT_EQ(source(_source).state.last_run, 0U);
    EXPECT_EQ(source(_source).state.next_run, 0);
    const auto now = _service->start_sync(_source, false, {"tester", ""});
    ASSERT_FALSE(now);
    EXPECT_NE(now.error().text.find("is pushed"), std::string::npos) << now.error().text;
    push_order other = whole({"alice"});
    other.source = add_source("people").id;
    EXPECT_EQ(push(other).error().why, reason::not_found);
    change(_source, [](source_settings& set) { set.enabled = false; });
    EXPECT_EQ(push(whole({"alice"})).error().why, reason::off);
}

TEST_F(sync_push, people_in_memory_are_a_whole_list_of_a_source_that_is_made) {
    people_push what;
    what.source = "push:partner";
    what.domains = {"example.com"};
    what.people = {person("alice"), person("bob")};
    what.people[1].identity.clear();
    what.dry = true;
    const auto test = _service->push_people(what, {"token:partner", ""});
    ASSERT_TRUE(test) << test.error().text;
    EXPECT_EQ(test->state, run_state::previewed);
    EXPECT_EQ(test->counts.added, 2U);
    EXPECT_TRUE(valid().empty());
    what.dry = false;
    const auto done = _service->push_people(what, {"token:partner", ""});
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_EQ(done->state, run_state::succeeded);
    EXPECT_EQ(valid(), (texts{"alice@example.com", "bob@example.com"}));
    what.people.emplace_back();
    const auto bad = _service->push_people(what, {"token:partner", ""});
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().text, "entry 3: \"address\" is missing");
}

}  // namespace
}  // namespace postern::sync
