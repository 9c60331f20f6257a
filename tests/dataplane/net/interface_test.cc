// The port below TCP, frame by frame: "given this, it sends exactly that".
#include "dataplane/net/interface.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/dataplane/net/frames.h"

namespace postern::net {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using std::chrono::seconds;
using what = interface::verdict::what;

interface_settings both_families() {
    interface_settings s;
    s.mac = our_mac;
    s.addresses = {{our_ip, 24}, {our_ip6, 64}};
    return s;
}

class interface_test : public ::testing::Test {
protected:
    /// A port that has announced itself and whose addresses are in use.
    void settle(const interface_settings& s = both_families()) {
        ASSERT_EQ(fault_of(s), std::nullopt);
        port.emplace(s, sent, now);
        for (int i = 0; i < 8; ++i) {
            port->tick(now);
            now += seconds(1);
        }
        sent.frames.clear();
    }
    interface::verdict give(const bytes& frame) { return port->input(frame, now); }
    std::uint64_t dropped(drop why) const { return port->counts().drops[static_cast<std::size_t>(why)].value(); }

    shard::instant now = seconds(1000);
    kept_frames sent;
    std::optional<interface> port;
};

TEST_F(interface_test, settings_that_will_not_do) {
    interface_settings s = both_families();
    EXPECT_EQ(fault_of(s), std::nullopt);
    s.gateways = {their_ip, their_ip6};
    EXPECT_EQ(fault_of(s), std::nullopt);
    const auto refused = [&](auto change) {
        interface_settings other = both_families();
        change(other);
        return fault_of(other).has_value();
    };
    EXPECT_TRUE(refused([](auto& o) { o.mac = broadcast_mac; }));
    EXPECT_TRUE(refused([](auto& o) { o.vlan = 4095; }));
    EXPECT_TRUE(refused([](auto& o) { o.mtu = 1279; }));
    EXPECT_TRUE(refused([](auto& o) { o.addresses.clear(); }));
    EXPECT_TRUE(refused([](auto& o) { o.addresses[0].ip = ipv4(224, 0, 0, 1); }));
    EXPECT_TRUE(refused([](auto& o) { o.addresses[0].prefix = 33; }));
    EXPECT_TRUE(refused([](auto& o) { o.addresses.resize(33, {our_ip, 24}); }));
    EXPECT_TRUE(refused([](auto& o) { o.gateways = {far_ip}; })) << "in no network of ours";
    EXPECT_TRUE(refused([](auto& o) { o.gateways = {their_ip, ipv4(192, 0, 2, 8)}; }));
}

TEST_F(interface_test, announces_its_ipv4_address_twice) {
    interface_settings s = both_families();
    s.addresses.resize(1);
    port.emplace(s, sent, now);
    const bytes gratuitous = ethernet(arp(true, our_mac, our_ip, {}, our_ip), "0806", broadcast_mac, our_mac);
    port->tick(now);
    EXPECT_EQ(sent.take(), gratuitous);
    EXPECT_EQ(port->next_timer(), now + seconds(2));
    port->tick(now + seconds(2));
    EXPECT_EQ(sent.take(), gratuitous);
    EXPECT_EQ(port->next_timer(), shard::never);
    EXPECT_TRUE(sent.frames.empty());
}

TEST_F(interface_test, an_ipv6_address_is_used_after_a_second_without_objection) {
    interface_settings s = both_families();
    s.addresses = {{our_ip6, 64}};
    port.emplace(s, sent, now);
    port->tick(now);
    const ip_address group = solicited_node(our_ip6);
    const v6 from_nowhere{.from = {}, .to = group, .next = 58, .hop_limit = 255};
    const bytes probe = icmp6(from_nowhere, join({hex("87 00 0000 00000000"), of(our_ip6)}));
    EXPECT_EQ(sent.take(), ethernet(packet(from_nowhere, probe), "86dd", multicast_mac(group), our_mac));
    EXPECT_FALSE(port->owns(our_ip6));
    EXPECT_EQ(give(ethernet(packet(v6{}, hex("00")), "86dd")).is, what::other) << "not yet a segment of ours";
    sent.frames.clear();
    port->tick(now + seconds(1));
    EXPECT_TRUE(port->owns(our_ip6));
    EXPECT_TRUE(port->owns(link_local_of(our_mac)));
    const v6 to_all{.from = our_ip6, .to = all_nodes, .next = 58, .hop_limit = 255};
    const bytes advertisement =
        icmp6(to_all, join({hex("88 00 0000 20000000"), of(our_ip6), hex("02 01"), of(our_mac)}));
    EXPECT_EQ(sent.take(), ethernet(packet(to_all, advertisement), "86dd", multicast_mac(all_nodes), our_mac));
    EXPECT_EQ(give(ethernet(packet(v6{}, hex("00")), "86dd")).is, what::segment);
}

TEST_F(interface_test, an_address_that_another_host_has_is_never_used) {
    for (const bool by_solicitation : {false, true}) {
        interface_settings s = both_families();
        s.addresses = {{our_ip6, 64}};
        port.emplace(s, sent, now);
        port->tick(now);
        if (by_solicitation) {
            const v6 fields{.from = {}, .to = solicited_node(our_ip6), .next = 58, .hop_limit = 255};
            give(ethernet(packet(fields, icmp6(fields, join({hex("87 00 0000 00000000"), of(our_ip6)}))), "86dd",
                          multicast_mac(fields.to)));
        } else {
            const v6 fields{.from = our_ip6, .to = all_nodes, .next = 58, .hop_limit = 255};
            give(ethernet(packet(fields, icmp6(fields, join({hex("88 00 0000 20000000"), of(our_ip6), hex("02 01"),
                                                             of(their_mac)}))),
                          "86dd", multicast_mac(all_nodes)));
        }
        for (int i = 1; i < 5; ++i) {
            port->tick(now + seconds(i));
        }
        EXPECT_FALSE(port->owns(our_ip6)) << by_solicitation;
        EXPECT_EQ(port->duplicated(), std::vector<ip_address>{our_ip6});
        EXPECT_EQ(port->counts().duplicates.value(), 1U);
        sent.frames.clear();
        const v6 asked{.to = our_ip6, .next = 58, .hop_limit = 255};
        give(ethernet(packet(asked, icmp6(asked, join({hex("87 00 0000 00000000"), of(our_ip6)}))), "86dd"));
        EXPECT_TRUE(sent.frames.empty()) << "it is not ours to answer for";
    }
}

TEST_F(interface_test, its_own_probe_come_back_is_no_duplicate) {
    interface_settings s = both_families();
    s.addresses = {{our_ip6, 64}};
    port.emplace(s, sent, now);
    port->tick(now);
    for (const bytes& frame : std::vector<bytes>(sent.frames)) {
        give(frame);
    }
    port->tick(now + seconds(1));
    EXPECT_TRUE(port->owns(our_ip6));
}

TEST_F(interface_test, answers_arp_for_its_address_alone) {
    settle();
    give(ethernet(arp(true, their_mac, their_ip, {}, our_ip), "0806", broadcast_mac));
    EXPECT_EQ(sent.take(), ethernet(arp(false, our_mac, our_ip, their_mac, their_ip), "0806", their_mac, our_mac));
    give(ethernet(arp(true, their_mac, their_ip, {}, ipv4(192, 0, 2, 2)), "0806", broadcast_mac));
    EXPECT_TRUE(sent.frames.empty());
    give(ethernet(arp(true, their_mac, unspecified_ipv4, {}, our_ip), "0806", broadcast_mac));
    EXPECT_EQ(sent.frames.size(), 1U) << "a probe (RFC 5227) is answered";
}

TEST_F(interface_test, arp_that_contradicts_itself) {
    settle();
    const bytes good = arp(true, their_mac, their_ip, {}, our_ip);
    for (std::size_t n = 0; n < good.size(); ++n) {
        EXPECT_EQ(give(ethernet(bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n)), "0806")).is,
                  what::dropped);
    }
    for (std::size_t at = 0; at <= 6; ++at) {
        bytes bent = good;
        bent[at] ^= 0x40U;
        EXPECT_EQ(give(ethernet(bent, "0806")).is, what::dropped) << at;
    }
    EXPECT_EQ(give(ethernet(arp(true, broadcast_mac, their_ip, {}, our_ip), "0806")).is, what::dropped);
    EXPECT_EQ(give(ethernet(arp(false, their_mac, unspecified_ipv4, our_mac, our_ip), "0806")).is, what::dropped);
    EXPECT_TRUE(sent.frames.empty());
}

