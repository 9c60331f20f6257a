// How `discover` ends.
#include "control/discovery/ends.h"

#include "control/discovery/digest.h"
#include "tests/control/discovery/discovered.h"

namespace postern::discovery {
namespace {

class discovery_ends : public discovered {
protected:
    discovery_ends() : seen(need(recent::recent_store::open(_folder.file("recent.db")))) { run(); }
    void saw(const std::string& local, outcome how) {
        recent::batch told;
        told.edge = "edge";
        told.run = "run";
        told.sightings.push_back({domain, local + "@example.com", how, _now, "", ++number, "", "", ""});
        told.last = number;
        need(seen->take(told));
    }
    ended_mode end() {
        _now = std::max(_now, state().domain.mode_until);
        writer in = write();
        auto all = need(end_modes(in, seen.get()));
        commit(in);
        EXPECT_EQ(all.size(), 1U);
        return all.empty() ? ended_mode{} : all.front();
    }
    std::unique_ptr<recent::recent_store> seen;
    std::uint64_t number = 0;
};

TEST_F(discovery_ends, after_thirty_days_in_observe) {
    EXPECT_EQ(state().domain.mode_until, state().domain.mode_since + 30 * day);
    {
        writer in = write();
        EXPECT_TRUE(need(end_modes(in, seen.get())).empty()) << "not before its date";
    }
    good("bob");
    const ended_mode done = end();
    EXPECT_EQ(done.now.mode, mode::observe);
    EXPECT_EQ(done.now.mode_until, 0);
    EXPECT_TRUE(valid("bob")) << "what was found stays";
}

TEST_F(discovery_ends, in_enforce_if_that_was_chosen_and_the_domain_is_ready) {
    set([](settings& of) { of.ends_in = mode::enforce; });
    good("bob");
    saw("bob", outcome::would_reject);
    const ended_mode done = end();
    EXPECT_EQ(done.now.mode, mode::enforce);
    EXPECT_TRUE(done.against.empty());
    EXPECT_NE(words_of(done).find("as was chosen"), std::string::npos);
}

TEST_F(discovery_ends, in_observe_after_all_if_the_list_lacks_somebody) {
    set([](settings& of) { of.ends_in = mode::enforce; });
    good("bob");
    _now = state().domain.mode_until - day;
    saw("missing", outcome::would_reject);
    const ended_mode done = end();
    EXPECT_EQ(done.now.mode, mode::observe);
    ASSERT_EQ(done.against.size(), 1U);
    EXPECT_NE(words_of(done).find("not ready: 1 address"), std::string::npos) << words_of(done);
}

TEST_F(discovery_ends, in_observe_after_all_on_an_empty_list) {
    set([](settings& of) { of.ends_in = mode::enforce; });
    EXPECT_EQ(end().now.mode, mode::observe);
}

TEST_F(discovery_ends, in_observe_after_all_while_it_is_suspended) {
    set([](settings& of) { of.ends_in = mode::enforce; });
    good("bob");
    probed(takes_any());
    const ended_mode done = end();
    EXPECT_EQ(done.now.mode, mode::observe);
    EXPECT_FALSE(done.against.empty());
}

TEST_F(discovery_ends, in_observe_if_nobody_knows_what_would_be_refused) {
    set([](settings& of) { of.ends_in = mode::enforce; });
    good("bob");
    _now = state().domain.mode_until;
    writer in = write();
    const auto done = need(end_modes(in, nullptr));
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].now.mode, mode::observe);
}

TEST_F(discovery_ends, defer_still_ends_in_observe) {
    {
        writer in = write();
        need(directory::set_mode(in, domain, mode::defer));
        commit(in);
    }
    set([](settings& of) { of.ends_in = mode::enforce; });
    const ended_mode done = end();
    EXPECT_EQ(done.before.domain.mode, mode::defer);
    EXPECT_EQ(done.now.mode, mode::observe);
}

TEST_F(discovery_ends, somebody_is_told_some_days_before_and_once) {
    EXPECT_TRUE(need(ends_to_tell(read(), _now)).empty());
    _now = state().domain.mode_until - warned_before;
    EXPECT_EQ(need(ends_to_tell(read(), _now)).size(), 1U);
    {
        writer in = write();
        note_told_of_end(in, domain);
        commit(in);
    }
    EXPECT_TRUE(need(ends_to_tell(read(), _now)).empty());
    set([](settings& of) { of.ends_in = mode::enforce; });
    good("bob");
    EXPECT_NE(words_of_coming_end(state(), {}).find("goes to enforce"), std::string::npos);
}

}  // namespace
}  // namespace postern::discovery
