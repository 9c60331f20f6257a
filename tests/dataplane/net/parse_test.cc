// Frames and packets apart: what is taken, and that everything short, bent or foreign is refused for its reason.
#include <gtest/gtest.h>

#include "dataplane/net/checksum.h"
#include "tests/dataplane/net/frames.h"

namespace postern::net {
namespace {

using namespace testing;

/// On the heap and of its exact size, so that reading beyond it is seen.
template <class Read>
auto exactly(const bytes& text, Read read) {
    const std::vector<std::uint8_t> copy(text);  // NOLINT(performance-unnecessary-copy-initialization)
    return read(octets(copy));
}

drop why4(const bytes& text) {
    return exactly(text, [](octets o) {
        const auto read = read_ipv4(o);
        return read ? drop::count : read.error();
    });
}
drop why6(const bytes& text) {
    return exactly(text, [](octets o) {
        const auto read = read_ipv6(o);
        return read ? drop::count : read.error();
    });
}

TEST(checksum_test, the_example_of_rfc_1071) {
    EXPECT_EQ(checksum(hex("0001 f203 f4f5 f6f7")), 0x220d);
}

TEST(checksum_test, agrees_with_the_plain_way_at_every_length) {
    bytes text;
    for (unsigned i = 0; i < 300; ++i) {
        EXPECT_EQ(checksum(text), plain_checksum(text)) << i;
        text.push_back(static_cast<std::uint8_t>(i * 37 + (i >> 3U)));
    }
    EXPECT_EQ(checksum(bytes(70000, 0xff)), 0);
}

TEST(address_test, networks) {
    EXPECT_TRUE(same_network(ipv4(10, 1, 2, 3), ipv4(10, 1, 3, 255), 23));
    EXPECT_FALSE(same_network(ipv4(10, 1, 2, 3), ipv4(10, 1, 4, 0), 23));
    EXPECT_TRUE(same_network(ipv4(10, 1, 2, 3), ipv4(10, 1, 2, 3), 32));
    EXPECT_FALSE(same_network(ipv4(10, 1, 2, 3), ipv4(10, 1, 2, 2), 32));
    EXPECT_TRUE(same_network(our_ip6, their_ip6, 64));
    EXPECT_FALSE(same_network(our_ip6, their_ip6, 128));
    EXPECT_FALSE(same_network(our_ip, our_ip6, 0));
    EXPECT_TRUE(same_network(our_ip, far_ip, 0));
}

TEST(address_test, a_link_is_a_mac_as_a_number) {
    EXPECT_EQ(mac_of(link_of(their_mac)), their_mac);
    EXPECT_EQ(link_of({0x01, 0x02, 0x03, 0x04, 0x05, 0x06}), 0x010203040506U);
    EXPECT_EQ(link_local_of({0x00, 0x11, 0x22, 0x33, 0x44, 0x55}),
              (ip_address{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x02, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55}));
}

TEST(ethernet_test, untagged_tagged_and_short) {
    const bytes untagged = ethernet(hex("aabb"), "0800");
    const auto plain = read_ethernet(untagged);
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->to, our_mac);
    EXPECT_EQ(plain->from, their_mac);
    EXPECT_EQ(plain->vlan, 0);
    EXPECT_EQ(plain->type, ether_type::ipv4);
    EXPECT_EQ(of(plain->payload), hex("aabb"));
    const bytes tagged = ethernet(hex("aabb"), "8100 e02a 86dd");
    const auto read = read_ethernet(tagged);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->vlan, 42);
    EXPECT_EQ(read->type, ether_type::ipv6);
    EXPECT_EQ(of(read->payload), hex("aabb"));
    for (std::size_t n = 0; n < 18; ++n) {
        const bytes cut(tagged.begin(), tagged.begin() + static_cast<std::ptrdiff_t>(n));
        EXPECT_FALSE(exactly(cut, [](octets o) { return read_ethernet(o).has_value(); })) << n;
    }
}

TEST(ipv4_test, fields_and_padding) {
    bytes text = packet(v4{}, hex("0102030405"));
    const std::size_t size = text.size();
    text.resize(46);  // a short frame's padding
    const auto read = read_ipv4(text);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->from, their_ip);
    EXPECT_EQ(read->to, our_ip);
    EXPECT_EQ(read->protocol, protocol::tcp);
    EXPECT_EQ(read->hop_limit, 64);
    EXPECT_EQ(of(read->payload), hex("0102030405"));
    EXPECT_EQ(read->whole.size(), size);
}

TEST(ipv4_test, cut_anywhere_it_is_refused) {
    const bytes text = packet(v4{.options = hex("01010101")}, hex("0102030405"));
    for (std::size_t n = 0; n < text.size(); ++n) {
        EXPECT_NE(why4(bytes(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(n))), drop::count) << n;
    }
    EXPECT_EQ(why4(text), drop::count);
}

TEST(ipv4_test, every_bit_of_the_header_counts) {
    const bytes text = packet(v4{}, hex("0102030405"));
    for (std::size_t bit = 0; bit < 20 * 8; ++bit) {
        bytes bent = text;
        bent[bit / 8] = static_cast<std::uint8_t>(bent[bit / 8] ^ (1U << bit % 8));
        EXPECT_NE(why4(bent), drop::count) << bit;
    }
}

TEST(ipv4_test, a_checksum_that_the_nic_has_verified_is_not_looked_at) {
    bytes text = packet(v4{}, hex("01"));
    text[10] = 0;
    EXPECT_EQ(why4(text), drop::bad_ip_checksum);
    EXPECT_TRUE(read_ipv4(text, checked::yes));
}

