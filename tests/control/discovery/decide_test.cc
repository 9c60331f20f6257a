// What becomes of an address that good mail was accepted for.
#include "control/discovery/decide.h"

#include "control/directory/changes.h"
#include "tests/control/discovery/discovered.h"

namespace postern::discovery {
namespace {

using names = std::vector<std::string>;

TEST_F(discovered, a_good_message_adds_the_address_unclassified_and_by_discovery_alone) {
    run();
    const auto before = need(directory::published_address(read(), domain, "bob"));
    EXPECT_FALSE(before);
    const taken done = good("bob");
    ASSERT_EQ(done.happenings.size(), 1U);
    EXPECT_EQ(done.happenings[0].what, happening::kind::added);
    EXPECT_EQ(done.happenings[0].senders, 1U);
    EXPECT_EQ(sources_of("bob"), names{"discovery:example.com"});
    const auto box = need(directory::find_mailbox(read(), std::string_view("bob@example.com")));
    EXPECT_EQ(box.kind, mailbox_kind::unclassified);
    EXPECT_TRUE(box.valid);
    EXPECT_EQ(state_of("bob"), candidate_state::added);
}

TEST_F(discovered, the_edges_are_given_what_is_added) {
    run();
    const auto before = need(directory::last_change(read()));
    good("bob");
    EXPECT_GT(need(directory::last_change(read())), before);
    EXPECT_TRUE(need(directory::published_address(read(), domain, "bob")));
}

TEST_F(discovered, so_many_good_messages_within_so_many_days_as_are_asked_for) {
    set([](settings& of) {
        of.clean = 3;
        of.days = 2;
    });
    run();
    good("bob");
    _now += 3 * day;
    good("bob");
    good("bob");
    EXPECT_FALSE(valid("bob")) << "the first is too old";
    EXPECT_EQ(found("bob")->good, 3U) << "but counts as evidence for people";
    _now += day;
    good("bob");
    EXPECT_TRUE(valid("bob"));
}

TEST_F(discovered, bad_mail_adds_nothing_and_is_shown) {
    run();
    for (int i = 0; i < 5; ++i) {
        take(batch({event(outcome::bad_mail, "bob", "0123456789abcdef", "GTUBE")}));
    }
    EXPECT_FALSE(valid("bob"));
    EXPECT_EQ(found("bob")->bad, 5U);
    EXPECT_EQ(found("bob")->good, 0U);
    EXPECT_EQ(found("bob")->why, "GTUBE");
}

TEST_F(discovered, a_base_is_added_only_once_the_server_takes_it) {
    run();
    good("bob+news");
    EXPECT_EQ(state_of("bob"), candidate_state::checking);
    EXPECT_TRUE(sources_of("bob").empty());
    const auto asked = need(bases_to_ask(read(), 10));
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].address, "bob@example.com");
    {
        writer in = write();
        EXPECT_FALSE(need(keep_base(in, asked[0], nobody())));
        commit(in);
        EXPECT_EQ(state_of("bob"), candidate_state::checking) << "no finding leaves the question";
    }
    writer in = write();
    EXPECT_TRUE(need(keep_base(in, asked[0], takes_any())));
    commit(in);
    EXPECT_EQ(sources_of("bob"), names{"discovery:example.com"});
    EXPECT_FALSE(valid("bob+news")) << "the tagged one is not an address of its own";
}

TEST_F(discovered, a_base_that_the_server_refuses_is_for_a_person_until_it_gets_mail_itself) {
    run();
    good("bob+news");
    {
        writer in = write();
        const auto done = need(keep_base(in, need(bases_to_ask(in, 10)).at(0), refuses()));
        ASSERT_TRUE(done);
        EXPECT_EQ(done->what, happening::kind::base_refused);
        commit(in);
    }
    good("bob+other");
    EXPECT_EQ(state_of("bob"), candidate_state::base_refused);
    EXPECT_FALSE(valid("bob"));
    good("bob");
    EXPECT_TRUE(valid("bob"));
}

