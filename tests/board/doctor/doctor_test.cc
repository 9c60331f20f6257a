#include "board/doctor/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "board/profiles/device_name.h"
#include "tests/board/machine/recorded_machine.h"

namespace postern::doctor {
namespace {

using machine::recorded_machine;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string nic = "0000:41:00.0";

profiles::edge_part part_for(const std::string& device) {
    profiles::edge_part out;
    out.dpdk = true;
    out.shards = 1;
    out.device = device;
    out.memory_mib = 256;
    return out;
}

std::vector<finding> look(const recorded_machine& at, const profiles::edge_part& part) {
    wishes want;
    want.edge = part;
    return examine(at.look(), want);
}

/// What was found about a subject; nothing: it is well.
std::optional<finding> about(const std::vector<finding>& findings, const std::string& what) {
    const auto at =
        std::find_if(findings.begin(), findings.end(), [&](const finding& each) { return each.about == what; });
    return at == findings.end() ? std::nullopt : std::optional(*at);
}

std::vector<std::string> subjects(const std::vector<finding>& findings) {
    std::vector<std::string> out;
    for (const finding& each : findings) {
        out.push_back(std::string(word_of(each.how)) + " " + each.about);
    }
    return out;
}

TEST(doctor, the_kernels_sockets_need_nothing) {
    profiles::edge_part sockets;
    EXPECT_THAT(subjects(look(recorded_machine("virtio_vm"), sockets)), ElementsAre("note sockets"));
}

TEST(doctor, a_machine_that_is_ready_is_left_alone) {
    recorded_machine ready("two_sockets_vfio");
    ready.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    ready.write("proc/self/limits", "Max locked memory         unlimited            unlimited            bytes\n");
    profiles::edge_part part = part_for(nic);
    part.cores = "2";
    ready.write("sys/devices/system/cpu/isolated", "2\n");
    EXPECT_THAT(subjects(look(ready, part)), IsEmpty());
}

TEST(doctor, no_port_or_one_that_is_not_there_is_an_error_that_names_those_that_are) {
    const recorded_machine at("two_sockets");
    EXPECT_THAT(about(look(at, part_for("")), "device")->what, HasSubstr("profile list"));
    EXPECT_THAT(about(look(at, part_for("0000:05:00.0")), "device")->what, HasSubstr("0000:00:01.0, 0000:41:00.0"));
}

TEST(doctor, a_nic_of_the_kernels_is_given_to_vfio_where_there_is_an_iommu) {
    const auto found = about(look(recorded_machine("two_sockets"), part_for(nic)), "kernel_driver");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->how, severity::error);
    EXPECT_THAT(found->what, HasSubstr("e1000e holds it as eth1"));
    EXPECT_EQ(found->command,
              "modprobe vfio-pci && echo vfio-pci > /sys/bus/pci/devices/0000:41:00.0/driver_override && "
              "echo 0000:41:00.0 > /sys/bus/pci/devices/0000:41:00.0/driver/unbind && "
              "echo 0000:41:00.0 > /sys/bus/pci/drivers_probe");
    EXPECT_THAT(found->for_good, HasSubstr("driverctl set-override 0000:41:00.0 vfio-pci"));
}

TEST(doctor, without_an_iommu_it_is_given_to_uio) {
    const auto found = about(look(recorded_machine("virtio_vm"), part_for("0000:00:02.0")), "kernel_driver");
    ASSERT_TRUE(found);
    EXPECT_THAT(found->command, HasSubstr("modprobe uio_pci_generic && echo uio_pci_generic > "));
}

TEST(doctor, the_way_to_the_machine_is_not_taken_unasked) {
    const auto found = about(look(recorded_machine("virtio_vm"), part_for("0000:00:01.0")), "kernel_driver");
    ASSERT_TRUE(found);
    EXPECT_THAT(found->what, AllOf(HasSubstr("eth0"), HasSubstr("default route"), HasSubstr("cuts the machine off")));
}

TEST(doctor, with_no_driver_for_it_the_iommu_comes_first) {
    recorded_machine changed("virtio_vm");
    changed.write("lib/modules/6.1.0-56-amd64/modules.dep", "kernel/drivers/vfio/pci/vfio-pci.ko:\n");
    const auto found = about(look(changed, part_for("0000:00:02.0")), "kernel_driver");
    ASSERT_TRUE(found);
    EXPECT_THAT(found->what, HasSubstr("needs an IOMMU"));
    EXPECT_EQ(found->command,
              "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&iommu=pt /' /etc/default/grub && update-grub && reboot");
    changed.write("proc/cpuinfo", "model name : Intel(R) Xeon(R)\n");
    EXPECT_THAT(about(look(changed, part_for("0000:00:02.0")), "kernel_driver")->command,
                HasSubstr("intel_iommu=on iommu=pt"));
    changed.write("proc/cmdline", "intel_iommu=on iommu=pt\n");
    EXPECT_EQ(about(look(changed, part_for("0000:00:02.0")), "kernel_driver")->command, "") << "asked for already";
}

TEST(doctor, a_profile_says_which_driver_is_best) {
    wishes want;
    want.edge = part_for(nic);
    profiles::profile own;
    own.ids = {"8086:10d3"};
    own.drivers = {"uio_pci_generic"};
    want.known = {own};
    EXPECT_THAT(about(examine(recorded_machine("two_sockets").look(), want), "kernel_driver")->what,
                HasSubstr("DPDK needs it on uio_pci_generic"));
}

TEST(doctor, vfio_without_an_iommu_does_not_work_or_is_not_safe) {
    recorded_machine changed("two_sockets_vfio");
    changed.remove("sys/bus/pci/devices/0000:41:00.0/iommu_group");
    EXPECT_EQ(about(look(changed, part_for(nic)), "iommu")->how, severity::error);
    changed.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
    EXPECT_EQ(about(look(changed, part_for(nic)), "iommu")->how, severity::warning);
}

TEST(doctor, others_in_the_iommu_group_stand_in_the_way) {
    recorded_machine changed("two_sockets_vfio");
    changed.link("sys/kernel/iommu_groups/5/devices/0000:00:01.0", "../../../../devices/pci0000:00/0000:00:01.0");
    const auto found = about(look(changed, part_for(nic)), "iommu_group");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->how, severity::error);
    EXPECT_THAT(found->what, HasSubstr("0000:00:01.0"));
    EXPECT_THAT(found->command, HasSubstr("/sys/bus/pci/devices/0000:00:01.0/driver/unbind"));
}

