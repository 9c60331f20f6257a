#include "board/process/egress.h"

#include <gtest/gtest.h>

namespace postern::process {
namespace {

egress_policy policy_of(std::string_view text) {
    settings_file file(text, "c.toml");
    egress_policy out;
    read_egress(file.root().table("egress"), out);
    const auto errors = file.finish();
    EXPECT_TRUE(errors.empty()) << errors.front();
    return out;
}

TEST(egress, machines_own_and_clouds_addresses_are_denied_unless_set_otherwise) {
    const egress_policy policy;
    for (const char* each : {"127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "100.100.100.200", "224.0.0.1",
                             "255.255.255.255", "::1", "::", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "ff02::1",
                             "fd00:ec2::254", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"}) {
        EXPECT_FALSE(policy.allows(each)) << each;
    }
    for (const char* each : {"192.0.2.1", "10.1.2.3", "192.168.1.1", "2001:db8::1", "fd12::1", "64:ff9b::c000:201"}) {
        EXPECT_TRUE(policy.allows(each)) << each;
    }
}

TEST(egress, what_is_no_address_is_denied) {
    const egress_policy policy;
    for (const char* each : {"", "localhost", "1.2.3", "1.2.3.4.5", "2001:db8::1::1", "0x7f.1"}) {
        EXPECT_FALSE(policy.allows(each)) << each;
    }
}

TEST(egress, the_longest_network_decides_whatever_the_order) {
    const auto policy =
        policy_of("[egress]\nallowed = [\"10.1.0.0/16\", \"127.0.0.1\"]\ndenied = [\"10.0.0.0/8\", \"10.1.9.0/24\"]\n");
    EXPECT_TRUE(policy.allows("10.1.2.3"));
    EXPECT_FALSE(policy.allows("10.2.2.3"));
    EXPECT_FALSE(policy.allows("10.1.9.3"));
    EXPECT_TRUE(policy.allows("127.0.0.1"));
    EXPECT_FALSE(policy.allows("127.0.0.2"));
}

TEST(egress, the_operator_opens_a_built_in_network) {
    const auto policy = policy_of("[egress]\nallowed = [\"127.0.0.0/8\", \"::1\"]\n");
    EXPECT_TRUE(policy.allows("127.0.0.2"));
    EXPECT_TRUE(policy.allows("::1"));
    EXPECT_FALSE(policy.allows("169.254.169.254"));
}

TEST(egress, all_but_a_few_can_be_denied_and_ipv6_apart_from_ipv4) {
    const auto closed = policy_of("[egress]\nallowed = [\"192.0.2.0/24\"]\ndenied = [\"0.0.0.0/0\", \"::/0\"]\n");
    EXPECT_TRUE(closed.allows("192.0.2.9"));
    EXPECT_FALSE(closed.allows("192.0.3.9"));
    EXPECT_FALSE(closed.allows("2001:db8::1"));
    const auto only_four = policy_of("[egress]\ndenied = [\"::/0\"]\n");
    EXPECT_TRUE(only_four.allows("192.0.2.9"));
    EXPECT_FALSE(only_four.allows("2001:db8::1"));
}

TEST(egress, networks_that_are_none_and_those_that_are_there_twice_are_errors) {
    settings_file file(
        "[egress]\nallowed = [\"10.0.0.1/8\", \"10.0.0.0/33\", \"x\", \"1.2.3.4\"]\ndenied = [\"1.2.3.4/32\"]\n",
        "c.toml");
    egress_policy out;
    read_egress(file.root().table("egress"), out);
    const auto errors = file.finish();
    ASSERT_EQ(errors.size(), 4U);
    EXPECT_NE(errors[0].find("10.0.0.1/8"), std::string::npos);
    EXPECT_NE(errors[3].find("twice"), std::string::npos);
}

}  // namespace
}  // namespace postern::process
