#include "dataplane/net/address_text.h"

#include <gtest/gtest.h>

namespace postern::net {
namespace {

TEST(address_text, reads_ethernet_addresses) {
    EXPECT_EQ(parse_mac("02:00:5e:00:53:aF"), (mac_address{2, 0, 0x5e, 0, 0x53, 0xaf}));
    for (const char* const wrong :
         {"", "02:00:5e:00:53", "02:00:5e:00:53:ag", "02-00-5e-00-53-01", "2:0:5e:0:53:1", "02:00:5e:00:53:011"}) {
        EXPECT_FALSE(parse_mac(wrong)) << wrong;
    }
}

TEST(address_text, reads_an_address_with_its_network) {
    const auto four = parse_own_address("192.0.2.1/24");
    ASSERT_TRUE(four);
    EXPECT_EQ(four->ip, ipv4(192, 0, 2, 1));
    EXPECT_EQ(four->prefix, 24);
    EXPECT_EQ(parse_own_address("2001:db8::1/128")->prefix, 128);
    for (const char* const wrong : {"", "192.0.2.1", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/-1", "192.0.2.1/24x",
                                    "192.0.2/24", "2001:db8::1/129", "/24"}) {
        EXPECT_FALSE(parse_own_address(wrong)) << wrong;
    }
}

}  // namespace
}  // namespace postern::net