TEST(doctor, uio_needs_root_and_has_no_iommu) {
    recorded_machine changed("two_sockets_vfio");
    changed.link("sys/bus/pci/devices/0000:41:00.0/driver", "../../../../bus/pci/drivers/uio_pci_generic");
    const auto found = about(look(changed, part_for(nic)), "uio");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->how, severity::warning);
    EXPECT_THAT(found->what, AllOf(HasSubstr("needs root"), HasSubstr("no IOMMU"), HasSubstr("vfio-pci is there")));
    EXPECT_THAT(found->command, HasSubstr("echo vfio-pci > "));
}

TEST(doctor, too_few_huge_pages_are_counted_from_what_is_there) {
    recorded_machine changed("two_sockets_vfio");
    profiles::edge_part part = part_for(nic);
    part.memory_mib = 800;  // 768 are free
    const auto found = about(look(changed, part), "huge_pages");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->how, severity::warning);
    EXPECT_EQ(found->command, "echo 400 > /proc/sys/vm/nr_hugepages") << "384 there, and 16 more";
    EXPECT_EQ(found->for_good, "echo vm.nr_hugepages=400 > /etc/sysctl.d/60-postern.conf");
    part.memory_mib = 768;
    EXPECT_FALSE(about(look(changed, part), "huge_pages"));
}

TEST(doctor, uio_does_not_work_without_huge_pages) {
    recorded_machine changed("two_sockets_vfio");
    changed.link("sys/bus/pci/devices/0000:41:00.0/driver", "../../../../bus/pci/drivers/uio_pci_generic");
    profiles::edge_part part = part_for(nic);
    part.memory_mib = 800;
    EXPECT_EQ(about(look(changed, part), "huge_pages")->how, severity::error);
}

