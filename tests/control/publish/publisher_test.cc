#include "control/publish/publisher.h"

#include <gmock/gmock.h>

#include <fstream>

#include "control/directory/changes.h"
#include "control/directory/generations.h"
#include "tests/control/publish/publish_test_base.h"

namespace postern::publish {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

namespace {

using directory::writer;

TEST_F(publish_test, an_address_is_in_force_at_the_edge) {
    _edge.start();
    start();
    add("example.com");
    ASSERT_EQ(_publisher->wait_in_force(add_one("alice@example.com"), patience), in_force::everywhere) << error();
    EXPECT_EQ(_edge.standing("ALICE@example.com"), "listed");
    EXPECT_EQ(_edge.standing("nobody@example.com"), "unlisted");
    EXPECT_EQ(_edge.standing("alice@example.org"), "not served");
    EXPECT_EQ(_publisher->status().edges[0].state, edge_state::in_step);
}

TEST_F(publish_test, before_the_first_domain_the_edge_gets_no_table) {
    _edge.start();
    start();
    settle();
    EXPECT_EQ(_edge.standing("alice@example.com"), "no table");
    add("example.com");
    settle();
    EXPECT_EQ(_edge.standing("alice@example.com"), "unlisted");
}

TEST_F(publish_test, a_change_is_an_overlay_over_the_same_base) {
    _edge.start();
    add("example.com");
    add_one("alice@example.com");
    start();
    settle();
    const std::string base = _edge.in_force().base;
    ASSERT_EQ(_publisher->wait_in_force(add_one("bob@example.com"), patience), in_force::everywhere);
    EXPECT_EQ(_edge.standing("bob@example.com"), "listed");
    ASSERT_EQ(_publisher->wait_in_force(remove_one("alice@example.com"), patience), in_force::everywhere);
    EXPECT_EQ(_edge.standing("alice@example.com"), "unlisted");
    EXPECT_EQ(_edge.standing("bob@example.com"), "listed");
    EXPECT_EQ(_edge.in_force().base, base);
    EXPECT_NE(_edge.in_force().overlay, "");
    EXPECT_EQ(_publisher->status().addresses, 1U);
}

TEST_F(publish_test, settings_of_domains_travel_in_the_overlay) {
    _edge.start();
    const directory::domain served = add("example.com");
    add_one("alice@example.com");
    start();
    settle();
    const std::string base = _edge.in_force().base;
    {
        writer in = write();
        need(set_mode(in, served.id, recipients::mode::enforce));
        need(add_domain_alias(in, "example.net", served.id));
        commit(in);
    }
    settle();
    ASSERT_NE(_edge.domain("alice@example.com"), nullptr);
    EXPECT_EQ(_edge.domain("alice@example.com")->mode, recipients::mode::enforce);
    EXPECT_EQ(_edge.standing("alice@example.net"), "listed");
    EXPECT_EQ(_edge.in_force().base, base);
}

TEST_F(publish_test, a_domain_that_was_removed_and_added_again_has_none_of_its_old_addresses) {
    _edge.start();
    const directory::domain served = add("example.com");
    add_one("alice@example.com");
    start();
    settle();
    {
        writer in = write();
        need(remove_domain(in, served.id, true));
        commit(in);
    }
    settle();
    EXPECT_EQ(_edge.standing("alice@example.com"), "not served");
    add("example.com");
    settle();
    EXPECT_EQ(_edge.standing("alice@example.com"), "unlisted");
}

TEST_F(publish_test, an_overlay_that_has_grown_is_folded_into_a_new_base) {
    _edge.start();
    add("example.com");
    start(5);
    settle();
    const std::string base = _edge.in_force().base;
    for (int n = 0; n < 20; ++n) {
        add_one("user" + std::to_string(n) + "@example.com");
    }
    settle();
    ASSERT_TRUE(eventually([&] { return _edge.in_force().base != base; }));
    ASSERT_TRUE(eventually([&] { return _publisher->status().overlay_size <= 5; }));
    for (int n = 0; n < 20; ++n) {
        EXPECT_EQ(_edge.standing("user" + std::to_string(n) + "@example.com"), "listed") << n;
    }
}

TEST_F(publish_test, files_that_no_edge_names_are_removed_and_the_feed_is_forgotten) {
    _edge.start();
    add("example.com");
    start(5);
    for (int n = 0; n < 40; ++n) {
        ASSERT_EQ(_publisher->wait_in_force(add_one("user" + std::to_string(n) + "@example.com"), patience),
                  in_force::everywhere);
    }
    // In force, three kept by the edge: at most four pairs.
    ASSERT_TRUE(eventually([&] { return files().size() <= 8; })) << testing::PrintToString(files());
    ASSERT_TRUE(eventually([&] {
        const auto in = need(_store->read());
        return need(directory::changes_after(in, 0, 1000)).size() < 40;
    }));
    _edge.stop();
    _edge.start();
    EXPECT_THAT(_edge.complaints(), IsEmpty()) << "its files must be there";
    EXPECT_EQ(_edge.standing("user39@example.com"), "listed");
}

TEST_F(publish_test, a_file_that_is_not_ours_stays_in_the_folder) {
    std::filesystem::create_directory(tables());
    std::ofstream(tables() + "/by-hand.table") << "x";
    std::ofstream(tables() + "/.base-000000000001.table.new") << "half";
    _edge.start();
    start(5);
    add("example.com");
    for (int n = 0; n < 20; ++n) {
        add_one("user" + std::to_string(n) + "@example.com");
    }
    settle();
    ASSERT_TRUE(eventually([&] { return files().size() <= 9; }));
    EXPECT_THAT(files(), testing::Contains("by-hand.table"));
    EXPECT_THAT(files(), testing::Not(testing::Contains(".base-000000000001.table.new")));
}

TEST_F(publish_test, an_edge_that_comes_late_is_brought_up_to_date) {
    start();
    add("example.com");
    const std::uint64_t seq = add_one("alice@example.com");
    EXPECT_EQ(_publisher->wait_in_force(seq, std::chrono::milliseconds(20)), in_force::timed_out);
    EXPECT_EQ(_publisher->status().edges[0].state, edge_state::connecting);
    EXPECT_THAT(_publisher->status().edges[0].error, HasSubstr("is postern-edge running?"));
    _edge.start();
    ASSERT_EQ(_publisher->wait_in_force(seq, patience), in_force::everywhere) << error();
    EXPECT_EQ(_edge.standing("alice@example.com"), "listed");
    EXPECT_EQ(_publisher->status().edges[0].error, "");
}

TEST_F(publish_test, an_edge_that_restarts_keeps_its_table_and_gets_what_it_missed) {
    _edge.start();
    start();
    add("example.com");
    settle();
    _edge.stop();
    const std::uint64_t seq = add_one("alice@example.com");
    _edge.start();
    ASSERT_EQ(_publisher->wait_in_force(seq, patience), in_force::everywhere);
    EXPECT_EQ(_edge.standing("alice@example.com"), "listed");
    EXPECT_THAT(_edge.complaints(), IsEmpty());
}

TEST_F(publish_test, an_edge_that_was_installed_anew_gets_the_whole_list) {
    _edge.start();
    start();
    add("example.com");
    ASSERT_EQ(_publisher->wait_in_force(add_one("alice@example.com"), patience), in_force::everywhere);
    _edge.stop();
    _edge.forget();
    _edge.start();
    ASSERT_TRUE(eventually([&] { return _edge.standing("alice@example.com") == "listed"; }));
}

TEST_F(publish_test, a_refusal_is_shown_and_tried_again) {
    _edge.refuse = true;
    _edge.start();
    start();
    add("example.com");
    const std::uint64_t seq = add_one("alice@example.com");
    ASSERT_TRUE(eventually([&] { return _publisher->status().edges[0].state == edge_state::refused; }));
    EXPECT_THAT(_publisher->status().edges[0].error, HasSubstr("told to refuse"));
    _edge.refuse = false;
    ASSERT_EQ(_publisher->wait_in_force(seq, patience), in_force::everywhere);
}

TEST_F(publish_test, a_damaged_base_is_made_again) {
    add("example.com");
    add_one("alice@example.com");
    start();
    ASSERT_TRUE(eventually([&] { return _publisher->status().generation != 0; }));
    const std::string base = tables() + "/" + _publisher->status().base;
    {
        std::fstream file(base, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(-3, std::ios::end);
        file.put('\x55').put('\x55').put('\x55');
    }
    _edge.start();
    ASSERT_TRUE(eventually([&] { return _edge.standing("alice@example.com") == "listed"; })) << error();
    EXPECT_NE(tables() + "/" + _edge.in_force().base, base);
}

TEST_F(publish_test, a_base_that_is_gone_is_made_again_at_the_next_start) {
    _edge.start();
    start();
    add("example.com");
    settle();
    _publisher.reset();
    std::filesystem::remove_all(tables());
    start();
    ASSERT_EQ(_publisher->wait_in_force(add_one("alice@example.com"), patience), in_force::everywhere) << error();
    EXPECT_EQ(_edge.standing("alice@example.com"), "listed");
}

TEST_F(publish_test, numbers_go_over_what_a_person_committed_at_the_edge) {
    _edge.start();
    start();
    add("example.com");
    ASSERT_EQ(_publisher->wait_in_force(add_one("alice@example.com"), patience), in_force::everywhere);
    ASSERT_EQ(_publisher->wait_in_force(add_one("carol@example.com"), patience), in_force::everywhere);
    _edge.roll_back();
    _edge.roll_back();
    EXPECT_EQ(_edge.standing("carol@example.com"), "listed") << "rolled back twice: where it was";
    ASSERT_EQ(_publisher->wait_in_force(add_one("bob@example.com"), patience), in_force::everywhere) << error();
    EXPECT_EQ(_edge.standing("bob@example.com"), "listed");
    EXPECT_TRUE(std::ranges::is_sorted(_edge.numbers()));
}

TEST_F(publish_test, a_commit_whose_answer_is_lost_counts_all_the_same) {
    _edge.start();
    start();
    add("example.com");
    settle();
    _edge.drop_commit = true;
    ASSERT_EQ(_publisher->wait_in_force(add_one("alice@example.com"), patience), in_force::everywhere);
    EXPECT_EQ(_edge.standing("alice@example.com"), "listed");
    EXPECT_THAT(_edge.complaints(), IsEmpty());
}

TEST_F(publish_test, an_edge_that_hangs_holds_up_no_other) {
    fake_edge hanging(_folder.file("hanging.sock"), tables());
    hanging.silent = true;
    hanging.start();
    _edge.start();
    publisher_options options;
    options.tables = tables();
    options.edges = {{"hanging", _folder.file("hanging.sock")}, {"edge", _folder.file("edge.sock")}};
    start(options);
    add("example.com");
    add_one("alice@example.com");
    ASSERT_TRUE(eventually([&] { return _edge.standing("alice@example.com") == "listed"; }));
    EXPECT_EQ(hanging.standing("alice@example.com"), "no table");
    EXPECT_EQ(_publisher->wait_in_force(last_seq(), std::chrono::milliseconds(1)), in_force::timed_out);
    _publisher.reset();  // ends though the edge hangs
}

TEST_F(publish_test, an_edge_that_answers_nonsense_is_left_and_tried_again) {
    _edge.garble = true;
    _edge.start();
    start();
    add("example.com");
    ASSERT_TRUE(eventually([&] { return !_publisher->status().edges[0].error.empty(); }));
    EXPECT_THAT(_publisher->status().edges[0].error, HasSubstr("not its protocol"));
    _edge.garble = false;
    settle();
}

TEST_F(publish_test, without_edges_the_files_are_the_publication) {
    publisher_options options;
    options.tables = tables();
    start(options);
    add("example.com");
    ASSERT_EQ(_publisher->wait_in_force(add_one("alice@example.com"), patience), in_force::everywhere);
    EXPECT_THAT(files(), testing::Not(IsEmpty()));
}

TEST_F(publish_test, a_restart_without_changes_publishes_nothing) {
    _edge.start();
    start();
    add("example.com");
    ASSERT_EQ(_publisher->wait_in_force(add_one("alice@example.com"), patience), in_force::everywhere);
    ASSERT_TRUE(eventually([&] {
        const auto last = need(directory::last_generation(need(_store->read())));
        return last && last->number == _edge.in_force().generation && last->published != 0;
    }));
    const std::vector<std::uint64_t> before = _edge.numbers();
    start();
    settle();
    EXPECT_EQ(_edge.numbers(), before);
}

TEST_F(publish_test, generations_are_written_down_with_their_counts) {
    _edge.start();
    start();
    add("example.com");
    add_one("alice@example.com");
    settle();
    add_one("bob@example.com");
    settle();
    ASSERT_TRUE(eventually([&] {
        const auto last = need(directory::last_generation(need(_store->read())));
        return last && last->number == _edge.in_force().generation && last->published != 0;
    }));
    const auto last = need(directory::last_generation(need(_store->read())));
    EXPECT_EQ(last->addresses, 2U);
    EXPECT_EQ(last->seq, last_seq());
    EXPECT_EQ(last->base, _edge.in_force().base);
    EXPECT_EQ(last->overlay, _edge.in_force().overlay);
}

TEST_F(publish_test, waiting_ends_when_the_publisher_stops) {
    start(1000, [](std::string_view step) { return step == "absorbed"; });
    add("example.com");
    EXPECT_EQ(_publisher->wait_in_force(1'000'000, patience), in_force::stopped);
}

TEST_F(publish_test, a_tables_folder_that_can_not_be_made_is_named) {
    publisher_options options;
    options.tables = "/proc/nothing/tables";
    const auto started = publisher::start(*_store, options);
    ASSERT_FALSE(started);
    EXPECT_THAT(started.error().text, HasSubstr("/proc/nothing/tables"));
}

}  // namespace
}  // namespace postern::publish
