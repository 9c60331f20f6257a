// Source and connection limits, on one thread.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "dataplane/shard/connection_limits.h"
#include "dataplane/shard/endpoint_text.h"
#include "dataplane/shard/siphash.h"
#include "dataplane/shard/source_limits.h"

namespace postern::shard {
namespace {

endpoint at(std::string_view text) {
    return parse_endpoint(text).value();
}

TEST(siphash, matches_the_published_vector_of_sixteen_octets) {
    EXPECT_EQ(siphash13({0x0706050403020100U, 0x0f0e0d0c0b0a0908U}, 0x0706050403020100U, 0x0f0e0d0c0b0a0908U),
              0xcc4fdd1a7d908b66U);
}

TEST(siphash, keys_are_drawn_anew) {
    EXPECT_NE(random_siphash_key().low, random_siphash_key().low);
}

TEST(source_limits, counts_ipv4_by_address_and_ipv6_by_64) {
    source_limits limits;
    EXPECT_TRUE(limits.enter(at("192.0.2.1:1000"), 2));
    EXPECT_TRUE(limits.enter(at("192.0.2.1:1001"), 2));
    EXPECT_FALSE(limits.enter(at("192.0.2.1:1002"), 2));
    EXPECT_TRUE(limits.enter(at("192.0.2.2:1000"), 2));
    EXPECT_TRUE(limits.enter(at("[2001:db8:0:1::1]:1"), 2));
    EXPECT_TRUE(limits.enter(at("[2001:db8:0:1:ffff::2]:2"), 2));
    EXPECT_FALSE(limits.enter(at("[2001:db8:0:1::3]:3"), 2));
    EXPECT_TRUE(limits.enter(at("[2001:db8:0:2::1]:1"), 2));
    EXPECT_EQ(limits.sources(), 4u);
    limits.leave(at("192.0.2.1:1000"));
    EXPECT_EQ(limits.count(at("192.0.2.1:9")), 1u);
    EXPECT_TRUE(limits.enter(at("192.0.2.1:1003"), 2));
}

TEST(source_limits, a_limit_of_nothing_refuses_and_leaves_no_trace) {
    source_limits limits;
    EXPECT_FALSE(limits.enter(at("192.0.2.1:1"), 0));
    EXPECT_EQ(limits.sources(), 0u);
    limits.leave(at("192.0.2.1:1"));  // never entered: nothing happens
    EXPECT_EQ(limits.count(at("192.0.2.1:1")), 0u);
}

TEST(source_limits, behaves_as_a_map) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        std::mt19937_64 random(seed);
        source_limits limits({seed, ~seed});
        std::map<std::uint32_t, std::uint32_t> model;
        std::vector<std::uint32_t> open;
        for (int step = 0; step < 60'000; ++step) {
            // Growing, then shrinking, so that gaps are closed in long runs.
            const bool entering = open.empty() || random() % 10 < (step < 30'000 ? 7u : 3u);
            if (entering) {
                const auto host = static_cast<std::uint32_t>(random() % 20'000);
                endpoint e = at("10.0.0.0:1");
                e.address[13] = static_cast<std::uint8_t>(host >> 16);
                e.address[14] = static_cast<std::uint8_t>(host >> 8);
                e.address[15] = static_cast<std::uint8_t>(host);
                const bool room = model[host] < 3;
                ASSERT_EQ(limits.enter(e, 3), room);
                if (room) {
                    ++model[host];
                    open.push_back(host);
                }
            } else {
                const std::size_t i = random() % open.size();
                const std::uint32_t host = open[i];
                open[i] = open.back();
                open.pop_back();
                endpoint e = at("10.0.0.0:1");
                e.address[13] = static_cast<std::uint8_t>(host >> 16);
                e.address[14] = static_cast<std::uint8_t>(host >> 8);
                e.address[15] = static_cast<std::uint8_t>(host);
                limits.leave(e);
                --model[host];
                ASSERT_EQ(limits.count(e), model[host]);
            }
        }
        const auto in_use = std::count_if(model.begin(), model.end(), [](const auto& m) { return m.second != 0; });
        EXPECT_EQ(limits.sources(), static_cast<std::size_t>(in_use));
    }
}

TEST(connection_limits, refuses_over_the_total_and_over_the_share) {
    const connection_limits::limits l[] = {{.connections = 3, .connections_per_source = 2},
                                           {.connections = 100, .connections_per_source = 5}};
    connection_limits limits(l);
    const endpoint a = at("192.0.2.1:1");
    const endpoint b = at("192.0.2.2:1");
    EXPECT_EQ(limits.enter(0, a), admission::admitted);
    EXPECT_EQ(limits.enter(0, a), admission::admitted);
    EXPECT_EQ(limits.enter(0, a), admission::too_many_from_source);
    EXPECT_EQ(limits.connections(0), 2u) << "a refusal holds nothing";
    EXPECT_EQ(limits.enter(0, b), admission::admitted);
    EXPECT_EQ(limits.enter(0, b), admission::too_many_connections);
    EXPECT_EQ(limits.enter(1, a), admission::admitted) << "another listener has its own total and share";
    limits.leave(0, a);
    EXPECT_EQ(limits.enter(0, b), admission::admitted);
}

TEST(connection_limits, may_be_changed_and_drained) {
    const connection_limits::limits one{.connections = 1, .connections_per_source = 1};
    connection_limits limits({&one, 1});
    const endpoint a = at("192.0.2.1:1");
    EXPECT_EQ(limits.enter(0, a), admission::admitted);
    limits.set(0, {.connections = 2, .connections_per_source = 2});
    EXPECT_EQ(limits.enter(0, a), admission::admitted);
    limits.set(0, {.connections = 1, .connections_per_source = 1});
    EXPECT_EQ(limits.enter(0, a), admission::too_many_connections);
    limits.drain();
    EXPECT_EQ(limits.enter(0, a), admission::draining);
    limits.leave(0, a);
    limits.leave(0, a);
    EXPECT_EQ(limits.connections(0), 0u);
}

}  // namespace
}  // namespace postern::shard
