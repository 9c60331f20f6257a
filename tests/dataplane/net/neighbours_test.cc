#include "dataplane/net/neighbours.h"

#include <gtest/gtest.h>

#include "tests/dataplane/net/frames.h"

namespace postern::net {
namespace {

using namespace testing;
using std::chrono::seconds;

TEST(neighbours_test, a_gateway_is_asked_for_each_second_until_it_answers_and_confirmed_after_thirty) {
    neighbours n({their_ip}, seconds(100));
    EXPECT_FALSE(n.gateways_reachable());
    for (int i = 0; i < 5; ++i) {
        const auto asked = n.next_question(seconds(100 + i));
        ASSERT_TRUE(asked) << i;
        EXPECT_EQ(asked->ip, their_ip);
        EXPECT_FALSE(asked->at) << "everybody is asked";
        EXPECT_FALSE(n.next_question(seconds(100 + i)));
        EXPECT_EQ(n.next_timer(), seconds(101 + i));
    }
    n.heard(their_ip, their_mac, true, seconds(105));
    EXPECT_EQ(n.find(their_ip), their_mac);
    EXPECT_TRUE(n.gateways_reachable());
    EXPECT_FALSE(n.next_question(seconds(134)));
    const auto confirm = n.next_question(seconds(135));
    ASSERT_TRUE(confirm);
    EXPECT_EQ(confirm->at, their_mac) << "where it was";
}

TEST(neighbours_test, a_silent_gateway_stays_in_use_and_everybody_is_asked_again) {
    neighbours n({their_ip}, seconds(0));
    n.heard(their_ip, their_mac, true, seconds(0));
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(n.next_question(seconds(30 + i))->at, their_mac) << i;
    }
    EXPECT_FALSE(n.gateways_reachable());
    EXPECT_EQ(n.find(their_ip), their_mac);
    EXPECT_FALSE(n.next_question(seconds(33))->at);
    n.heard(their_ip, third_mac, true, seconds(33));
    EXPECT_EQ(n.find(their_ip), third_mac) << "it answers from elsewhere: a fail-over";
    EXPECT_TRUE(n.gateways_reachable());
}

TEST(neighbours_test, who_only_claims_to_be_the_gateway_is_asked_and_not_believed) {
    neighbours n({their_ip}, seconds(0));
    n.heard(their_ip, their_mac, true, seconds(0));
    n.heard(their_ip, third_mac, false, seconds(10));
    EXPECT_EQ(n.find(their_ip), their_mac);
    EXPECT_EQ(n.next_question(seconds(10))->at, their_mac);
    n.heard(their_ip, third_mac, false, seconds(31));
    EXPECT_EQ(n.find(their_ip), third_mac) << "not confirmed for long: news is better than nothing";
}

TEST(neighbours_test, hosts_are_a_cache_of_fixed_size) {
    neighbours n({}, seconds(0));
    const auto host = [](unsigned i) {
        return ipv4(10, 0, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i));
    };
    for (unsigned i = 0; i < neighbours::most_hosts; ++i) {
        n.heard(host(i), their_mac, false, seconds(i));
    }
    n.heard(host(0), third_mac, false, seconds(10000));
    n.heard(host(600), their_mac, false, seconds(10001));
    EXPECT_EQ(n.hosts(), neighbours::most_hosts);
    EXPECT_EQ(n.find(host(0)), third_mac);
    EXPECT_EQ(n.find(host(1)), std::nullopt) << "heard of longest ago";
    EXPECT_EQ(n.find(host(600)), their_mac);
    EXPECT_EQ(n.next_timer(), shard::never);
}

}  // namespace
}  // namespace postern::net
