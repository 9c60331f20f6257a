#include "board/profiles/edge_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "board/process/files.h"
#include "board/profiles/device_name.h"

namespace postern::profiles {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

edge_part some_part() {
    edge_part out;
    out.dpdk = true;
    out.shards = 3;
    out.cores = "1-3";
    out.device = "0000:00:04.0";
    out.memory_mib = 224;
    out.descriptors = 256;
    out.busy = true;
    return out;
}

edge_keys some_keys() {
    return keys_of(some_part(), "", {"192.0.2.1/24"}, {"192.0.2.254"});
}

TEST(edge_text, the_part_reads_back_as_it_was_meant) {
    const auto read = parse_edge_part(section_text(some_keys()), "edge.toml");
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->dpdk && read->busy && read->offload_checksums);
    EXPECT_EQ(read->shards, 3U);
    EXPECT_EQ(read->cores, "1-3");
    EXPECT_EQ(read->device, "0000:00:04.0");
    EXPECT_EQ(read->memory_mib, 224U);
    EXPECT_EQ(read->descriptors, 256U);
    EXPECT_THAT(read->addresses, ElementsAre("192.0.2.1/24"));
}

TEST(edge_text, keys_are_set_where_they_stand_and_comments_stay) {
    const std::string before =
        "# mine\n[edge]\nname = \"mx\"  # its name\nshards = 1   # one\ntransport = \"sockets\"\n\n[port]\n"
        "memory_mib = 64 # small\nvlan = 5\n\n[[listener]]\naddress = \"192.0.2.1\"\n";
    const auto after = with_keys(before, some_keys(), "edge.toml");
    ASSERT_TRUE(after) << after.error();
    EXPECT_EQ(
        *after,
        "# mine\n[edge]\ncores = \"1-3\"\nname = \"mx\"  # its name\nshards = 3   # one\ntransport = "
        "\"dpdk\"\n\n[port]\n"
        "device = \"0000:00:04.0\"\naddresses = [\"192.0.2.1/24\"]\ngateways = [\"192.0.2.254\"]\ndescriptors = 256\n"
        "offload_checksums = true\nidle = \"busy\"\nmemory_mib = 224 # small\nvlan = 5\n\n[[listener]]\naddress = "
        "\"192.0.2.1\"\n");
}

TEST(edge_text, a_second_time_changes_nothing) {
    const auto once = with_keys("[edge]\n", some_keys(), "edge.toml");
    ASSERT_TRUE(once);
    EXPECT_EQ(*with_keys(*once, some_keys(), "edge.toml"), *once);
}

TEST(edge_text, missing_sections_are_added_at_the_end) {
    const auto after = with_keys("[[listener]]\naddress = \"::\"", some_keys(), "edge.toml");
    ASSERT_TRUE(after);
    EXPECT_THAT(*after, HasSubstr("[[listener]]\naddress = \"::\"\n\n[edge]\ntransport = \"dpdk\""));
}

TEST(edge_text, the_sample_takes_a_profile) {
    const std::string sample = *process::read_file(POSTERN_SOURCE_DIR "/dataplane/edge/edge.toml", 1 << 20);
    const auto after = with_keys(sample, some_keys(), "edge.toml");
    ASSERT_TRUE(after) << after.error();
    EXPECT_THAT(*after, HasSubstr("# The edge socket: commands for people"));
}

TEST(edge_text, what_can_not_be_changed_by_lines_is_refused_with_the_lines_to_put_in) {
    for (const char* const text : {"edge = { shards = 1 }\n", "[edge]\nname = \"\"\"\n[port]\n\"\"\"\nshards = 1\n",
                                   "[edge\n", "edge.shards = 1\n", "[port]\naddresses = [\n\"192.0.2.1/24\",\n]\n"}) {
        const auto after = with_keys(text, some_keys(), "edge.toml");
        ASSERT_FALSE(after) << text << "became\n" << *after;
        EXPECT_THAT(after.error(), HasSubstr("edge.toml can't be changed line by line"));
        EXPECT_THAT(after.error(), HasSubstr("memory_mib = 224"));
    }
}

TEST(edge_part, wrong_values_are_told_and_other_keys_are_not_its_business) {
    const auto good = parse_edge_part("[edge]\nevents = 5\n[relay]\nthreads = 2\n", "edge.toml");
    ASSERT_TRUE(good);
    EXPECT_FALSE(good->dpdk);
    const auto bad = parse_edge_part("[edge]\ntransport = \"udp\"\ncores = \"5-2\"\n", "edge.toml");
    ASSERT_FALSE(bad);
    EXPECT_THAT(bad.error(), ElementsAre(HasSubstr("edge.toml:2: edge.transport = \"udp\""), HasSubstr("2-5")));
}

TEST(edge_part, shards_follow_number_cores_and_machine) {
    edge_part part;
    EXPECT_EQ(shard_count(part, 8), 8U);
    part.cores = "2-4";
    EXPECT_EQ(shard_count(part, 8), 3U);
    part.shards = 2;
    EXPECT_EQ(shard_count(part, 8), 2U);
}

TEST(device_name, driver_and_arguments_are_told_apart) {
    const device_name tap = parse_device("net_tap0,iface=postern0,mac=fixed");
    EXPECT_EQ(tap.name, "net_tap0");
    EXPECT_EQ(tap.pmd, "tap");
    EXPECT_FALSE(tap.pci);
    EXPECT_EQ(tap.argument("iface"), "postern0");
    EXPECT_EQ(tap.argument("mac"), "fixed");
    EXPECT_FALSE(tap.argument("ifac"));
    EXPECT_EQ(parse_device("net_af_packet1,iface=eth1").pmd, "af_packet");
    EXPECT_EQ(parse_device("virtio_user0").pmd, "virtio");
    EXPECT_TRUE(parse_device("0000:00:04.0,mq=1").pci);
    EXPECT_EQ(parse_device("").name, "");
}

}  // namespace
}  // namespace postern::profiles