TEST_F(interface_test, defends_its_ipv4_address_once_in_ten_seconds) {
    settle();
    const bytes claim = ethernet(arp(true, third_mac, our_ip, {}, our_ip), "0806", broadcast_mac, third_mac);
    give(claim);
    EXPECT_EQ(sent.take(), ethernet(arp(true, our_mac, our_ip, {}, our_ip), "0806", broadcast_mac, our_mac));
    now += seconds(9);
    give(claim);
    EXPECT_TRUE(sent.frames.empty());
    now += seconds(1);
    give(claim);
    EXPECT_EQ(sent.frames.size(), 1U);
    EXPECT_EQ(port->counts().conflicts.value(), 3U);
}

TEST_F(interface_test, answers_neighbour_solicitations) {
    settle();
    const v6 asked{.to = solicited_node(our_ip6), .next = 58, .hop_limit = 255};
    const bytes question = icmp6(asked, join({hex("87 00 0000 00000000"), of(our_ip6), hex("01 01"), of(their_mac)}));
    give(ethernet(packet(asked, question), "86dd", multicast_mac(asked.to)));
    const v6 answered{.from = our_ip6, .to = their_ip6, .next = 58, .hop_limit = 255};
    const bytes answer = icmp6(answered, join({hex("88 00 0000 60000000"), of(our_ip6), hex("02 01"), of(our_mac)}));
    EXPECT_EQ(sent.take(), ethernet(packet(answered, answer), "86dd", their_mac, our_mac));
    // Another host's detection of our address: said to all.
    const v6 probing{.from = {}, .to = solicited_node(our_ip6), .next = 58, .hop_limit = 255};
    give(ethernet(packet(probing, icmp6(probing, join({hex("87 00 0000 00000000"), of(our_ip6)}))), "86dd",
                  multicast_mac(probing.to)));
    const v6 to_all{.from = our_ip6, .to = all_nodes, .next = 58, .hop_limit = 255};
    EXPECT_EQ(sent.take(), ethernet(packet(to_all, icmp6(to_all, join({hex("88 00 0000 20000000"), of(our_ip6),
                                                                       hex("02 01"), of(our_mac)}))),
                                    "86dd", multicast_mac(all_nodes), our_mac));
}

