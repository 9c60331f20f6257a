// Receive-side scaling read back from a device: net_null keeps key and table as a NIC does. The environment is that of
// tap_test.cc, which is started once for the program.
#include "dataplane/port/rss.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/dataplane/port/rig.h"

namespace postern::port {
namespace {

class rss_test : public ::testing::Test {
protected:
    void SetUp() override {
        if (!rig::one().fault.empty()) {
            GTEST_SKIP() << rig::one().fault;
        }
    }
    /// Each once: a closed port is gone.
    static std::unique_ptr<device> open(const char* name, std::uint16_t shards, std::uint16_t queues) {
        device_settings settings;
        settings.name = name;
        settings.shards = shards;
        settings.queues = queues;
        settings.descriptors = 64;
        auto opened = device::open(settings);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error());
        return opened ? std::move(*opened) : nullptr;
    }
};

TEST_F(rss_test, a_device_that_spreads_says_whose_a_connection_is) {
    const auto port = open("net_null0", 3, 0);
    ASSERT_TRUE(port);
    EXPECT_EQ(port->queues(), 3);
    const steering::rules& rules = port->owners();
    EXPECT_TRUE(rules.of_device);
    std::array<std::uint8_t, toeplitz::key_octets> key{};
    rte_eth_rss_conf conf{};
    conf.rss_key = key.data();
    conf.rss_key_len = key.size();
    ASSERT_EQ(rte_eth_dev_rss_hash_conf_get(port->number(), &conf), 0);
    EXPECT_EQ(rules.key, key);
    EXPECT_NE(key, (std::array<std::uint8_t, toeplitz::key_octets>{})) << "drawn at random";
    EXPECT_NE(std::pair(key[0], key[1]), std::pair(key[2], key[3])) << "not the symmetric one";
    EXPECT_EQ(rules.table.size(), 128U);
    EXPECT_EQ(rules.ipv4,
              (conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV4_TCP) != 0 ? steering::input::tuple : steering::input::addresses);
    for (std::size_t i = 0; i < rules.table.size(); ++i) {
        EXPECT_EQ(rules.table[i], i % 3);
    }
}

TEST_F(rss_test, the_key_is_another_one_each_time) {
    std::array<std::array<std::uint8_t, toeplitz::key_octets>, 2> keys{};
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto port = open(i == 0 ? "net_null2" : "net_null3", 2, 2);
        ASSERT_TRUE(port);
        keys[i] = port->owners().key;
    }
    EXPECT_NE(keys[0], keys[1]);
}

TEST_F(rss_test, with_fewer_queues_than_shards_the_rules_are_our_own) {
    const auto port = open("net_null1", 3, 2);
    ASSERT_TRUE(port);
    EXPECT_EQ(port->queues(), 2);
    EXPECT_FALSE(port->owners().of_device);
    EXPECT_EQ(std::count(port->owners().table.begin(), port->owners().table.end(), 2), 42) << "every third of 128";
}

}  // namespace
}  // namespace postern::port