TEST(ipv4_test, fragments_and_source_routes) {
    EXPECT_EQ(why4(packet(v4{.fragment = 0x2000}, hex("01"))), drop::fragment);
    EXPECT_EQ(why4(packet(v4{.fragment = 0x0001}, hex("01"))), drop::fragment);
    EXPECT_EQ(why4(packet(v4{.options = hex("83 07 04 0a000001 00")}, hex("01"))), drop::source_routed);
    EXPECT_EQ(why4(packet(v4{.options = hex("01 89 03 04")}, hex("01"))), drop::source_routed);
    EXPECT_EQ(why4(packet(v4{.options = hex("07 00 00 00")}, hex("01"))), drop::bad_ip_header) << "length 0";
    EXPECT_EQ(why4(packet(v4{.options = hex("07 09 00 00")}, hex("01"))), drop::bad_ip_header) << "beyond the header";
    EXPECT_EQ(why4(packet(v4{.options = hex("94 04 00 00")}, hex("01"))), drop::count) << "router alert";
    EXPECT_EQ(why4(packet(v4{.options = hex("00 83 00 00")}, hex("01"))), drop::count) << "behind the end";
}

TEST(ipv6_test, fields_and_extension_headers) {
    const auto plain = read_ipv6(packet(v6{}, hex("0102")));
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->from, their_ip6);
    EXPECT_EQ(plain->protocol, protocol::tcp);
    const std::string eight = " 00 00 00 00 00 00";
    const bytes chain = join({hex("3c 00" + eight), hex("2c 00" + eight), hex("06 00 00 00 00 00 00 2a"), hex("abcd")});
    const bytes text = packet(v6{.next = 0}, chain);
    const auto walked = read_ipv6(text);
    ASSERT_TRUE(walked);
    EXPECT_EQ(walked->protocol, protocol::tcp);
    EXPECT_EQ(of(walked->payload), hex("abcd")) << "an atomic fragment is whole";
    for (std::size_t n = 0; n < text.size(); ++n) {
        EXPECT_NE(why6(bytes(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(n))), drop::count) << n;
    }
}

TEST(ipv6_test, what_is_refused) {
    const std::string eight = " 00 00 00 00 00 00";
    EXPECT_EQ(why6(packet(v6{.next = 44}, hex("06 00 00 01 00 00 00 2a"))), drop::fragment) << "more to come";
    EXPECT_EQ(why6(packet(v6{.next = 44}, hex("06 00 00 08 00 00 00 2a"))), drop::fragment) << "a later one";
    EXPECT_EQ(why6(packet(v6{.next = 43}, hex("06 00 00 01 00 00 00 00"))), drop::source_routed);
    EXPECT_EQ(why6(packet(v6{.next = 43}, hex("06 00 00 00 00 00 00 00"))), drop::count) << "no segments left";
    EXPECT_EQ(why6(packet(v6{.next = 60}, join({hex("00 00" + eight), hex("06 00" + eight)}))), drop::bad_extension)
        << "hop-by-hop options not first";
    bytes many;
    for (int i = 0; i < 5; ++i) {
        many = join({many, hex("3c 00" + eight)});
    }
    EXPECT_EQ(why6(packet(v6{.next = 60}, many)), drop::bad_extension);
    EXPECT_EQ(why6(packet(v6{.next = 60}, join({hex("06 20"), bytes(300, 0)}))), drop::bad_extension) << "too long";
    EXPECT_EQ(why6(packet(v6{.from = their_ip}, hex("01"))), drop::bad_source) << "a mapped IPv4 address";
    bytes version = packet(v6{}, hex("01"));
    version[0] = 0x50;
    EXPECT_EQ(why6(version), drop::bad_ip_header);
}

TEST(quoted_test, ports_and_size_of_what_we_sent) {
    const bytes ours = packet(v4{.from = our_ip, .to = far_ip}, hex("0019 c001 11223344 5566"));
    const auto read = read_quoted(octets(ours).first(28));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->from, our_ip);
    EXPECT_EQ(read->to, far_ip);
    EXPECT_EQ(read->size, ours.size());
    EXPECT_EQ(of(read->payload), hex("0019 c001 11223344"));
    for (std::size_t n = 0; n < 28; ++n) {
        EXPECT_FALSE(exactly(bytes(ours.begin(), ours.begin() + static_cast<std::ptrdiff_t>(n)), [](octets o) {
            return read_quoted(o).has_value();
        })) << n;
    }
    EXPECT_FALSE(read_quoted(packet(v4{.from = our_ip, .fragment = 0x0001}, bytes(8, 0))));
    const auto six = read_quoted(packet(v6{.from = our_ip6, .to = their_ip6}, bytes(8, 1)));
    ASSERT_TRUE(six);
    EXPECT_EQ(six->size, 48);
}

TEST(write_test, headers_are_read_back_and_have_the_form_of_their_rfc) {
    bytes room(64);
    writer out(room);
    write_ip(out, our_ip, far_ip, protocol::tcp, 64, 8);
    EXPECT_EQ(of(out.from(0)), hex("4500 001c 0000 4000 4006 4ea0 c0000201 c6336407"));
    out.zeros(8);
    ASSERT_TRUE(read_ipv4(out.from(0)));
    writer six(room);
    write_ip(six, our_ip6, their_ip6, protocol::tcp, 64, 4);
    six.zeros(4);
    EXPECT_EQ(of(six.from(0)), packet(v6{.from = our_ip6, .to = their_ip6}, bytes(4, 0)));
    bytes small(19);
    writer cut(small);
    write_ip(cut, our_ip, far_ip, protocol::tcp, 64, 8);
    EXPECT_EQ(cut.size(), 0U);
}

}  // namespace
}  // namespace postern::net
