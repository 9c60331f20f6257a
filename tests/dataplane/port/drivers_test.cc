// What single drivers want otherwise than most.
#include "dataplane/port/drivers.h"

#include <gtest/gtest.h>
#include <net/if.h>

namespace postern::port {
namespace {

TEST(drivers, slots_of_af_packet_take_a_large_mtu) {
    EXPECT_EQ(with_driver_arguments("net_af_packet0,iface=eth0", 9000),
              "net_af_packet0,iface=eth0,framesz=9216,blocksz=147456");
    // Blocks are whole pages, whatever the MTU.
    for (unsigned mtu = 1501; mtu <= 9216; ++mtu) {
        const std::string all = with_driver_arguments("net_af_packet0,iface=eth0", static_cast<std::uint16_t>(mtu));
        const std::size_t block = std::stoul(all.substr(all.find("blocksz=") + 8));
        const std::size_t slot = std::stoul(all.substr(all.find("framesz=") + 8));
        ASSERT_EQ(block % 4096, 0U) << all;
        ASSERT_EQ(block % slot, 0U) << all;
        ASSERT_GE(slot, mtu + 100U) << all;
    }
}

TEST(drivers, what_is_given_or_enough_is_left_alone) {
    for (const char* device : {"net_af_packet0,iface=eth0", "net_tap0,iface=postern0", "0000:00:04.0"}) {
        EXPECT_EQ(with_driver_arguments(device, 1500), device);
    }
    EXPECT_EQ(with_driver_arguments("net_tap0,iface=postern0", 9000), "net_tap0,iface=postern0");
    EXPECT_EQ(with_driver_arguments("net_af_packet0,iface=eth0,framesz=16384,blocksz=16384", 9000),
              "net_af_packet0,iface=eth0,framesz=16384,blocksz=16384");
}

TEST(drivers, rings_of_af_xdp_have_their_own_size) {
    EXPECT_EQ(descriptors_in_use("net_af_xdp0,iface=eth0", 1024), 2048);
    EXPECT_EQ(descriptors_in_use("net_af_xdp0,iface=eth0", 4096), 4096);
    EXPECT_EQ(descriptors_in_use("net_tap0,iface=postern0", 1024), 1024);
}

TEST(drivers, an_interface_with_a_smaller_mtu_is_named_with_the_remedy) {
    const unsigned lo = ::if_nametoindex("lo");
    ASSERT_NE(lo, 0U);
    EXPECT_TRUE(kernel_takes_mtu(lo, 9000)) << "lo has 65536";
    const auto gone = kernel_takes_mtu(0, 9000);
    ASSERT_FALSE(gone);
    EXPECT_NE(gone.error().find("gone"), std::string::npos);
    EXPECT_TRUE(mtu_is_the_kernels("net_af_packet", 9000));
    EXPECT_FALSE(mtu_is_the_kernels("net_af_packet", 1500));
    EXPECT_FALSE(mtu_is_the_kernels("net_tap", 9000));
}

}  // namespace
}  // namespace postern::port