TEST_F(discovered, a_leaver_does_not_come_back_but_is_shown_to_a_person) {
    run();
    directory_says("leaver", true);
    directory_says("leaver", false);
    EXPECT_FALSE(valid("leaver"));
    const taken done = good("leaver");
    ASSERT_EQ(done.happenings.size(), 1U);
    EXPECT_EQ(done.happenings[0].what, happening::kind::left);
    EXPECT_EQ(found("leaver")->taken_by, "ldap:head");
    good("leaver");
    EXPECT_FALSE(valid("leaver"));
    EXPECT_EQ(state_of("leaver"), candidate_state::left);
}

TEST_F(discovered, an_authority_takes_over_and_its_word_counts_from_then_on) {
    run();
    good("bob");
    directory_says("bob", true);
    EXPECT_EQ(sources_of("bob"), names{"ldap:head"});
    EXPECT_TRUE(need(list_candidates(read(), {domain, {}}, {})).items.empty()) << "nothing is left to decide";
    directory_says("bob", false);
    EXPECT_FALSE(valid("bob")) << "what discovery had found does not keep a leaver";
    good("bob");
    EXPECT_FALSE(valid("bob"));
    EXPECT_EQ(state_of("bob"), candidate_state::left);
}

TEST_F(discovered, what_a_person_removed_does_not_come_back_by_itself) {
    run();
    const auto box = add_address("bob@example.com");
    {
        writer in = write();
        need(directory::remove_mailbox(in, box.id));
        commit(in);
    }
    good("bob");
    EXPECT_EQ(state_of("bob"), candidate_state::left);
    EXPECT_EQ(found("bob")->taken_by, "tester");
}

TEST_F(discovered, a_blocked_address_stays_out) {
    run();
    {
        writer in = write();
        need(directory::block_address(in, "bob@example.com"));
        commit(in);
    }
    good("bob");
    EXPECT_FALSE(valid("bob"));
    EXPECT_FALSE(found("bob"));
}

TEST_F(discovered, the_servers_refusal_takes_a_discovered_address_out_and_its_evidence_with_it) {
    set([](settings& of) { of.clean = 2; });
    run();
    good("bob");
    good("bob");
    ASSERT_TRUE(valid("bob"));
    const taken done = refused("bob");
    ASSERT_EQ(done.happenings.size(), 1U);
    EXPECT_EQ(done.happenings[0].what, happening::kind::withdrawn);
    EXPECT_FALSE(valid("bob"));
    EXPECT_EQ(state_of("bob"), candidate_state::refused);
    good("bob");
    EXPECT_FALSE(valid("bob")) << "one message is not enough again";
    good("bob");
    EXPECT_TRUE(valid("bob")) << "new evidence is";
}

TEST_F(discovered, the_servers_refusal_of_what_others_assert_is_flagged_once) {
    run();
    directory_says("alice", true);
    EXPECT_EQ(refused("alice").happenings.size(), 1U);
    EXPECT_TRUE(refused("alice").happenings.empty()) << "told once";
    EXPECT_TRUE(valid("alice"));
    const auto shown = need(list_refusals(read(), domain, {})).items;
    ASSERT_EQ(shown.size(), 1U);
    EXPECT_EQ(shown[0].times, 2U);
    EXPECT_TRUE(refused("alice+news").happenings.empty()) << "a subaddress says nothing about its base";
    decide_by_hand({"alice@example.com", verdict::keep, {}, 0});
    EXPECT_EQ(need(count_refusals(read(), domain)), 0U);
}

TEST_F(discovered, a_refused_address_that_left_the_list_is_no_longer_shown) {
    run();
    directory_says("alice", true);
    refused("alice");
    directory_says("alice", false);
    EXPECT_EQ(need(count_refusals(read(), domain)), 0U);
}

}  // namespace
}  // namespace postern::discovery
