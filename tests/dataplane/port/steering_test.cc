// Who owns a connection: the hash that NICs compute, and what frames are whose.
#include "dataplane/port/steering.h"

#include <gtest/gtest.h>
#include <rte_byteorder.h>
#include <rte_thash.h>

#include <random>

#include "tests/dataplane/net/frames.h"

namespace postern::port {
namespace {

using namespace net::testing;

/// The key and the examples that every maker of NICs checks against ("Verifying the RSS Hash Calculation").
constexpr std::array<std::uint8_t, toeplitz::key_octets> known_key{
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

steering::rules known(steering::input of = steering::input::tuple) {
    steering::rules out;
    out.key = known_key;
    out.ipv4 = of;
    out.ipv6 = of;
    out.table = {0, 1, 2, 3, 3, 2, 1, 0};
    return out;
}

const net::ip_address six_from{0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, 7};
const net::ip_address six_to{0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0, 1};

TEST(steering, hashes_as_the_published_examples) {
    const steering tuple(known());
    EXPECT_EQ(tuple.hash(net::ipv4(66, 9, 149, 187), 2794, net::ipv4(161, 142, 100, 80), 1766), 0x51ccc178U);
    EXPECT_EQ(tuple.hash(net::ipv4(199, 92, 111, 2), 14230, net::ipv4(65, 69, 140, 83), 4739), 0xc626b0eaU);
    EXPECT_EQ(tuple.hash(six_from, 2794, six_to, 1766), 0x40207d3dU);
    const steering addresses(known(steering::input::addresses));
    EXPECT_EQ(addresses.hash(net::ipv4(66, 9, 149, 187), 2794, net::ipv4(161, 142, 100, 80), 1766), 0x323e8fc2U);
    EXPECT_EQ(addresses.hash(six_from, 1, six_to, 2), 0x2cc18cd5U);
}

TEST(steering, hashes_as_dpdk_does_for_any_key_and_tuple) {
    std::mt19937 chance(1);
    for (int round = 0; round < 200; ++round) {
        steering::rules rules = steering::own_rules(4);
        const steering mine(rules);
        std::array<std::uint32_t, 3> words{static_cast<std::uint32_t>(chance()), static_cast<std::uint32_t>(chance()),
                                           static_cast<std::uint32_t>(chance())};
        std::array<std::uint8_t, 12> wire{};
        for (std::size_t i = 0; i < wire.size(); ++i) {
            wire[i] = static_cast<std::uint8_t>(words[i / 4] >> (24 - i % 4 * 8));
        }
        const auto at = [&](std::size_t i) { return net::ipv4(wire[i], wire[i + 1], wire[i + 2], wire[i + 3]); };
        EXPECT_EQ(mine.hash(at(0), net::read16(wire.data() + 8), at(4), net::read16(wire.data() + 10)),
                  rte_softrss(words.data(), 3, rules.key.data()));
    }
}

TEST(steering, the_table_says_whose_a_hash_is) {
    const steering s(known());
    EXPECT_EQ(s.owner(net::ipv4(66, 9, 149, 187), 2794, net::ipv4(161, 142, 100, 80), 1766), 0U) << "…178 modulo 8";
    EXPECT_EQ(s.owner(net::ipv4(199, 92, 111, 2), 14230, net::ipv4(65, 69, 140, 83), 4739), 2U) << "…0ea modulo 8";
}

TEST(steering, own_rules_are_new_each_time_and_spread_evenly) {
    const steering::rules first = steering::own_rules(3);
    EXPECT_NE(first.key, steering::own_rules(3).key);
    const steering s(first);
    std::array<unsigned, 3> share{};
    for (unsigned port = 1024; port < 1024 + 30'000; ++port) {
        ++share[s.owner(their_ip, static_cast<std::uint16_t>(port), our_ip, 25)];
    }
    for (const unsigned n : share) {
        EXPECT_GT(n, 7'000U);
    }
}

bytes tcp_ports(std::uint16_t from, std::uint16_t to) {
    return join({be16(from), be16(to), bytes(16, 0)});
}

TEST(steering, a_segment_is_its_connections_in_whatever_frame) {
    const steering s(known());
    for (std::uint16_t port = 4000; port < 4064; ++port) {
        const bytes four = ethernet(packet(v4{}, tcp_ports(port, 25)), "0800");
        ASSERT_TRUE(s.place_of(four));
        EXPECT_EQ(s.place_of(four)->shard, s.owner(their_ip, port, our_ip, 25));
        EXPECT_EQ(s.place_of(four)->hash, s.hash(their_ip, port, our_ip, 25));
        const bytes options = ethernet(packet(v4{.options = hex("01010101")}, tcp_ports(port, 25)), "0800");
        EXPECT_EQ(s.place_of(options)->shard, s.owner(their_ip, port, our_ip, 25));
        const bytes tagged = ethernet(packet(v4{}, tcp_ports(port, 25)), "8100 0007 0800");
        EXPECT_EQ(s.place_of(tagged)->shard, s.owner(their_ip, port, our_ip, 25));
        const bytes six =
            ethernet(packet(v6{.next = 60}, join({hex("06 00 01 04 00 00 00 00"), tcp_ports(port, 25)})), "86dd");
        EXPECT_EQ(s.place_of(six)->shard, s.owner(their_ip6, port, our_ip6, 25));
    }
}

TEST(steering, a_smaller_path_mtu_goes_to_whom_the_quoted_segment_is_of) {
    const steering s(known());
    unsigned not_the_first = 0;
    for (std::uint16_t port = 4000; port < 4032; ++port) {
        const bytes quoted = packet(v4{.from = our_ip, .to = their_ip}, tcp_ports(25, port));
        const bytes four = ethernet(
            packet(v4{.from = far_ip, .protocol = 1}, icmp4(join({hex("03 04 0000 0000 0240"), quoted}))), "0800");
        ASSERT_TRUE(s.place_of(four));
        EXPECT_EQ(s.place_of(four)->shard, s.owner(their_ip, port, our_ip, 25));
        not_the_first += s.place_of(four)->shard != 0;
        const v6 from_router{.next = 58};
        const bytes quoted6 = packet(v6{.from = our_ip6, .to = their_ip6}, tcp_ports(25, port));
        const bytes six =
            ethernet(packet(from_router, icmp6(from_router, join({hex("02 00 0000 00000500"), quoted6}))), "86dd");
        ASSERT_TRUE(s.place_of(six));
        EXPECT_EQ(s.place_of(six)->shard, s.owner(their_ip6, port, our_ip6, 25));
    }
    EXPECT_GT(not_the_first, 8U);
}

TEST(steering, what_is_not_tcp_is_the_first_shards_and_what_is_nothing_stays) {
    const steering s(known());
    EXPECT_EQ(s.place_of(ethernet(arp(true, their_mac, their_ip, {}, our_ip), "0806"))->shard, 0U);
    EXPECT_EQ(s.place_of(ethernet(hex("0102"), "88cc"))->shard, 0U) << "another protocol";
    const bytes echo = ethernet(packet(v4{.protocol = 1}, icmp4(hex("08 00 0000 0001 0001"))), "0800");
    EXPECT_EQ(s.place_of(echo)->shard, 0U);
    EXPECT_FALSE(s.place_of(echo)->hash);
    EXPECT_EQ(s.place_of(ethernet(packet(v4{.protocol = 17}, hex("0035 1234 0008 0000")), "0800"))->shard, 0U) << "UDP";
    EXPECT_FALSE(s.place_of(ethernet(packet(v4{.fragment = 0x2000}, tcp_ports(4000, 25)), "0800"))) << "a fragment";
    EXPECT_FALSE(s.place_of(ethernet(packet(v4{}, hex("0fa0")), "0800"))) << "no ports";
    EXPECT_FALSE(s.place_of(hex("0102"))) << "no frame";
}

}  // namespace
}  // namespace postern::port