TEST_F(interface_test, neighbour_messages_against_rfc_4861) {
    settle();
    const auto solicit = [&](const v6& fields, const bytes& message) {
        return give(ethernet(packet(fields, icmp6(fields, message)), "86dd"));
    };
    const v6 good{.to = our_ip6, .next = 58, .hop_limit = 255};
    const bytes target = of(our_ip6);
    const bytes head = hex("87 00 0000 00000000");
    EXPECT_EQ(solicit({.to = our_ip6, .next = 58, .hop_limit = 254}, join({head, target})).why, drop::bad_icmp)
        << "came over a router";
    EXPECT_EQ(solicit(good, join({hex("87 01 0000 00000000"), target})).why, drop::bad_icmp) << "code";
    EXPECT_EQ(solicit(good, join({head, hex("2001")})).why, drop::bad_icmp) << "cut";
    EXPECT_EQ(solicit(good, join({head, of(all_nodes)})).why, drop::bad_icmp) << "a group as target";
    EXPECT_EQ(solicit(good, join({head, target, hex("01 00 00 00 00 00 00 00")})).why, drop::bad_icmp)
        << "option length 0";
    EXPECT_EQ(solicit(good, join({head, target, hex("01 02 00 00 00 00 00 00")})).why, drop::bad_icmp)
        << "beyond the end";
    EXPECT_EQ(solicit(good, join({head, target, hex("01 01"), of(broadcast_mac)})).why, drop::bad_icmp);
    EXPECT_EQ(solicit({.from = {}, .to = our_ip6, .next = 58, .hop_limit = 255}, join({head, target})).why,
              drop::bad_icmp)
        << "detection goes to the group";
    bytes spoiled = packet(good, icmp6(good, join({head, target})));
    spoiled.back() ^= 1U;
    EXPECT_EQ(give(ethernet(spoiled, "86dd")).why, drop::bad_icmp) << "checksum";
    EXPECT_TRUE(sent.frames.empty());
    EXPECT_EQ(solicit(good, join({head, target})).is, what::done);
    EXPECT_EQ(sent.frames.size(), 1U);
}