TEST(doctor, huge_pages_of_another_node_are_no_comfort) {
    recorded_machine changed("two_sockets_vfio");
    changed.write("sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "28\n");
    const auto found = about(look(changed, part_for(nic)), "node_pages");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->command, "echo 356 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages");
}

TEST(doctor, memory_that_is_not_there_is_not_asked_for) {
    const recorded_machine at("two_sockets");
    profiles::edge_part part = part_for(nic);
    part.memory_mib = 1500;
    EXPECT_EQ(about(look(at, part), "memory")->how, severity::error);
    recorded_machine full("two_sockets");
    full.write("proc/meminfo", "MemTotal: 2014528 kB\nMemAvailable: 100000 kB\n");
    EXPECT_EQ(about(look(full, part_for(nic)), "huge_pages")->command, "");
}

TEST(doctor, a_driver_that_is_not_installed_has_its_package) {
    recorded_machine changed("two_sockets");
    changed.remove("usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_e1000.so");
    const auto found = about(look(changed, part_for(nic)), "pmd");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->command, "apt-get install -y librte-net-e1000-23");
}

TEST(doctor, the_kernel_keeps_a_network) {
    recorded_machine changed("two_sockets_vfio");
    changed.remove("sys/class/net/eth0");
    const auto found = about(look(changed, part_for(nic)), "no_other_port");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->how, severity::error);
    EXPECT_THAT(found->what, HasSubstr("port.twin = true"));
    profiles::edge_part twin = part_for(nic);
    twin.twin = true;
    EXPECT_FALSE(about(look(changed, twin), "no_other_port"));
}

TEST(doctor, a_twin_needs_tun) {
    profiles::edge_part part = part_for("0000:00:02.0");
    part.twin = true;
    EXPECT_EQ(about(look(recorded_machine("virtio_vm"), part), "twin")->command, "modprobe tun");
    EXPECT_FALSE(about(look(recorded_machine("two_sockets_vfio"), part), "twin"));
}

TEST(doctor, without_a_number_as_much_memory_as_the_edge_takes_is_wanted) {
    profiles::edge_part part = part_for(nic);
    part.memory_mib = 0;
    part.shards = 4;
    const auto found = about(look(recorded_machine("two_sockets"), part), "huge_pages");
    ASSERT_TRUE(found);
    EXPECT_THAT(found->what, HasSubstr("buffers of " + std::to_string(profiles::memory_wanted(part, 4)) + " MiB want"));
}

TEST(doctor, queues_beyond_the_devices_are_refused) {
    const recorded_machine at("two_sockets");
    profiles::edge_part part = part_for(nic);
    part.shards = 2;
    EXPECT_EQ(about(look(at, part), "queues")->how, severity::note) << "one shard gets its frames from the other";
    part.queues = 2;
    const auto found = about(look(at, part), "queues");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->how, severity::error);
    EXPECT_THAT(found->what, HasSubstr("eth1 has 1 queue, and port.queues = 2; write 1"));
    EXPECT_EQ(found->command, "");
    profiles::edge_part shared = part_for("net_af_xdp0,iface=eth1,queue_count=2");
    shared.shards = 2;
    EXPECT_EQ(about(look(at, shared), "queues")->command, "ethtool -L eth1 combined 2");
    profiles::edge_part packets = part_for("net_af_packet0,iface=eth1,qpairs=1");
    packets.shards = 2;
    EXPECT_THAT(about(look(at, packets), "queues")->what, HasSubstr("write qpairs=2"));
}

