#include "dataplane/edge/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace postern::edge {
namespace {

using session::outcome;
using session::seen_recipients;
using ::testing::ElementsAre;

constexpr std::array<std::uint8_t, 16> v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 9};
constexpr std::array<std::uint8_t, 16> v6{0x20, 1, 0x0d, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9};

std::vector<std::uint64_t> numbers(const event_log& log) {
    std::vector<std::uint64_t> out;
    for (const event& each : log.kept()) {
        out.push_back(each.number);
    }
    return out;
}

TEST(events, overwrite_the_oldest_and_count_it) {
    seen_recipients ring(8);
    event_log log(3, "run");
    log.add_shard(ring);
    for (const char* address : {"a@b.example", "c@b.example", "d@b.example", "e@b.example"}) {
        ring.add(address, outcome::listed, 1, v4);
    }
    log.collect(5);
    EXPECT_THAT(numbers(log), ElementsAre(2, 3, 4));
    EXPECT_EQ(log.counts().seen, 4U);
    EXPECT_EQ(log.counts().overwritten, 1U);
    log.acknowledge(3);
    EXPECT_THAT(numbers(log), ElementsAre(4));
    ring.add("f@b.example", outcome::listed, 1, v4);
    log.collect(6);
    EXPECT_THAT(numbers(log), ElementsAre(4, 5));
    EXPECT_EQ(log.counts().overwritten, 1U);
    log.acknowledge(100);
    EXPECT_EQ(log.counts().kept, 0U);
}

TEST(events, a_full_ring_drops_the_newest_and_counts_them) {
    seen_recipients ring(2);
    event_log log(8, "run");
    log.add_shard(ring);
    for (int i = 0; i < 5; ++i) {
        ring.add("a@b.example", outcome::rejected, 1, v4);
    }
    log.collect(1);
    EXPECT_EQ(log.counts().kept, 2U);
    EXPECT_EQ(log.counts().missed, 3U);
}

TEST(events, leave_out_what_is_no_address_or_too_long_and_count_it) {
    seen_recipients ring(8);
    event_log log(8, "run");
    log.add_shard(ring);
    ring.add(std::string(243, 'x') + "@b.example", outcome::rejected, 1, v4);  // 253
    ring.add(std::string(246, 'x') + "@b.example", outcome::rejected, 1, v4);  // 256
    ring.add("no address", outcome::rejected, 1, v4);
    log.collect(1);
    EXPECT_EQ(log.counts().kept, 1U);
    EXPECT_EQ(log.counts().missed, 2U);
}

TEST(events, tell_the_network_of_a_source_only) {
    EXPECT_EQ(network_text(source_network(v4)), "198.51.100.0/24");
    EXPECT_EQ(network_text(source_network(v6)), "2001:db8:1::/48");
}

TEST(events, take_what_was_found_of_a_message_between_the_recipients) {
    seen_recipients ring(8);
    event_log log(2, "run");
    log.add_shard(ring);
    ring.add("Bob@B.example", outcome::would_reject, 3, v4);
    log.collect(5);
    log.take({.what = judge::finding::kind::bad_mail,
              .domain = 3,
              .peer = v6,
              .sender = 7,
              .recipient = "Bob@B.example",
              .judged_by = "checks",
              .why = "no From field"},
             6);
    log.take({.what = judge::finding::kind::good_mail, .recipient = "not an address"}, 6);
    EXPECT_THAT(numbers(log), ElementsAre(1, 2));
    EXPECT_EQ(log.counts().missed, 1U);
    const event& found = log.kept().back();
    EXPECT_EQ(found.how, outcome::bad_mail);
    EXPECT_EQ(found.address, "bob@b.example");
    EXPECT_EQ(found.domain, 3U);
    EXPECT_EQ(network_text(found.source), "2001:db8:1::/48");
    EXPECT_EQ(found.at, 6);
    log.take({.what = judge::finding::kind::listed_refused, .recipient = "a@b.example"}, 7);
    EXPECT_THAT(numbers(log), ElementsAre(2, 3));
    EXPECT_EQ(log.kept().back().how, outcome::listed_refused);
}

TEST(events, pass_between_a_shard_and_the_control_thread) {
    constexpr int many = 20'000;
    seen_recipients ring(64);
    event_log log(many, "run");
    log.add_shard(ring);
    std::thread shard([&] {
        for (int i = 0; i < many; ++i) {
            ring.add("user" + std::to_string(i) + "@b.example", outcome::rejected, 1, v4);
        }
    });
    while (log.counts().seen + log.counts().missed < many) {
        log.collect(1);
    }
    shard.join();
    log.collect(1);
    EXPECT_EQ(log.counts().seen + log.counts().missed, static_cast<std::uint64_t>(many));
    int before = -1;
    for (const event& each : log.kept()) {
        const int number = std::stoi(each.address.substr(4));
        EXPECT_GT(number, before);
        before = number;
    }
}

}  // namespace
}  // namespace postern::edge