TEST_F(interface_test, joins_its_solicited_node_groups_and_says_so_when_asked) {
    settle();
    const v6 query{.from = link_local_of(their_mac), .to = all_nodes, .next = 58, .hop_limit = 1};
    give(ethernet(packet(query, icmp6(query, join({hex("82 00 0000 2710 0000"), bytes(16, 0), bytes(4, 0)}))), "86dd",
                  multicast_mac(all_nodes)));
    EXPECT_TRUE(sent.frames.empty()) << "not all hosts at once";
    EXPECT_EQ(port->next_timer(), now + seconds(5));
    now += seconds(5);
    port->tick(now);
    const bytes report = sent.take();
    const v6 fields{.from = link_local_of(our_mac), .to = mld_routers, .next = 0, .hop_limit = 1};
    // Both addresses end in 00:0001: one group.
    ASSERT_EQ(solicited_node(our_ip6), solicited_node(link_local_of(our_mac)));
    bytes message = join({hex("8f 00 0000 0000 0001"), hex("04 00 0000"), of(solicited_node(our_ip6))});
    message = icmp6(fields, message);
    EXPECT_EQ(report, ethernet(packet(fields, join({hex("3a 00 05 02 00 00 01 00"), message})), "86dd",
                               multicast_mac(mld_routers), our_mac));
}

TEST_F(interface_test, answers_echo_of_both_families) {
    settle();
    give(ethernet(packet(v4{.protocol = 1}, icmp4(hex("08 00 0000 1234 0001 616263"))), "0800"));
    bytes answer = packet(v4{.from = our_ip, .to = their_ip, .protocol = 1}, icmp4(hex("00 00 0000 1234 0001 616263")));
    answer[4] = answer[5] = 0;  // an atomic datagram's identification
    answer[10] = answer[11] = 0;
    const bytes sum = be16(plain_checksum(bytes(answer.begin(), answer.begin() + 20)));
    answer[10] = sum[0];
    answer[11] = sum[1];
    EXPECT_EQ(sent.take(), ethernet(answer, "0800", their_mac, our_mac));
    const v6 asked{.next = 58};
    give(ethernet(packet(asked, icmp6(asked, hex("80 00 0000 1234 0001 6162"))), "86dd"));
    const v6 answered{.from = our_ip6, .to = their_ip6, .next = 58};
    EXPECT_EQ(sent.take(), ethernet(packet(answered, icmp6(answered, hex("81 00 0000 1234 0001 6162"))), "86dd",
                                    their_mac, our_mac));
}

TEST_F(interface_test, echo_is_limited_checked_and_never_an_amplifier) {
    interface_settings s = both_families();
    s.echo_per_second = 3;
    settle(s);
    const bytes ping = ethernet(packet(v4{.protocol = 1}, icmp4(hex("08 00 0000 1234 0001"))), "0800");
    for (int i = 0; i < 5; ++i) {
        give(ping);
    }
    EXPECT_EQ(sent.frames.size(), 3U);
    EXPECT_EQ(dropped(drop::echo_limited), 2U);
    now += seconds(1);
    give(ping);
    EXPECT_EQ(sent.frames.size(), 4U);
    give(ethernet(packet(v4{.to = ipv4(224, 0, 0, 1), .protocol = 1}, icmp4(hex("08 00 0000 1234 0001"))), "0800",
                  {0x01, 0, 0x5e, 0, 0, 1}));
    give(ethernet(packet(v4{.protocol = 1}, hex("08 00 1111 1234 0001")), "0800"));
    EXPECT_EQ(dropped(drop::bad_icmp), 1U);
    EXPECT_EQ(sent.frames.size(), 4U);
    EXPECT_EQ(give(ethernet(packet(v4{.from = ipv4(127, 0, 0, 1), .protocol = 1}, icmp4(hex("08 00 0000 1234 0001"))),
                            "0800"))
                  .why,
              drop::bad_source);
}

