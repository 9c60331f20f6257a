// Runs as they live: crash and restart at each step, cancel, schedule, freshness, notices.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "control/sync/notify.h"
#include "control/sync/source_rows.h"
#include "tests/control/sync/scripted_directory.h"

namespace postern::sync {
namespace {

using directory::error_kind;
using directory::need;
using end = enum sources::fetch_outcome::end;
constexpr directory::timestamp minute = 60'000;
constexpr directory::timestamp hour = 60 * minute;

class sync_service : public sync_test {
protected:
    sync_service() {
        for (int i = 0; i < 20; ++i) {
            people().put("id-" + std::to_string(i), "user" + std::to_string(i) + "@example.com");
        }
    }
    scripted_directory& people() { return _directories["people"]; }
    /// A fetch that lasts until the test lets it go on or it is stopped.
    void hold_fetch() {
        people().meanwhile = [this](const std::atomic<bool>& stop) {
            std::unique_lock hold(_mutex);
            _fetching = true;
            _changed.notify_all();
            while (!_go && !stop.load()) {
                _changed.wait_for(hold, std::chrono::milliseconds(5));
            }
        };
    }
    void wait_for_fetch() {
        std::unique_lock hold(_mutex);
        _changed.wait(hold, [&] { return _fetching; });
    }
    void let_go() {
        const std::lock_guard hold(_mutex);
        _go = true;
        _changed.notify_all();
    }

