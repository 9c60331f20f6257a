// A list brought back as it was: restore by source and by organisation.
#include <gtest/gtest.h>

#include "control/directory/assertions.h"
#include "control/directory/history.h"
#include "control/sources/import.h"
#include "control/sync/restore.h"
#include "tests/control/sync/scripted_directory.h"

namespace postern::sync {
namespace {

using directory::need;
constexpr directory::timestamp hour = 3'600'000;

class sync_restore : public sync_test {
protected:
    scripted_directory& people() { return _directories["people"]; }
    restore_report restore(const restore_request& request) {
        auto in = write("bring it back");
        auto out = need(apply_restore(in, request));
        commit(in);
        return out;
    }
    /// A source whose directory has b instead of a since, and whose list is brought back to {a}: it claims as many
    /// addresses as it asserts, but not the same.
    std::uint32_t swapped() {
        people().put("1", "a@example.com");
        const auto id = add_source("people").id;
        sync(id);
        const auto then = _now;
        _now += hour;
        people().remove("1");
        people().put("2", "b@example.com");
        sync(id);
        EXPECT_EQ(valid(), texts{"b@example.com"});
        _now += hour;
        restore({id, 0, then});
        EXPECT_EQ(valid(), texts{"a@example.com"});
        change(id, [](source_settings& set) { set.enabled = true; });
        return id;
    }
    directory::mailbox box(const std::string& address) { return need(directory::find_mailbox(read(), address)); }
};

TEST_F(sync_restore, a_sources_list_comes_back_with_its_people_and_its_sync_is_paused) {
    sources::directory_entry entry;
    entry.identity = "shared";
    entry.address = "info@example.com";
    entry.aliases = {"help@example.com"};
    entry.first_name = "In";
    entry.kind = recipients::mailbox_kind::shared;
    people().put(entry);
    people().put("a", "a@example.com");
    people().put("b", "b@example.com");
    const auto id = add_source("people").id;
    sync(id);
    const auto then = _now;
    const auto list = valid();
    _now += hour;
    people().remove("shared");
    people().remove("a");
    people().put("new", "new@example.com");
    sync(id);
    EXPECT_EQ(valid(), (texts{"b@example.com", "new@example.com"}));
    _now += hour;
    const restore_request request{id, 0, then};
    const restore_report preview = need(preview_restore(*_store, request));
    EXPECT_EQ(preview.returning, 3U);
    EXPECT_EQ(preview.leaving, 1U);
    EXPECT_EQ(preview.items.size(), 4U);
    EXPECT_EQ(preview.paused, std::vector<std::string>{"test:people"});
    EXPECT_FALSE(preview.applied);
    EXPECT_EQ(valid(), (texts{"b@example.com", "new@example.com"})) << "nothing is changed by looking";
    const restore_report done = restore(request);
    EXPECT_TRUE(done.applied);
    EXPECT_EQ(done.returning, 3U);
    EXPECT_EQ(valid(), list);
    const auto info = box("help@example.com");
    EXPECT_EQ(info.address, "info@example.com");
    EXPECT_EQ(info.first_name, "In");
    EXPECT_EQ(info.kind, recipients::mailbox_kind::shared);
    EXPECT_FALSE(source(id).set.enabled);
    const auto who = need(directory::standing_at(read(), "a@example.com", 0));
    EXPECT_TRUE(who.valid);
    EXPECT_EQ(who.last->why, "bring it back");
    // The sync after it is a whole one and makes the list the directory's again.
    EXPECT_TRUE(sync(id).whole);
    EXPECT_EQ(valid(), people().addresses());
}

TEST_F(sync_restore, an_imports_list_comes_back_too) {
    const auto import = [&](std::string_view file) {
        sources::import_options how;
        how.domain = 1;
        how.source = "csv:people";
        how.replace = true;
        need(sources::apply_csv(*_store, sources::from_memory(file), how, {"tester", "import"}));
        _now += hour;
    };
    import("email,first_name\na@example.com,Ann\nb@example.com,Ben\n");
    const auto then = _now - hour / 2;
    import("email,first_name\nb@example.com,Ben\nc@example.com,Cem\n");
    const auto source = need(directory::find_source(read(), "csv:people")).id;
    restore({source, 0, then});
    EXPECT_EQ(valid(), (texts{"a@example.com", "b@example.com"}));
    EXPECT_EQ(box("a@example.com").first_name, "Ann");
}

TEST_F(sync_restore, an_organisations_list_comes_back_from_every_source) {
    people().put("a", "a@example.com");
    const auto id = add_source("people").id;
    sync(id);
    add_address("hand@example.com");
    const auto then = _now;
    _now += hour;
    {
        auto in = write();
        need(directory::remove_mailbox(in, box("hand@example.com").id));
        need(directory::remove_mailbox(in, box("a@example.com").id));
        commit(in);
    }
    _now += hour;
    add_address("later@example.com");
    _now += hour;
    const restore_report done = restore({0, 1, then});
    EXPECT_EQ(done.returning, 2U);
    EXPECT_EQ(done.leaving, 1U);
    EXPECT_EQ(valid(), (texts{"a@example.com", "hand@example.com"}));
    EXPECT_EQ(restore({0, 1, then}).returning, 0U) << "it is as it was";
}

TEST_F(sync_restore, the_next_sync_undoes_one_that_took_as_many_addresses_as_it_brought) {
    const auto id = swapped();
    const sync_run done = sync(id);
    EXPECT_TRUE(done.whole);
    EXPECT_EQ(done.counts.added, 1U);
    EXPECT_EQ(done.counts.removed, 1U);
    EXPECT_EQ(valid(), texts{"b@example.com"});
    EXPECT_FALSE(sync(id).whole) << "all is in order again";
}

TEST_F(sync_restore, a_partial_sync_after_it_adds_what_it_read_and_removes_nothing) {
    const auto id = swapped();
    people().end = sources::fetch_outcome::end::partial;
    EXPECT_EQ(sync(id).state, run_state::partial);
    EXPECT_EQ(valid(), (texts{"a@example.com", "b@example.com"}));
    people().end = sources::fetch_outcome::end::complete;
    sync(id);
    EXPECT_EQ(valid(), texts{"b@example.com"});
}

TEST_F(sync_restore, a_failed_sync_after_it_leaves_the_difference_for_the_next) {
    const auto id = swapped();
    people().end = sources::fetch_outcome::end::failed;
    EXPECT_EQ(sync(id).state, run_state::failed);
    EXPECT_EQ(valid(), texts{"a@example.com"});
    people().end = sources::fetch_outcome::end::complete;
    EXPECT_TRUE(sync(id).whole);
    EXPECT_EQ(valid(), texts{"b@example.com"});
}

TEST_F(sync_restore, a_crash_at_any_step_of_the_sync_after_it_changes_nothing_of_that) {
    const auto id = swapped();
    const auto restored = _now;
    for (const std::string step :
         {"fetching", "fetched", "staged", "comparing", "applied", "committed", "publishing"}) {
        _now += hour;
        if (step != "fetching") {
            restore({id, 0, restored});
            change(id, [](source_settings& set) { set.enabled = true; });
        }
        ASSERT_EQ(valid(), texts{"a@example.com"}) << step;
        start([&](service_options& set) { set.fault = [&](std::string_view at) { return at == step; }; });
        const std::uint64_t run_id = need(_service->start_sync(id, false, {"tester", ""}));
        _service->wait_idle();
        crash();
        reopen();
        start();
        _service->wait_idle();
        EXPECT_EQ(run(run_id).state, run_state::succeeded) << step;
        EXPECT_EQ(valid(), texts{"b@example.com"}) << step;
    }
}

TEST_F(sync_restore, a_source_that_was_set_up_again_takes_its_old_list_and_then_its_directorys) {
    people().put("1", "a@example.com");
    const auto old = add_source("people").id;
    sync(old);
    const auto then = _now;
    _now += hour;
    {
        auto in = write();
        need(remove_source(in, old));
        commit(in);
    }
    people().remove("1");
    people().put("2", "b@example.com");
    const auto id = add_source("people").id;
    sync(id);
    _now += hour;
    restore({id, 0, then});
    EXPECT_EQ(valid(), texts{"a@example.com"});
    change(id, [](source_settings& set) { set.enabled = true; });
    sync(id);
    EXPECT_EQ(valid(), texts{"b@example.com"});
}

TEST_F(sync_restore, changes_that_were_held_and_are_approved_after_it_leave_the_rest_to_a_whole_sync) {
    for (const char* const name : {"a", "b", "c", "d"}) {
        people().put(name, std::string(name) + "@example.com");
    }
    source_settings set;
    set.limits.removed_percent = 30;
    set.limits.floor = 1;
    const auto id = add_source("people", set).id;
    sync(id);
    const auto then = _now;
    _now += hour;
    people().remove("a");
    people().put("e", "e@example.com");
    sync(id);
    people().remove("b");
    people().remove("c");
    const sync_run held = sync(id);
    ASSERT_EQ(held.state, run_state::held);
    ASSERT_FALSE(held.whole);
    _now += hour;
    restore({id, 0, then});
    EXPECT_EQ(valid(), (texts{"a@example.com", "b@example.com", "c@example.com", "d@example.com"}));
    change(id, [](source_settings& now) { now.enabled = true; });
    need(_service->approve(held.id, {"tester", ""}));
    _service->wait_idle();
    EXPECT_EQ(run(held.id).state, run_state::succeeded);
    EXPECT_EQ(valid(), (texts{"a@example.com", "d@example.com"}));
    const sync_run next = sync(id);
    EXPECT_EQ(next.state, run_state::succeeded) << next.guard;
    EXPECT_TRUE(next.whole);
    EXPECT_EQ(valid(), people().addresses());
}

TEST_F(sync_restore, none_while_a_sync_of_the_source_is_at_work) {
    const auto id = swapped();
    const auto restored = _now;
    _now += hour;
    sync(id);
    _now += hour;
    directory::result<restore_report> tried;
    people().meanwhile = [&](const std::atomic<bool>& /*stop*/) {
        auto in = write();
        tried = apply_restore(in, {id, 0, restored});
    };
    const sync_run done = sync(id);
    EXPECT_EQ(done.state, run_state::succeeded);
    ASSERT_FALSE(tried);
    EXPECT_EQ(tried.error().kind, directory::error_kind::conflict);
    EXPECT_NE(tried.error().text.find("sync " + std::to_string(done.id)), std::string::npos) << tried.error().text;
    EXPECT_EQ(sync(id, true).state, run_state::previewed);
    EXPECT_TRUE(tried) << "a dry run undoes nothing";
    people().meanwhile = {};
    restore({id, 0, restored});
    EXPECT_EQ(valid(), texts{"a@example.com"});
}

TEST_F(sync_restore, what_makes_no_sense_is_refused) {
    const auto id = add_source("people").id;
    EXPECT_FALSE(preview_restore(*_store, {0, 0, _now - 1}));
    EXPECT_FALSE(preview_restore(*_store, {id, 1, _now - 1}));
    EXPECT_FALSE(preview_restore(*_store, {id, 0, _now}));
    EXPECT_FALSE(preview_restore(*_store, {99, 0, _now - 1}));
}

}  // namespace
}  // namespace postern::sync