TEST_F(interface_test, tcp_goes_up_with_the_way_back) {
    settle();
    const bytes frame = ethernet(packet(v4{}, hex("0102")), "0800");
    const auto up = give(frame);
    ASSERT_EQ(up.is, what::segment);
    EXPECT_EQ(up.packet.from, their_ip);
    EXPECT_EQ(up.packet.to, our_ip);
    EXPECT_EQ(of(up.packet.payload), hex("0102"));
    EXPECT_EQ(mac_of(up.link), their_mac);
    EXPECT_EQ(give(ethernet(packet(v4{.to = ipv4(192, 0, 2, 2)}, hex("00")), "0800")).why, drop::not_for_us);
    EXPECT_EQ(give(ethernet(packet(v4{}, hex("00")), "0800", third_mac)).why, drop::not_for_us)
        << "a switch that floods";
    EXPECT_EQ(give(ethernet(packet(v4{}, hex("00")), "0800", broadcast_mac)).why, drop::bad_source)
        << "TCP by broadcast";
    EXPECT_EQ(give(ethernet(packet(v4{.from = our_ip}, hex("00")), "0800")).why, drop::bad_source) << "from ourselves";
    EXPECT_EQ(give(ethernet(packet(v4{.from = ipv4(255, 255, 255, 255)}, hex("00")), "0800")).why, drop::bad_source);
    EXPECT_EQ(give(ethernet(packet(v4{}, hex("00")), "0800", our_mac, broadcast_mac)).why, drop::bad_source);
    EXPECT_EQ(give(ethernet(packet(v4{.protocol = 17}, hex("00")), "0800")).is, what::other) << "the kernel's";
    EXPECT_EQ(give(ethernet(hex("00"), "88cc")).is, what::other) << "LLDP";
    EXPECT_TRUE(sent.frames.empty());
    EXPECT_EQ(port->counts().segments.value(), 1U);
}

TEST_F(interface_test, the_short_way_takes_what_the_long_way_would_and_no_more) {
    settle();
    interface::usual_packet seen;
    bytes last;  // what `seen` points into
    const auto usual = [&](bytes frame) {
        last = std::move(frame);
        return port->usual(last, checked::no, seen);
    };
    ASSERT_TRUE(usual(ethernet(join({packet(v4{}, hex("0102")), hex("0000")}), "0800")))
        << "with a short frame's padding";
    EXPECT_EQ(seen.from, their_ip);
    EXPECT_EQ(seen.to, our_ip);
    EXPECT_EQ(of(seen.payload), hex("0102"));
    EXPECT_EQ(mac_of(seen.link), their_mac);
    ASSERT_TRUE(usual(ethernet(packet(v6{}, hex("0102")), "86dd")));
    EXPECT_EQ(seen.from, their_ip6);
    EXPECT_EQ(of(seen.payload), hex("0102"));
    EXPECT_EQ(port->counts().segments.value(), 2U);

    bytes broken = ethernet(packet(v4{}, hex("0102")), "0800");
    broken[24] ^= 1U;
    EXPECT_FALSE(usual(broken)) << "the header's checksum";
    EXPECT_TRUE(port->usual(broken, checked::yes, seen)) << "which the NIC answers for";
    EXPECT_FALSE(usual(ethernet(packet(v4{.fragment = 0x2000}, hex("00")), "0800")));
    EXPECT_FALSE(usual(ethernet(packet(v4{.options = hex("01010101")}, hex("00")), "0800")));
    EXPECT_FALSE(usual(ethernet(packet(v4{.protocol = 17}, hex("00")), "0800")));
    EXPECT_FALSE(usual(ethernet(packet(v4{.from = our_ip}, hex("00")), "0800")));
    EXPECT_FALSE(usual(ethernet(packet(v4{.from = ipv4(224, 0, 0, 1)}, hex("00")), "0800")));
    EXPECT_FALSE(usual(ethernet(packet(v4{.to = ipv4(192, 0, 2, 2)}, hex("00")), "0800")));
    EXPECT_FALSE(usual(ethernet(packet(v4{}, hex("00")), "0800", third_mac)));
    EXPECT_FALSE(usual(ethernet(packet(v4{}, hex("00")), "0800", our_mac, broadcast_mac)));
    EXPECT_FALSE(usual(ethernet(packet(v4{}, hex("00")), "8100 002a 0800"))) << "of another VLAN";
    const bytes whole = ethernet(packet(v6{}, hex("0102")), "86dd");
    for (std::size_t n = 0; n < whole.size(); ++n) {
        EXPECT_FALSE(usual(bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)))) << n;
    }

    interface_settings tagged = both_families();
    tagged.vlan = 42;
    settle(tagged);
    EXPECT_TRUE(usual(ethernet(packet(v4{}, hex("0102")), "8100 002a 0800")));
    EXPECT_EQ(of(seen.payload), hex("0102"));
    EXPECT_FALSE(usual(ethernet(packet(v4{}, hex("0102")), "0800")));
}