TEST(doctor, cores_are_of_the_machine_of_the_devices_node_and_free_of_other_work) {
    recorded_machine at("two_sockets_vfio");
    profiles::edge_part part = part_for(nic);
    part.cores = "1,9";
    part.shards = 2;
    EXPECT_THAT(about(look(at, part), "cores")->what, HasSubstr("no CPU 9"));
    EXPECT_THAT(about(look(at, part), "node")->what, HasSubstr("and CPU 1 is not"));
    part.cores = "2-3";
    part.busy = true;
    const auto shared = about(look(at, part), "isolation");
    ASSERT_TRUE(shared);
    EXPECT_EQ(shared->how, severity::warning);
    EXPECT_THAT(shared->command, HasSubstr("isolcpus=2-3 nohz_full=2-3 rcu_nocbs=2-3"));
    at.write("sys/devices/system/cpu/isolated", "2-3\n");
    EXPECT_FALSE(about(look(at, part), "isolation"));
    at.write("proc/99/comm", "irqbalance\n");
    EXPECT_EQ(about(look(at, part), "irqbalance")->command, "systemctl stop irqbalance");
    part.cores = "";
    EXPECT_THAT(about(look(at, part), "cores")->what, HasSubstr("2-3 are isolated, and nothing runs there"));
    part.shards = 5;
    EXPECT_EQ(about(look(at, part), "shards")->how, severity::error);
}

TEST(doctor, limits_of_locked_memory_and_transparent_huge_pages) {
    const recorded_machine at("two_sockets_vfio");
    EXPECT_THAT(about(look(at, part_for(nic)), "memlock")->for_good, HasSubstr("LimitMEMLOCK=infinity"));
    EXPECT_EQ(about(look(at, part_for(nic)), "transparent_huge_pages")->command,
              "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
}

TEST(doctor, a_tap_device_needs_tun) {
    const auto part = part_for("net_tap0,iface=postern0");
    EXPECT_EQ(about(look(recorded_machine("virtio_vm"), part), "tun")->command, "modprobe tun");
    EXPECT_FALSE(about(look(recorded_machine("two_sockets_vfio"), part), "tun"));
}

TEST(doctor, virtio_user_needs_vhost_and_hugetlbfs) {
    const auto part = part_for("virtio_user0,path=/dev/vhost-net");
    const auto findings = look(recorded_machine("two_sockets"), part);
    EXPECT_EQ(about(findings, "vhost_net")->command, "modprobe vhost-net");
    EXPECT_EQ(about(findings, "hugetlbfs")->command,
              "mkdir -p /dev/hugepages && mount -t hugetlbfs none /dev/hugepages");
    EXPECT_FALSE(about(look(recorded_machine("two_sockets_vfio"), part), "vhost_net"));
}

TEST(doctor, shared_interfaces_have_to_be_there_and_up) {
    const recorded_machine at("virtio_vm");
    EXPECT_THAT(about(look(at, part_for("net_af_packet0,iface=eth9")), "interface")->what,
                HasSubstr("no interface eth9"));
    EXPECT_EQ(about(look(at, part_for("net_af_xdp0,iface=eth1")), "interface")->command, "ip link set eth1 up");
    recorded_machine without("virtio_vm");
    without.write("proc/net/protocols", "protocol\nPACKET\n");
    EXPECT_THAT(about(look(without, part_for("net_af_xdp0,iface=eth0")), "af_xdp")->what,
                HasSubstr("use net_af_packet"));
}

TEST(doctor, the_worst_comes_first_and_is_told_apart) {
    recorded_machine changed("two_sockets");
    const auto findings = look(changed, part_for(nic));
    ASSERT_FALSE(findings.empty());
    EXPECT_EQ(findings.front().how, severity::error);
    EXPECT_TRUE(any_error(findings));
    const std::string text = as_text(findings);
    EXPECT_THAT(text, AllOf(HasSubstr("error: 0000:41:00.0: the kernel's driver e1000e holds it"),
                            HasSubstr("    mend:     modprobe vfio-pci"), HasSubstr("    for good: apt-get install"),
                            HasSubstr("1 error, ")));
    EXPECT_THAT(as_json(findings), HasSubstr("\"about\":\"kernel_driver\""));
    EXPECT_FALSE(any_error({}));
    EXPECT_EQ(as_text({}), "0 errors, 0 warnings\n");
}

}  // namespace
}  // namespace postern::doctor
