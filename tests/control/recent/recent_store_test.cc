#include "control/recent/recent_store.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "tests/control/directory/open_store.h"

namespace postern::recent {
namespace {

using directory::need;

constexpr timestamp now = 1'700'000'000'000;
constexpr timestamp minute = 60'000;

sighting seen(const std::string& address, timestamp at, outcome how = outcome::rejected, std::uint32_t domain = 1) {
    return {domain, address, how, at, "192.0.2.0/24"};
}

struct recent_store_test : testing::Test {
    void open(const recent_options& options = {}) {
        store.reset();
        store = need(recent_store::open(folder.file("recent.db"), options));
    }
    void take(std::vector<sighting> sightings, const std::string& run = "run", std::uint64_t overwritten = 0) {
        batch told{"edge",      run, need(store->position("edge", run)) + sightings.size(),
                   overwritten, 0,   std::move(sightings)};
        need(store->take(told));
    }
    std::map<std::string, seen_address> all(std::uint32_t domain = 1, timestamp since = 0) {
        std::map<std::string, seen_address> out;
        need(store->each(domain, since, [&](const seen_address& one) { return out.emplace(one.address, one).second; }));
        return out;
    }

    directory::temporary_folder folder;
    std::unique_ptr<recent_store> store;
};

TEST_F(recent_store_test, counts_an_address_by_outcome_and_remembers_when_it_was_seen) {
    open();
    take({seen("a@x.example", now, outcome::listed), seen("a@x.example", now + minute, outcome::rejected),
          seen("b@x.example", now, outcome::would_reject), seen("a@y.example", now, outcome::listed, 2)});
    const auto found = all();
    ASSERT_EQ(found.size(), 2U);
    const seen_address& a = found.at("a@x.example");
    EXPECT_EQ(a.first, now);
    EXPECT_EQ(a.last, now + minute);
    EXPECT_EQ(a.times(), 2U);
    EXPECT_EQ(a.counts[static_cast<std::size_t>(outcome::listed)], 1U);
    EXPECT_EQ(a.last_outcome, outcome::rejected);
    EXPECT_EQ(a.last_source, "192.0.2.0/24");
    EXPECT_EQ(all(2).size(), 1U);
    EXPECT_EQ(all(1, now + minute).size(), 1U);
    EXPECT_EQ(need(store->span_of(1)), (std::pair<timestamp, timestamp>{now, now + minute}));
    EXPECT_EQ(need(store->span_of(9)), (std::pair<timestamp, timestamp>{0, 0}));
}

TEST_F(recent_store_test, what_was_taken_is_there_after_a_restart_with_its_position) {
    open();
    take({seen("a@x.example", now), seen("b@x.example", now)});
    open();
    EXPECT_EQ(all().size(), 2U);
    EXPECT_EQ(need(store->position("edge", "run")), 2U);
    EXPECT_EQ(need(store->position("edge", "another run")), 0U);
    EXPECT_EQ(need(store->position("another edge", "run")), 0U);
    EXPECT_EQ(need(store->counts()).addresses, 2U);
}

TEST_F(recent_store_test, drops_the_ones_seen_longest_ago_over_the_limit_and_counts_them) {
    open({.limit = 3, .keep = std::chrono::hours(24)});
    take({seen("old@x.example", now), seen("b@x.example", now + 1), seen("c@x.example", now + 2)});
    take({seen("old@x.example", now + 3), seen("d@x.example", now + 4)});
    const auto found = all();
    EXPECT_EQ(found.size(), 3U);
    EXPECT_FALSE(found.contains("b@x.example"));
    EXPECT_TRUE(found.contains("old@x.example"));
    EXPECT_EQ(need(store->counts()).dropped, 1U);
    EXPECT_EQ(need(store->counts()).addresses, 3U);
    EXPECT_EQ(need(store->counts()).events, 5U);
}

TEST_F(recent_store_test, forgets_what_was_not_seen_for_long) {
    open({.limit = 100, .keep = std::chrono::hours(1)});
    take({seen("old@x.example", now)});
    take({seen("new@x.example", now + 61 * minute)});
    EXPECT_EQ(all().size(), 1U);
    EXPECT_EQ(need(store->counts()).addresses, 1U);
    EXPECT_EQ(need(store->counts()).dropped, 0U);
}

TEST_F(recent_store_test, adds_up_what_the_edge_lost_over_its_restarts) {
    open();
    take({seen("a@x.example", now)}, "one", 5);
    take({seen("a@x.example", now)}, "one", 7);
    take({seen("a@x.example", now)}, "two", 2);
    EXPECT_EQ(need(store->counts()).lost, 9U);
}

TEST_F(recent_store_test, lists_by_page_the_last_seen_first) {
    open();
    std::vector<sighting> many;
    for (int i = 0; i < 5; ++i) {
        many.push_back(seen(std::string(1, static_cast<char>('a' + i)) + "@x.example", now + i / 2));
    }
    take(std::move(many));
    std::string order;
    directory::page_request at{"", 2};
    do {
        const auto page = need(store->list(1, 0, at));
        for (const seen_address& each : page.items) {
            order += each.address.front();
        }
        at.after = page.next;
    } while (!at.after.empty());
    EXPECT_EQ(order, "edcba");
    EXPECT_FALSE(store->list(1, 0, {"nonsense", 2}));
}

TEST_F(recent_store_test, a_file_that_is_none_is_begun_anew) {
    std::ofstream(folder.file("recent.db")) << std::string(8192, 'x');
    open();
    take({seen("a@x.example", now)});
    EXPECT_EQ(all().size(), 1U);
}

TEST_F(recent_store_test, findings_about_a_recipient_are_no_recipients) {
    open();
    take({seen("a@x.example", now), seen("a@x.example", now, outcome::good_mail),
          seen("b@x.example", now, outcome::listed_refused)});
    EXPECT_EQ(all().size(), 1U);
    EXPECT_EQ(all().at("a@x.example").times(), 1U);
    EXPECT_EQ(need(store->position("edge", "run")), 3U);
    EXPECT_EQ(parse_outcome(to_string(outcome::good_mail)), outcome::good_mail);
}

}  // namespace
}  // namespace postern::recent