TEST_F(interface_test, tags_of_its_vlan_alone) {
    interface_settings s = both_families();
    s.vlan = 42;
    settle(s);
    const bytes payload = arp(true, their_mac, their_ip, {}, our_ip);
    EXPECT_EQ(give(ethernet(payload, "0806")).why, drop::other_vlan);
    EXPECT_EQ(give(ethernet(payload, "8100 002b 0806")).why, drop::other_vlan);
    give(ethernet(payload, "8100 002a 0806"));
    EXPECT_EQ(sent.take(),
              ethernet(arp(false, our_mac, our_ip, their_mac, their_ip), "8100 002a 0806", their_mac, our_mac));
}

TEST_F(interface_test, a_smaller_path_mtu_is_told_with_what_it_quotes) {
    settle();
    const bytes ours = packet(v4{.from = our_ip, .to = far_ip}, hex("0019 c001 11223344 5566"));
    const bytes too_big = join({hex("03 04 0000 0000 0500"), ours});
    const auto told = give(ethernet(packet(v4{.protocol = 1}, icmp4(too_big)), "0800"));
    ASSERT_EQ(told.is, what::path_mtu);
    EXPECT_EQ(told.path.next_mtu, 1280);
    EXPECT_EQ(told.path.quoted.to, far_ip);
    EXPECT_EQ(told.path.quoted.size, ours.size());
    const bytes not_ours = packet(v4{.from = their_ip, .to = far_ip}, hex("0019 c001 11223344"));
    EXPECT_EQ(
        give(ethernet(packet(v4{.protocol = 1}, icmp4(join({hex("03 04 0000 0000 0500"), not_ours}))), "0800")).is,
        what::other);
    EXPECT_EQ(give(ethernet(packet(v4{.protocol = 1}, icmp4(join({hex("03 03 0000 0000 0000"), ours}))), "0800")).is,
              what::other);
    const v6 fields{.next = 58};
    const bytes ours6 = packet(v6{.from = our_ip6, .to = their_ip6}, hex("0019 c001 11223344"));
    const auto told6 = give(ethernet(packet(fields, icmp6(fields, join({hex("02 00 0000 00010000"), ours6}))), "86dd"));
    ASSERT_EQ(told6.is, what::path_mtu);
    EXPECT_EQ(told6.path.next_mtu, 65535) << "more than a packet can have";
}