    std::mutex _mutex;
    std::condition_variable _changed;
    bool _fetching = false;
    bool _go = false;
};

TEST_F(sync_service, a_crash_at_any_step_leaves_the_old_list_or_the_new_and_the_next_start_goes_on) {
    const auto id = add_source("people").id;
    sync(id);
    for (const std::string step :
         {"fetching", "fetched", "staged", "comparing", "applied", "committed", "publishing"}) {
        const auto before = valid();
        people().put("new-" + step, "new-" + step + "@example.com");
        const auto after = people().addresses();
        start([&](service_options& options) { options.fault = [step](std::string_view at) { return at == step; }; });
        const std::uint64_t run_id = need(_service->start_sync(id, false, {"tester", ""}));
        _service->wait_idle();
        crash();
        reopen();
        EXPECT_TRUE(valid() == before || valid() == after) << step;
        EXPECT_TRUE(is_at_work(run(run_id).state)) << step;
        start();
        _service->wait_idle();
        EXPECT_EQ(run(run_id).state, run_state::succeeded) << step << ": " << run(run_id).reason;
        EXPECT_EQ(run(run_id).counts.added, 1U) << step;
        EXPECT_EQ(valid(), after) << step;
    }
}

TEST_F(sync_service, a_held_run_waits_over_a_restart) {
    const auto id = add_source("people").id;
    sync(id);
    for (int i = 0; i < 6; ++i) {
        people().remove("id-" + std::to_string(i));
    }
    const sync_run held = sync(id);
    ASSERT_EQ(held.state, run_state::held);
    crash();
    reopen();
    start();
    EXPECT_EQ(items(held.id).size(), 6U);
    need(_service->approve(held.id, {"token:ops", ""}));
    _service->wait_idle();
    EXPECT_EQ(run(held.id).state, run_state::succeeded);
    EXPECT_EQ(valid(), people().addresses());
}

TEST_F(sync_service, one_run_of_a_source_at_a_time_and_it_can_be_cancelled) {
    const auto id = add_source("people").id;
    hold_fetch();
    const std::uint64_t first = need(_service->start_sync(id, false, {"tester", ""}));
    wait_for_fetch();
    const auto second = _service->start_sync(id, false, {"tester", ""});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, error_kind::conflict);
    EXPECT_NE(second.error().text.find("sync " + std::to_string(first)), std::string::npos) << second.error().text;
    EXPECT_EQ(source(id).state.running, first);
    {
        auto in = write();
        const auto removed = remove_source(in, id);
        ASSERT_FALSE(removed);
        EXPECT_EQ(removed.error().kind, error_kind::conflict);
    }
    need(_service->cancel(first, {"tester", ""}));
    _service->wait_idle();
    EXPECT_EQ(run(first).state, run_state::cancelled);
    EXPECT_TRUE(valid().empty());
    EXPECT_FALSE(_service->cancel(first, {"tester", ""}));
    let_go();
    EXPECT_EQ(sync(id).state, run_state::succeeded);
}

TEST_F(sync_service, the_programs_end_leaves_a_fetch_to_the_next_start) {
    const auto id = add_source("people").id;
    hold_fetch();
    const std::uint64_t run_id = need(_service->start_sync(id, false, {"tester", ""}));
    wait_for_fetch();
    crash();
    EXPECT_TRUE(is_at_work(run(run_id).state));
    let_go();
    start();
    _service->wait_idle();
    EXPECT_EQ(run(run_id).state, run_state::succeeded);
}

TEST_F(sync_service, the_schedule_runs_what_is_due_sooner_after_a_failure) {
    const auto id = add_source("people").id;
    _service->tick();
    _service->wait_idle();
    EXPECT_EQ(valid().size(), 20U) << "a new source at once";
    const auto next = source(id).state.next_run;
    EXPECT_GE(next, _now + hour);
    EXPECT_LE(next, _now + hour + hour / 10);
    people().put("new", "new@example.com");
    _now = next - 1;
    _service->tick();
    _service->wait_idle();
    EXPECT_EQ(valid().size(), 20U);
    _now = next;
    people().end = end::failed;
    _service->tick();
    _service->wait_idle();
    EXPECT_EQ(source(id).state.failures, 1U);
    EXPECT_LE(source(id).state.next_run, _now + 6 * minute);
    people().end = end::complete;
    _now = source(id).state.next_run;
    _service->tick();
    _service->wait_idle();
    EXPECT_EQ(valid().size(), 21U);
    change(id, [](source_settings& set) { set.enabled = false; });
    EXPECT_EQ(source(id).state.next_run, 0);
    _now += 48 * hour;
    people().remove("new");
    _service->tick();
    _service->wait_idle();
    EXPECT_EQ(valid().size(), 21U) << "not enabled";
}

TEST(sync_schedule, pauses_are_the_interval_and_shorter_after_failures) {
    using std::chrono::milliseconds;
    using std::chrono::minutes;
    EXPECT_EQ(pause_before_next(minutes(60), 0, 0), minutes(60));
    EXPECT_EQ(pause_before_next(minutes(60), 0, 1), minutes(66));
    EXPECT_EQ(pause_before_next(minutes(60), 1, 0), minutes(5));
    EXPECT_EQ(pause_before_next(minutes(60), 3, 0), minutes(20));
    EXPECT_EQ(pause_before_next(minutes(60), 50, 0), minutes(60));
    EXPECT_EQ(pause_before_next(minutes(1), 1, 0), minutes(1));
}

TEST_F(sync_service, a_source_beyond_its_freshness_alarms_and_its_domain_falls_back_and_comes_back) {
    source_settings set;
    set.freshness = std::chrono::hours(3);
    set.fallback_to_defer = true;
    const auto id = add_source("people", set).id;
    sync(id);
    const auto mode = [&](recipients::mode to) {
        auto in = write();
        need(directory::set_mode(in, 1, to));
        commit(in);
    };
    const auto mode_now = [&] { return need(directory::find_domain(read(), 1)).mode; };
    mode(recipients::mode::enforce);
    people().end = end::failed;
    _now += 3 * hour + 1;
    _service->tick();
    _service->wait_idle();
    EXPECT_TRUE(source(id).state.out_of_date);
    EXPECT_TRUE(need(_service->snapshot()).sources.at(0).out_of_date);
    EXPECT_EQ(mode_now(), recipients::mode::defer);
    people().end = end::complete;
    sync(id);
    _service->tick();
    _service->wait_idle();
    EXPECT_FALSE(source(id).state.out_of_date);
    EXPECT_EQ(mode_now(), recipients::mode::enforce);
    // What a person set meanwhile stays.
    people().end = end::failed;
    _now += 4 * hour;
    _service->tick();
    _service->wait_idle();
    EXPECT_EQ(mode_now(), recipients::mode::defer);
    mode(recipients::mode::observe);
    people().end = end::complete;
    sync(id);
    _service->tick();
    _service->wait_idle();
    EXPECT_EQ(mode_now(), recipients::mode::observe);
}

TEST_F(sync_service, counts_for_metrics) {
    const auto id = add_source("people").id;
    sync(id);
    people().remove("id-0");
    sync(id);
    people().end = end::failed;
    sync(id);
    const metrics told = need(_service->snapshot());
    EXPECT_EQ(told.succeeded, 2U);
    EXPECT_EQ(told.failed, 1U);
    EXPECT_EQ(told.added, 20U);
    EXPECT_EQ(told.removed, 1U);
    ASSERT_EQ(told.sources.size(), 1U);
    EXPECT_EQ(told.sources[0].asserted, 19U);
    EXPECT_EQ(told.sources[0].failures, 1U);
}

TEST_F(sync_service, old_runs_and_their_files_are_forgotten) {
    start([](service_options& options) { options.kept_runs = 2; });
    const auto id = add_source("people").id;
    const sync_run first = sync(id);
    _now += 72 * hour;
    for (int i = 0; i < 3; ++i) {
        people().put("id-0", "user0@example.com", {}, "A" + std::to_string(i));
        sync(id);
    }
    EXPECT_FALSE(find_run(read(), first.id));
    EXPECT_FALSE(_service->items(first.id, {}, {}));
}

TEST(sync_notice, a_webhooks_signature_is_the_mac_of_time_and_body) {
    EXPECT_EQ(webhook_signature("key", 1, "{}").substr(0, 7), "t=1,v1=");
    EXPECT_EQ(webhook_signature("key", 1, "{}").size(), 7U + 64U);
    EXPECT_NE(webhook_signature("key", 1, "{}"), webhook_signature("key", 2, "{}"));
    EXPECT_NE(webhook_signature("key", 1, "{}"), webhook_signature("yek", 1, "{}"));
}

TEST(sync_notice, a_message_has_no_line_that_a_source_could_forge) {
    notice what;
    what.event = "sync_failed";
    what.source = "test:x\r\nBcc: victim@example.com";
    what.text = std::string(3000, 'x') + "\r\n.\r\nMAIL FROM:<>";
    mail_settings mail;
    mail.from = "postern@example.com";
    mail.helo = "postern.example.com";
    const std::string message = notice_message(what, mail, {"ops@example.com"});
    EXPECT_EQ(message.substr(0, message.find("\r\n\r\n")).find("\r\nBcc:"), std::string::npos);
    std::size_t begin = 0;
    while (begin < message.size()) {
        const std::size_t stop = message.find("\r\n", begin);
        ASSERT_NE(stop, std::string::npos);
        EXPECT_LE(stop - begin, 998U);
        begin = stop + 2;
    }
}

TEST(sync_notice, a_webhook_may_only_go_where_the_operator_lets_it) {
    std::vector<std::string> asked;
    const auto refused = post_webhook("http://127.0.0.1:9/x", "{}", "", [&](const std::string& ip) {
        asked.push_back(ip);
        return false;
    });
    EXPECT_FALSE(refused);
    EXPECT_EQ(asked, std::vector<std::string>{"127.0.0.1"});
}

}  // namespace
}  // namespace postern::sync
