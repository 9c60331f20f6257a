#include "board/machine/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "board/machine/describe.h"
#include "tests/board/machine/recorded_machine.h"

namespace postern::machine {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::SizeIs;

TEST(machine, a_virtual_machine_with_two_virtio_nics) {
    const machine seen = recorded_machine("virtio_vm").look();
    EXPECT_EQ(seen.kernel, "6.1.0-56-amd64");
    EXPECT_TRUE(seen.guest);
    ASSERT_THAT(seen.cpus, SizeIs(2));
    EXPECT_EQ(seen.cpus[1].core, 1U);
    EXPECT_EQ(seen.memory_mib, 958U);
    EXPECT_EQ(seen.available_mib, 852U);
    EXPECT_EQ(seen.transparent_huge_pages, "always");
    EXPECT_THAT(seen.isolated, IsEmpty());
    EXPECT_EQ(seen.iommu_groups, 0U);
    ASSERT_THAT(seen.nodes, SizeIs(1));
    ASSERT_THAT(seen.nodes[0].pages, SizeIs(2));
    EXPECT_EQ(seen.nodes[0].pages[0].kib, 2048U);
    ASSERT_THAT(seen.nics, SizeIs(2));
    const pci_nic& nic = seen.nics[0];
    EXPECT_EQ(nic.bus, "0000:00:01.0");
    EXPECT_EQ(id_text(nic), "1af4:1041");
    EXPECT_EQ(nic.driver, "virtio-pci");
    EXPECT_EQ(nic.pmd, "virtio");
    EXPECT_EQ(nic.node, -1);
    EXPECT_FALSE(nic.dpdk_driver());
    EXPECT_FALSE(nic.iommu_group);
    EXPECT_THAT(nic.interfaces, ElementsAre("eth0"));
    ASSERT_THAT(seen.interfaces, SizeIs(2)) << "lo is none";
    EXPECT_TRUE(seen.interfaces[0].default_route);
    EXPECT_TRUE(seen.interfaces[0].up && seen.interfaces[0].carrier);
    EXPECT_EQ(seen.interfaces[0].address, "52:54:00:12:34:56");
    EXPECT_EQ(seen.interfaces[0].queues, 1U);
    EXPECT_FALSE(seen.interfaces[1].default_route || seen.interfaces[1].up);
    EXPECT_EQ(seen.has.vfio_pci, presence::loadable);
    EXPECT_EQ(seen.has.uio_pci_generic, presence::loadable);
    EXPECT_EQ(seen.has.tun, presence::loadable);
    EXPECT_TRUE(seen.has.af_xdp && seen.has.af_packet && seen.has.hugetlbfs);
    EXPECT_THAT(seen.memlock, Optional(8'388'608U));
    EXPECT_TRUE(seen.has_pmd("virtio"));
    EXPECT_FALSE(seen.has_pmd("i40e"));
}

TEST(machine, two_sockets_with_the_nic_at_the_second) {
    const machine seen = recorded_machine("two_sockets").look();
    ASSERT_THAT(seen.nodes, SizeIs(2));
    EXPECT_THAT(seen.nodes[1].cpus, ElementsAre(2U, 3U));
    EXPECT_THAT(seen.cpus_of(1), ElementsAre(2U, 3U));
    EXPECT_EQ(seen.nodes[1].memory_mib, 960U);
    EXPECT_EQ(seen.cpus[3].package, 1U);
    EXPECT_THAT(seen.iommus, ElementsAre("dmar0"));
    EXPECT_EQ(seen.iommu_groups, 6U);
    const pci_nic* const nic = seen.nic_at("0000:41:00.0");
    ASSERT_NE(nic, nullptr);
    EXPECT_EQ(nic->driver, "e1000e");
    EXPECT_EQ(nic->pmd, "e1000");
    EXPECT_EQ(nic->node, 1);
    EXPECT_THAT(nic->iommu_group, Optional(std::string("5")));
    EXPECT_THAT(nic->group_others, IsEmpty());
    EXPECT_THAT(nic->interfaces, ElementsAre("eth1"));
    EXPECT_EQ(seen.interface_named("eth1")->driver, "e1000e");
}

TEST(machine, a_nic_on_vfio_and_huge_pages_by_node) {
    const machine seen = recorded_machine("two_sockets_vfio").look();
    const pci_nic* const nic = seen.nic_at("0000:41:00.0");
    ASSERT_NE(nic, nullptr);
    EXPECT_TRUE(nic->dpdk_driver());
    EXPECT_THAT(nic->interfaces, IsEmpty());
    EXPECT_EQ(seen.interface_named("eth1"), nullptr);
    EXPECT_EQ(seen.has.vfio_pci, presence::there);
    EXPECT_EQ(seen.has.tun, presence::there);
    EXPECT_EQ(seen.has.vhost_net, presence::there);
    EXPECT_EQ(seen.nodes[0].pages[0].total, 128U);
    EXPECT_EQ(seen.nodes[1].pages[0].free, 256U);
    EXPECT_EQ(seen.free_huge_mib(2048), 768U);
    EXPECT_EQ(seen.total_huge_pages(2048), 384U);
}

TEST(machine, devices_that_share_an_iommu_group_are_named) {
    recorded_machine changed("two_sockets_vfio");
    changed.link("sys/kernel/iommu_groups/5/devices/0000:00:01.0", "../../../../devices/pci0000:00/0000:00:01.0");
    EXPECT_THAT(changed.look().nic_at("0000:41:00.0")->group_others, ElementsAre("0000:00:01.0"));
}

TEST(machine, what_a_machine_lacks_is_empty) {
    const machine seen = recorded_machine("").look();
    EXPECT_THAT(seen.cpus, IsEmpty());
    EXPECT_THAT(seen.nodes, SizeIs(1)) << "a kernel without NUMA is one node";
    EXPECT_THAT(seen.nics, IsEmpty());
    EXPECT_EQ(seen.has.tun, presence::absent);
    EXPECT_FALSE(seen.has.af_xdp);
    EXPECT_FALSE(seen.memlock);
    EXPECT_THAT(as_text(seen), HasSubstr("none installed"));
}

TEST(machine, files_that_hold_nonsense_are_as_good_as_absent) {
    recorded_machine changed("virtio_vm");
    changed.write("sys/devices/system/cpu/online", "many\n");
    changed.write("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "-5\n");
    changed.write("sys/bus/pci/devices/0000:00:01.0/vendor", "0xzz\n");
    changed.write("proc/meminfo", "MemTotal:\nMemAvailable: x kB\n");
    const machine seen = changed.look();
    EXPECT_THAT(seen.cpus, IsEmpty());
    EXPECT_EQ(seen.total_huge_pages(2048), 0U);
    EXPECT_EQ(seen.nics[0].pmd, "");
    EXPECT_EQ(seen.memory_mib, 0U);
}

TEST(machine, isolated_cpus_irqbalance_mounts_and_module_switches) {
    recorded_machine changed("two_sockets");
    changed.write("sys/devices/system/cpu/isolated", "2-3\n");
    changed.write("sys/devices/system/cpu/nohz_full", "2-3\n");
    changed.write("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave\n");
    changed.write("proc/812/comm", "irqbalance\n");
    changed.write("proc/mounts", "none /dev/hugepages hugetlbfs rw 0 0\n");
    changed.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
    changed.write("proc/self/limits", "Max locked memory         unlimited            unlimited            bytes\n");
    changed.write("proc/net/ipv6_route",
                  "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
                  "fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth1\n");
    const machine seen = changed.look();
    EXPECT_THAT(seen.isolated, ElementsAre(2U, 3U));
    EXPECT_THAT(seen.nohz_full, ElementsAre(2U, 3U));
    EXPECT_EQ(seen.cpus[2].governor, "powersave");
    EXPECT_TRUE(seen.irqbalance);
    EXPECT_THAT(seen.hugetlbfs_mounts, ElementsAre("/dev/hugepages"));
    EXPECT_TRUE(seen.has.unsafe_noiommu);
    EXPECT_FALSE(seen.memlock);
    EXPECT_TRUE(seen.interface_named("eth1")->default_route) << "by IPv6";
}

TEST(machine, packages_of_drivers_are_named_as_debian_does) {
    EXPECT_EQ(package_of_pmd("virtio"), "librte-net-virtio23");
    EXPECT_EQ(package_of_pmd("af_xdp"), "librte-net-af-xdp23");
    EXPECT_EQ(package_of_pmd("mlx5"), "librte-net-mlx5-23");
    EXPECT_EQ(package_of_pmd("e1000"), "librte-net-e1000-23");
    EXPECT_EQ(pmd_of(0x8086, 0x1572), "i40e");
    EXPECT_EQ(pmd_of(0x8086, 0xffff), "");
}

TEST(machine, only_whole_pci_addresses_are_such) {
    EXPECT_TRUE(is_pci_address("0000:0a:1f.7"));
    for (const char* const text : {"", "0000:00:03.0 ", "00:03.0", "0000:00:03.x", "0000-00:03.0", "0000:0A:03.0"}) {
        EXPECT_FALSE(is_pci_address(text)) << text;
    }
}

TEST(describe, json_has_every_part) {
    const auto told = boost::json::parse(as_json(recorded_machine("two_sockets_vfio").look()));
    EXPECT_EQ(told.at("nodes").at(1).at("huge_pages").at(0).at("free"), 256);
    EXPECT_EQ(told.at("nodes").at(1).at("cpus").as_array().size(), 2U);
    EXPECT_EQ(told.at("nics").at(1).at("driver"), "vfio-pci");
    EXPECT_EQ(told.at("nics").at(1).at("iommu_group"), "5");
    EXPECT_EQ(told.at("interfaces").at(0).at("default_route"), true);
    EXPECT_EQ(told.at("features").at("vfio-pci"), "there");
    EXPECT_EQ(told.at("features").at("af_xdp"), true);
    EXPECT_EQ(told.at("memlock"), 8'388'608);
}

TEST(describe, text_names_what_an_operator_looks_for) {
    const std::string text = as_text(recorded_machine("two_sockets_vfio").look());
    EXPECT_THAT(text, HasSubstr("0-3: 2 sockets, 4 cores, 4 threads"));
    EXPECT_THAT(text, HasSubstr("CPUs 2-3, 960 MiB, huge pages 2 MiB: 256, 256 free; 1 GiB: none"));
    EXPECT_THAT(text, HasSubstr("0000:41:00.0 8086:10d3, driver vfio-pci, node 1, IOMMU group 5, PMD e1000"));
    EXPECT_THAT(text, HasSubstr("eth0 52:54:00:12:34:56, MTU 1500, 1 queue, up, default route, 0000:00:01.0 e1000e"));
}

}  // namespace
}  // namespace postern::machine
