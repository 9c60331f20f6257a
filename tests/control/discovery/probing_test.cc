// The mail server is asked whether it refuses a random address: before discovery adds anything, daily, and when the
// domain changes its mode or its server.
#include "control/discovery/probing.h"

#include "tests/control/discovery/discovered.h"

namespace postern::discovery {
namespace {

std::vector<std::uint32_t> due(const directory::reader& in, timestamp now) {
    return need(due_probes(in, now, 10));
}

TEST_F(discovered, nothing_is_added_before_the_server_was_seen_to_refuse_a_random_address) {
    EXPECT_EQ(state().now, standing::waiting);
    good("bob");
    EXPECT_FALSE(valid("bob"));
    probed(nobody());
    EXPECT_EQ(state().now, standing::waiting) << "a 4xx or silence is no finding";
    EXPECT_NE(state().text.find("no answer"), std::string::npos) << state().text;
    EXPECT_TRUE(reviewed().empty());
    probed(refuses());
    EXPECT_EQ(reviewed().size(), 1U) << "the evidence from before counts now";
    EXPECT_TRUE(valid("bob"));
}

TEST_F(discovered, a_server_that_takes_any_address_suspends_and_says_what_to_do) {
    set([](settings& of) { of.clean = 2; });
    run();
    good("bob");
    good("bob");
    good("half");
    _now += day;
    const auto effect = probed(takes_any());
    ASSERT_TRUE(effect);
    EXPECT_EQ(effect->after.now, standing::suspended);
    EXPECT_EQ(effect->doubtful, 1U) << "bob was added since the server was last seen to refuse";
    EXPECT_NE(state().text.find("Set-RecipientFilterConfig"), std::string::npos) << state().text;
    EXPECT_FALSE(found("half")) << "its evidence may be none";
    EXPECT_EQ(good("carol").suspended, 1U);
    good("carol");
    EXPECT_FALSE(valid("carol"));
    probed(nobody());
    EXPECT_EQ(state().now, standing::suspended) << "no finding changes nothing";
    const auto back = probed(refuses());
    EXPECT_EQ(back->after.now, standing::running);
    EXPECT_FALSE(found("carol")) << "what came meanwhile counts for nothing";
}

TEST_F(discovered, a_server_that_was_known_to_take_any_address_suspends_with_an_alarm_all_the_same) {
    const auto move = [&](mode to) {
        _now += 1000;
        writer in = write();
        need(directory::set_mode(in, domain, to));
        commit(in);
    };
    move(mode::observe);
    EXPECT_FALSE(probed(takes_any())->suspends) << "there is nothing to suspend";
    move(mode::discover);
    EXPECT_EQ(state().now, standing::suspended);
    EXPECT_TRUE(probed(takes_any())->suspends);
    EXPECT_FALSE(probed(takes_any())->suspends) << "told once";
    EXPECT_TRUE(probed(refuses())->resumes);
}

TEST_F(discovered, no_finding_leaves_discovery_at_work) {
    run();
    _now += day;
    probed(nobody());
    EXPECT_EQ(state().now, standing::running);
}

TEST_F(discovered, the_server_is_asked_at_a_change_of_mode_of_server_and_daily) {
    EXPECT_EQ(due(read(), _now).size(), 1U) << "never asked";
    probed(refuses());
    EXPECT_TRUE(due(read(), _now).empty());
    EXPECT_EQ(due(read(), _now + probed_every).size(), 1U);
    _now += 1000;
    for (const mode next : {mode::observe, mode::discover}) {
        {
            writer in = write();
            need(directory::set_mode(in, domain, next));
            commit(in);
        }
        EXPECT_EQ(due(read(), _now).size(), 1U);
        EXPECT_NE(state().now, standing::running) << "a finding of before is not one of now";
        probed(refuses());
        EXPECT_TRUE(due(read(), _now).empty());
        _now += 1000;
    }
    EXPECT_EQ(state().now, standing::running);
    {
        writer in = write();
        directory::route_change change;
        change.hosts = {{"192.0.2.26", 25, 10}, {"192.0.2.27", 2525, 20}};
        need(directory::change_route(in, state().domain.route, change));
        commit(in);
    }
    EXPECT_EQ(state().now, standing::waiting) << "the server is not confirmed";
    EXPECT_TRUE(due(read(), _now).empty());
    {
        writer in = write();
        need(directory::confirm_route(in, state().domain.route, true));
        commit(in);
    }
    EXPECT_EQ(due(read(), _now).size(), 1U);
    EXPECT_EQ(state().now, standing::waiting) << "another server";
    probed(refuses());
    EXPECT_EQ(state().now, standing::running);
    EXPECT_TRUE(due(read(), _now).empty());
}

TEST_F(discovered, without_a_finding_it_is_asked_again_soon) {
    probed(nobody());
    EXPECT_TRUE(due(read(), _now + probed_again - 1).empty());
    EXPECT_EQ(due(read(), _now + probed_again).size(), 1U);
}

TEST_F(discovered, an_answer_that_comes_too_late_is_not_kept) {
    writer in = write();
    const auto asked = need(find_state(in, domain));
    _now += 1;
    commit(in);
    {
        writer change = write();
        need(directory::set_mode(change, domain, mode::observe));
        commit(change);
    }
    writer late = write();
    EXPECT_FALSE(need(keep_probe(late, asked, takes_any())));
}

TEST_F(discovered, one_of_our_own_edges_is_no_finding) {
    auto loop = takes_any();
    loop.loops = true;
    probed(loop);
    EXPECT_EQ(state().now, standing::waiting);
}

}  // namespace
}  // namespace postern::discovery