TEST_F(interface_test, headers_go_to_the_last_sender_to_a_known_host_or_to_the_gateway) {
    interface_settings s = both_families();
    s.gateways = {ipv4(192, 0, 2, 254)};
    settle(s);
    bytes room(64);
    EXPECT_EQ(port->write_headers(room, our_ip, far_ip, 0, protocol::tcp, 20), 0U) << "the gateway is not known yet";
    const std::size_t size = port->write_headers(room, our_ip, far_ip, link_of(third_mac), protocol::tcp, 0);
    ASSERT_EQ(size, 34U);
    EXPECT_EQ(bytes(room.begin(), room.begin() + 14), ethernet({}, "0800", third_mac, our_mac));
    EXPECT_TRUE(read_ipv4(octets(room).subspan(14, 20)));
    give(ethernet(arp(false, their_mac, ipv4(192, 0, 2, 254), our_mac, our_ip), "0806"));
    ASSERT_EQ(port->write_headers(room, our_ip, far_ip, 0, protocol::tcp, 20), 34U);
    EXPECT_EQ(bytes(room.begin(), room.begin() + 6), of(their_mac));
    EXPECT_TRUE(port->gateways_reachable());
    EXPECT_EQ(port->write_headers(room, our_ip, their_ip, 0, protocol::tcp, 20), 0U) << "on the link, and not heard of";
    give(ethernet(arp(true, third_mac, their_ip, {}, our_ip), "0806", broadcast_mac, third_mac));
    ASSERT_EQ(port->write_headers(room, our_ip, their_ip, 0, protocol::tcp, 20), 34U);
    EXPECT_EQ(bytes(room.begin(), room.begin() + 6), of(third_mac));
    EXPECT_EQ(port->write_headers(room, our_ip6, their_ip6, link_of(their_mac), protocol::tcp, 20), 54U);
    EXPECT_EQ(port->write_headers(std::span(room).first(33), our_ip, far_ip, 0, protocol::tcp, 20), 0U);
}

TEST_F(interface_test, asks_for_its_gateways_from_an_address_of_theirs) {
    interface_settings s = both_families();
    s.gateways = {ipv4(192, 0, 2, 254), their_ip6};
    settle(s);
    now += seconds(1);
    port->tick(now);
    ASSERT_EQ(sent.frames.size(), 2U);
    EXPECT_EQ(sent.take(),
              ethernet(arp(true, our_mac, our_ip, {}, ipv4(192, 0, 2, 254)), "0806", broadcast_mac, our_mac));
    const ip_address group = solicited_node(their_ip6);
    const v6 fields{.from = our_ip6, .to = group, .next = 58, .hop_limit = 255};
    EXPECT_EQ(sent.take(), ethernet(packet(fields, icmp6(fields, join({hex("87 00 0000 00000000"), of(their_ip6),
                                                                       hex("01 01"), of(our_mac)}))),
                                    "86dd", multicast_mac(group), our_mac));
    const v6 answered{.from = their_ip6, .to = our_ip6, .next = 58, .hop_limit = 255};
    const auto seen = give(ethernet(packet(answered, icmp6(answered, join({hex("88 00 0000 c0000000"), of(their_ip6),
                                                                           hex("02 01"), of(their_mac)}))),
                                    "86dd"));
    EXPECT_TRUE(seen.for_kernel_too);
    bytes room(64);
    EXPECT_EQ(port->write_headers(room, our_ip6, {0x20, 0x01, 0x0d, 0xb9}, 0, protocol::tcp, 20), 54U);
    EXPECT_EQ(bytes(room.begin(), room.begin() + 6), of(their_mac));
}

TEST_F(interface_test, announces_itself_again_when_the_link_came_back) {
    interface_settings s = both_families();
    s.gateways = {ipv4(192, 0, 2, 254)};
    settle(s);
    give(ethernet(arp(false, third_mac, ipv4(192, 0, 2, 254), our_mac, our_ip), "0806"));
    port->tick(now);
    EXPECT_TRUE(sent.frames.empty());
    port->link_came_up(now);
    EXPECT_EQ(port->next_timer(), now);
    port->tick(now);
    const bytes gratuitous = ethernet(arp(true, our_mac, our_ip, {}, our_ip), "0806", broadcast_mac, our_mac);
    EXPECT_EQ(sent.take(), gratuitous);
    unsigned six = 0;
    bool asked = false;
    for (const bytes& frame : sent.frames) {
        six += frame[12] == 0x86 && frame[13] == 0xdd;
        asked |=
            frame == ethernet(arp(true, our_mac, our_ip, third_mac, ipv4(192, 0, 2, 254)), "0806", third_mac, our_mac);
    }
    EXPECT_EQ(six, 3U) << "an advertisement for each IPv6 address, and a report of groups";
    EXPECT_TRUE(asked) << "whether the gateway is still there";
    sent.frames.clear();
    port->tick(now + seconds(2));
    EXPECT_EQ(sent.take(), gratuitous) << "twice, as at the start";
}

