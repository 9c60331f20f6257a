#include "control/recent/readiness.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "control/directory/routes.h"
#include "tests/control/directory/open_store.h"

namespace postern::recent {
namespace {

using directory::need;

struct readiness_test : directory::store_test {
    readiness_test() {
        seen = need(recent_store::open(_folder.file("recent.db")));
        served = add("example.com");
    }
    void see(const std::string& address, outcome how, int times = 1, timestamp at = 0) {
        batch told{"edge", "run", ++number, 0, 0, {}};
        for (int i = 0; i < times; ++i) {
            told.sightings.push_back({served.id, address, how, at == 0 ? _now : at, "192.0.2.0/24"});
        }
        need(seen->take(told));
    }
    void give_server(bool catch_all) {
        auto in = write();
        const auto route = need(directory::add_route(in, {"office", 1, {{"mail.example.com", 25, 10}}, 10}));
        need(directory::record_probe(in, route.id, "{}", catch_all));
        need(directory::confirm_route(in, route.id));
        directory::domain_change change;
        change.route = route.id;
        served = need(directory::change_domain(in, served.id, change));
        commit(in);
    }
    readiness ask(readiness_question question = {}) {
        const auto in = read();
        return need(assess(in, *seen, served, _now, std::move(question)));
    }
    what_if_result with(candidate_list& list) {
        return need(what_if(
            *seen, served.settings, 0, [&](std::string_view local) { return list.contains(local); }, 10));
    }
    static bool has(const std::vector<finding>& in, const std::string& code) {
        return std::any_of(in.begin(), in.end(), [&](const finding& each) { return each.code == code; });
    }

    std::unique_ptr<recent_store> seen;
    directory::domain served;
    std::uint64_t number = 0;
};

TEST_F(readiness_test, an_empty_list_without_a_server_is_not_ready) {
    const readiness found = ask();
    EXPECT_FALSE(found.ready);
    EXPECT_TRUE(has(found.reasons, "empty_list"));
    EXPECT_TRUE(has(found.reasons, "no_inbound_server"));
    EXPECT_TRUE(has(found.warnings, "nothing_seen"));
}

TEST_F(readiness_test, a_list_that_takes_all_that_the_server_took_is_ready) {
    give_server(false);
    add_address("alice@example.com");
    see("alice@example.com", outcome::listed);
    see("alice+news@example.com", outcome::listed);
    see("postmaster@example.com", outcome::listed);
    see("stranger@example.com", outcome::refused_behind, 7);
    const readiness found = ask();
    EXPECT_TRUE(found.ready);
    EXPECT_TRUE(has(found.warnings, "strangers"));
    EXPECT_TRUE(has(found.warnings, "short_look"));
    EXPECT_FALSE(has(found.warnings, "catch_all"));
    EXPECT_EQ(found.recent.recipients, 4U);
    EXPECT_EQ(found.recent.taken, 3U);
    EXPECT_EQ(found.recent.refused_times, 7U);
    ASSERT_EQ(found.sources.size(), 1U);
    EXPECT_EQ(found.sources[0].name, "manual");
    EXPECT_EQ(found.list.valid, 1U);
    EXPECT_EQ(found.list_changed, _now);
}

TEST_F(readiness_test, what_the_server_took_and_the_list_lacks_is_a_reason_until_it_is_added) {
    give_server(true);
    add_address("alice@example.com");
    see("stranger@example.com", outcome::refused_behind, 9);
    see("bob@example.com", outcome::would_reject, 2);
    readiness found = ask();
    EXPECT_FALSE(found.ready);
    EXPECT_TRUE(has(found.reasons, "would_refuse"));
    EXPECT_TRUE(has(found.warnings, "catch_all"));
    ASSERT_EQ(found.recent.addresses.size(), 2U);
    EXPECT_EQ(found.recent.addresses[0].address, "bob@example.com") << "what would be missed comes first";
    add_address("bob@example.com");
    found = ask();
    EXPECT_TRUE(found.ready);
}

TEST_F(readiness_test, an_address_that_was_listed_and_is_not_any_more_would_be_missed) {
    give_server(false);
    add_address("alice@example.com");
    see("leaver@example.com", outcome::listed);
    EXPECT_EQ(ask().recent.missed, 1U);
}

TEST_F(readiness_test, says_what_the_probe_and_others_found) {
    give_server(false);
    add_address("alice@example.com");
    readiness_question question;
    question.probed = {true, false, std::nullopt};
    question.reasons.push_back({"sync_held", "a sync is held"});
    const readiness found = ask(question);
    EXPECT_FALSE(found.ready);
    EXPECT_TRUE(has(found.reasons, "sync_held"));
    EXPECT_TRUE(has(found.warnings, "catch_all"));
    EXPECT_TRUE(has(found.warnings, "postmaster_refused"));
    EXPECT_FALSE(has(found.warnings, "abuse_refused"));
}

TEST_F(readiness_test, looks_back_no_further_than_asked) {
    see("bob@example.com", outcome::would_reject, 1, _now - 10'000);
    readiness_question question;
    question.since = _now - 5'000;
    EXPECT_EQ(ask(question).recent.recipients, 0U);
}

TEST_F(readiness_test, a_candidate_is_read_in_any_layout_of_an_import) {
    see("bob@example.com", outcome::would_reject);
    see("carol@example.com", outcome::rejected, 3);
    see("dave@alias.example", outcome::rejected);
    see("erin@example.com", outcome::rejected);
    candidate_list list({"example.com", "alias.example"});
    const auto read =
        need(list.read(sources::from_memory("email,first_name,aliases\nBob@Example.com,Bob,carol@example.com; "
                                            "x@elsewhere.example\ndave@alias.example,Dave,\n")));
    EXPECT_EQ(read.rows, 2U);
    EXPECT_EQ(read.elsewhere, 1U);
    EXPECT_EQ(list.size(), 3U);
    const auto found = with(list);
    EXPECT_EQ(found.recipients, 4U);
    EXPECT_EQ(found.refused, 1U);
    ASSERT_EQ(found.addresses.size(), 1U);
    EXPECT_EQ(found.addresses[0].address, "erin@example.com");
}

TEST_F(readiness_test, a_candidate_may_be_bare_local_parts_and_must_not_be_empty) {
    candidate_list list({"example.com"});
    need(list.read(sources::from_memory("bob\ncarol\n")));
    EXPECT_TRUE(list.contains("bob"));
    EXPECT_TRUE(list.contains("carol"));
    candidate_list empty({"example.com"});
    EXPECT_FALSE(empty.read(sources::from_memory("\n\n")));
}

TEST_F(readiness_test, shows_only_as_many_as_asked_and_counts_all) {
    batch told{"edge", "run", 5000, 0, 0, {}};
    for (int i = 0; i < 5000; ++i) {
        told.sightings.push_back({served.id, "s" + std::to_string(i) + "@example.com", outcome::rejected, _now, ""});
    }
    told.sightings.push_back({served.id, "s4711@example.com", outcome::rejected, _now, ""});
    need(seen->take(told));
    candidate_list list({"example.com"});
    const auto found = with(list);
    EXPECT_EQ(found.refused, 5000U);
    ASSERT_EQ(found.addresses.size(), 10U);
    EXPECT_EQ(found.addresses[0].address, "s4711@example.com");
}

}  // namespace
}  // namespace postern::recent
