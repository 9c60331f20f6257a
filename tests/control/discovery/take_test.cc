// Events of edges: each counts once, whenever which process ends.
#include "control/discovery/take.h"

#include "tests/control/discovery/discovered.h"

namespace postern::discovery {
namespace {

TEST_F(discovered, a_batch_that_is_told_again_changes_nothing) {
    set([](settings& of) { of.clean = 2; });
    run();
    const auto told = batch({event(outcome::good_mail, "bob")});
    take(told);
    reopen();  // the acknowledgement was lost: the edge tells it again
    take(told);
    EXPECT_EQ(found("bob")->good, 1U);
    EXPECT_FALSE(valid("bob"));
    EXPECT_EQ(need(find_position(read(), "edge", "run")), 1U);
    EXPECT_EQ(need(find_position(read(), "edge", "another start")), 0U);
}

TEST_F(discovered, a_batch_that_was_not_committed_has_no_effect_and_is_taken_again) {
    run();
    const auto told = batch({event(outcome::good_mail, "bob")});
    {
        writer in = write();
        need(take_findings(in, told));
    }
    reopen();
    EXPECT_FALSE(valid("bob"));
    EXPECT_EQ(need(find_position(read(), "edge", "run")), 0U);
    take(told);
    EXPECT_TRUE(valid("bob"));
}

TEST_F(discovered, a_batch_that_overlaps_counts_its_new_part) {
    set([](settings& of) { of.clean = 20; });
    run();
    std::vector<recent::sighting> events{event(outcome::good_mail, "bob")};
    take(batch(events));
    events.push_back(event(outcome::good_mail, "bob"));
    take(batch(events));
    EXPECT_EQ(found("bob")->good, 2U);
}

TEST_F(discovered, two_edges_and_a_new_start_count_apart) {
    set([](settings& of) { of.clean = 20; });
    run();
    auto told = batch({event(outcome::good_mail, "bob")});
    take(told);
    told.edge = "second";
    take(told);
    told.run = "next";
    take(told);
    EXPECT_EQ(found("bob")->good, 3U);
}

TEST_F(discovered, senders_are_told_apart_up_to_a_bound) {
    set([](settings& of) { of.clean = 20; });
    run();
    for (unsigned i = 0; i < 3; ++i) {
        good("few", i == 0 ? "aaaaaaaaaaaaaaaa" : "bbbbbbbbbbbbbbbb");
    }
    EXPECT_EQ(found("few")->senders, 2U);
    EXPECT_EQ(found("few")->good, 3U);
    std::vector<recent::sighting> events;
    for (unsigned i = 0; i < 100; ++i) {
        events.push_back(event(outcome::bad_mail, "x"));
        events.push_back(event(outcome::good_mail, "many+x", "00000000000000" + std::to_string(10 + i % 90)));
    }
    take(batch(std::move(events)));
    EXPECT_EQ(found("many")->senders, most_senders);
}

TEST_F(discovered, candidates_are_bounded_and_those_without_good_mail_go_first) {
    run();
    {
        writer in = write();
        in.on().run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO"
            " discovery_candidate(domain, normal, state, since, first, last, good, bad) SELECT ?, 'x' || i, 0, 0, i, i,"
            " i % 2, 1 FROM n",
            most_candidates, domain);
        commit(in);
    }
    const taken done = take(batch({event(outcome::bad_mail, "one"), event(outcome::bad_mail, "two")}));
    EXPECT_EQ(done.dropped, 2U);
    EXPECT_TRUE(found("x1")) << "seen longest ago, but with good mail";
    EXPECT_FALSE(found("x2"));
    EXPECT_FALSE(found("x4"));
    EXPECT_TRUE(found("x6"));
}

TEST_F(discovered, other_modes_and_domains_that_are_gone_take_no_evidence) {
    run();
    {
        writer in = write();
        need(directory::set_mode(in, domain, mode::observe));
        commit(in);
    }
    EXPECT_EQ(good("bob").ignored, 1U);
    EXPECT_FALSE(found("bob"));
    auto told = batch({event(outcome::good_mail, "bob")});
    told.sightings[0].domain = 4711;
    EXPECT_EQ(take(told).ignored, 1U);
}

TEST_F(discovered, an_address_that_the_list_can_not_have_does_not_hold_up_those_behind_it) {
    run();
    const taken done = take(batch({event(outcome::good_mail, "no good..address"), event(outcome::good_mail, "bob")}));
    EXPECT_EQ(done.happenings.size(), 1U);
    EXPECT_TRUE(valid("bob"));
}

TEST_F(discovered, old_evidence_is_forgotten) {
    set([](settings& of) { of.clean = 2; });
    run();
    good("bob");
    good("carol");
    good("carol");
    ASSERT_TRUE(valid("carol"));
    _now += 15 * day;
    writer in = write();
    need(forget_old(in));
    commit(in);
    EXPECT_FALSE(found("bob"));
    EXPECT_TRUE(found("carol")) << "it waits for a person";
}

}  // namespace
}  // namespace postern::discovery