/// A second interface, for segments, beside a settled one.
class following_test : public interface_test {
protected:
    void follow() { second->follow(port->view()); }
    bool takes_segments_to(const ip_address& ip) {
        const bytes frame = is_ipv4(ip) ? ethernet(packet(v4{.to = ip}, bytes(20, 0)), "0800")
                                        : ethernet(packet(v6{.to = ip}, bytes(20, 0)), "86dd");
        return second->input(frame, now).is == what::segment;
    }
    kept_frames quiet;
    std::optional<interface> second;
};

TEST_F(following_test, it_says_nothing_and_waits_for_nothing) {
    interface_settings s = both_families();
    s.gateways = {their_ip, their_ip6};
    second.emplace(s, quiet, now, interface::part::segments);
    EXPECT_EQ(second->next_timer(), shard::never);
    for (int i = 0; i < 60; ++i) {
        second->tick(now += seconds(1));
    }
    EXPECT_TRUE(quiet.frames.empty());
}

TEST_F(following_test, an_ipv6_address_is_in_use_when_the_first_says_so) {
    port.emplace(both_families(), sent, now);
    second.emplace(both_families(), quiet, now, interface::part::segments);
    port->tick(now);
    follow();
    EXPECT_TRUE(takes_segments_to(our_ip));
    EXPECT_FALSE(takes_segments_to(our_ip6)) << "in detection";
    const std::uint64_t version = port->version();
    port->tick(now += seconds(1));
    EXPECT_GT(port->version(), version);
    follow();
    EXPECT_TRUE(takes_segments_to(our_ip6));
}

TEST_F(following_test, it_knows_the_neighbours_and_gateways_of_the_first) {
    interface_settings s = both_families();
    s.gateways = {ipv4(192, 0, 2, 254)};
    settle(s);
    second.emplace(s, quiet, now, interface::part::segments);
    std::array<std::uint8_t, 64> room{};
    const auto reaches = [&](const ip_address& to) {
        return second->write_headers(room, our_ip, to, 0, protocol::tcp, 20) != 0;
    };
    follow();
    EXPECT_FALSE(reaches(their_ip));
    const std::uint64_t version = port->version();
    give(ethernet(arp(true, their_mac, their_ip, {}, our_ip), "0806", broadcast_mac));
    EXPECT_GT(port->version(), version);
    follow();
    EXPECT_TRUE(reaches(their_ip));
    EXPECT_EQ(bytes(room.begin(), room.begin() + 6), of(their_mac));
    EXPECT_FALSE(reaches(far_ip));
    give(ethernet(arp(false, third_mac, ipv4(192, 0, 2, 254), our_mac, our_ip), "0806"));
    follow();
    EXPECT_TRUE(reaches(far_ip));
    EXPECT_EQ(bytes(room.begin(), room.begin() + 6), of(third_mac));
    // The same word again is no news.
    const std::uint64_t settled = port->version();
    give(ethernet(arp(true, their_mac, their_ip, {}, our_ip), "0806", broadcast_mac));
    EXPECT_EQ(port->version(), settled);
}

TEST_F(interface_test, fragments_are_the_kernels_unless_they_are_of_tcp) {
    settle();
    EXPECT_EQ(give(ethernet(packet(v4{.protocol = 17, .fragment = 0x2000}, bytes(24, 0)), "0800")).is, what::other);
    EXPECT_EQ(give(ethernet(packet(v4{.protocol = 6, .fragment = 0x2000}, bytes(24, 0)), "0800")).is, what::dropped);
    EXPECT_EQ(give(ethernet(packet(v6{.next = 44}, hex("11 00 00 01 00 00 00 2a 0000")), "86dd")).is, what::other);
    EXPECT_EQ(give(ethernet(packet(v6{.next = 44}, hex("06 00 00 01 00 00 00 2a 0000")), "86dd")).is, what::dropped);
    EXPECT_EQ(dropped(drop::fragment), 4U);
}

}  // namespace
}  // namespace postern::net
