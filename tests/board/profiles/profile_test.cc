#include "board/profiles/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/board/machine/recorded_machine.h"

namespace postern::profiles {
namespace {

using machine::recorded_machine;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

profile installed(const std::string& name) {
    const auto all = read_profiles(POSTERN_SOURCE_DIR "/board/profiles");
    EXPECT_TRUE(all) << all.error().front();
    for (const profile& each : *all) {
        if (each.name == name) {
            return each;
        }
    }
    ADD_FAILURE() << "no profile " << name;
    return {};
}

profile for_e1000() {
    profile out = installed("virtio-vm");
    out.ids = {"8086:10d3"};
    return out;
}

TEST(profile, the_virtio_profile_takes_the_nic_that_the_machine_can_spare) {
    const auto seen = recorded_machine("virtio_vm").look();
    const profile virtio = installed("virtio-vm");
    EXPECT_THAT(devices_for(virtio, seen), ElementsAre("0000:00:02.0", "0000:00:01.0"))
        << "the one with the default route is the last choice";
    const auto plan = plan_for(virtio, seen, "");
    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->dpdk);
    EXPECT_EQ(plan->device, "0000:00:02.0");
    EXPECT_EQ(plan->shards, 1U) << "two CPUs, one of them left to the kernel";
    EXPECT_EQ(plan->cores, "1");
    EXPECT_EQ(plan->memory_mib, 160U);
    EXPECT_EQ(plan->descriptors, 256U);
    EXPECT_EQ(plan_for(virtio, seen, "0000:00:01.0")->device, "0000:00:01.0");
}

TEST(profile, there_are_no_more_shards_than_the_device_has_queues) {
    const auto seen = recorded_machine("two_sockets").look();
    EXPECT_EQ(plan_for(for_e1000(), seen, "0000:41:00.0")->shards, 1U);
    EXPECT_EQ(plan_for(for_e1000(), seen, "0000:41:00.0")->cores, "3");
}

TEST(profile, cores_are_those_of_the_devices_node) {
    const auto seen = recorded_machine("two_sockets_vfio").look();
    const auto plan = plan_for(for_e1000(), seen, "0000:41:00.0");
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->shards, 3U);
    EXPECT_EQ(plan->cores, "1-3") << "two of its node, and one more";
    profile two = for_e1000();
    two.most_queues = 2;
    EXPECT_EQ(plan_for(two, seen, "0000:41:00.0")->cores, "2-3");
}

TEST(profile, isolated_cpus_come_first) {
    recorded_machine changed("two_sockets");
    changed.write("sys/devices/system/cpu/isolated", "1\n");
    profile one = for_e1000();
    one.most_queues = 1;
    EXPECT_EQ(plan_for(one, changed.look(), "0000:00:01.0")->cores, "1");
}

TEST(profile, the_development_profile_is_a_tap_device) {
    const auto seen = recorded_machine("two_sockets_vfio").look();
    const profile development = installed("development");
    const auto plan = plan_for(development, seen, "");
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->device, "net_tap0,iface=postern0");
    EXPECT_EQ(development.mac, "02:00:00:00:00:01");
    EXPECT_EQ(plan->cores, "");
}

TEST(profile, a_machine_without_such_a_device_is_told_so) {
    const auto seen = recorded_machine("two_sockets").look();
    EXPECT_THAT(devices_for(installed("virtio-vm"), seen), IsEmpty());
    EXPECT_THAT(plan_for(installed("virtio-vm"), seen, "").error(),
                HasSubstr("no device that the profile 'virtio-vm' is for"));
    EXPECT_THAT(devices_for(installed("development"), recorded_machine("").look()), IsEmpty()) << "no /dev/net/tun";
}

TEST(profile, mistakes_are_told_with_file_line_and_remedy) {
    const auto bad = parse_profile("about = 1\n[device]\n[queues]\nmost = 0\nfew = 1\n", "p.toml", "p");
    ASSERT_FALSE(bad);
    EXPECT_THAT(bad.error(), ElementsAre(HasSubstr("p.toml:1: about = 1"), HasSubstr("either ids"),
                                         HasSubstr("p.toml:4: queues.most = 0"), HasSubstr("p.toml:5: queues.few")));
    EXPECT_THAT(read_profiles("/nonexistent").error(), ElementsAre(HasSubstr("--profiles")));
}

}  // namespace
}  // namespace postern::profiles
