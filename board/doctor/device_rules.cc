// The device itself: is it there, is its driver in DPDK's hands, can as many queues be had as there are shards.
#include <algorithm>
#include <string_view>

#include "board/doctor/rules.h"

namespace postern::doctor {
namespace {

const std::string key = "edge.toml: port.device";

std::string bus_list(const machine::machine& on) {
    std::string out;
    for (const machine::pci_nic& nic : on.nics) {
        out += (out.empty() ? "" : ", ") + nic.bus;
    }
    return out.empty() ? "none" : out;
}

void check_pmd(visit& of) {
    const std::string pmd = of.nic != nullptr ? of.nic->pmd : of.device.pmd;
    if (!pmd.empty() && !of.on.has_pmd(pmd)) {
        const std::string package = machine::package_of_pmd(pmd);
        of.add(severity::error, "pmd", "DPDK's driver net_" + pmd + " is not installed", of.device.name,
               "apt-get install -y " + package);
    } else if (of.nic != nullptr && pmd.empty()) {
        of.add(severity::note, "pmd",
               "this program does not know which of DPDK's drivers is for this NIC; all of them are in librte-meta-net",
               of.nic->bus);
    }
}

/// Queues that are asked for, against those that the kernel's driver has on the interface; without a wish there are as
/// many as the device has, and the other shards get their frames from the first ones.
void check_queues(visit& of, const machine::interface& interface, bool shared) {
    const std::uint32_t wanted = of.want.edge.queues;
    if (interface.queues == 0 || std::max(wanted, of.shards) <= interface.queues) {
        return;
    }
    const std::string count = std::to_string(interface.queues);
    const std::string has = interface.name + " has " + count + (interface.queues == 1 ? " queue" : " queues");
    const std::string more =
        shared ? "ethtool -L " + interface.name + " combined " + std::to_string(std::max(wanted, of.shards)) : "";
    if (wanted > interface.queues) {
        of.add(
            severity::error, "queues",
            has + ", and port.queues = " + std::to_string(wanted) + "; write " + count + ", or 0 for as many as it has",
            "edge.toml: port.queues", more);
    } else {
        of.add(severity::note, "queues",
               has + " for " + std::to_string(of.shards) +
                   " shards: the others get their frames from the first by way of memory",
               interface.name, more);
    }
}

/// The number in an argument of the device ("qpairs=2"), 1 if there is none.
std::uint32_t queues_in(const profiles::device_name& device, std::string_view argument) {
    const auto text = device.argument(argument);
    const auto number = text ? machine::parse_number(*text) : std::nullopt;
    return number && *number > 0 ? static_cast<std::uint32_t>(std::min<std::int64_t>(*number, 256)) : 1;
}

struct argument_queues {
    const char* pmd;
    const char* argument;
};

void check_kernel_interface(visit& of) {
    const auto name = of.device.argument("iface");
    const auto* const interface = name ? of.on.interface_named(*name) : nullptr;
    if (interface == nullptr) {
        of.add(severity::error, "interface",
               name ? "there is no interface " + *name + " on this machine"
                    : std::string("it names no interface; add iface=NAME"),
               key);
        return;
    }
    const argument_queues by =
        of.device.pmd == "af_xdp" ? argument_queues{"af_xdp", "queue_count"} : argument_queues{"af_packet", "qpairs"};
    const std::uint32_t given = queues_in(of.device, by.argument);
    if (given < std::max(of.want.edge.queues, of.shards)) {
        const std::string wanted = std::to_string(std::max(of.want.edge.queues, of.shards));
        of.add(given < of.want.edge.queues ? severity::error : severity::note, "queues",
               "net_" + std::string(by.pmd) + " has " + std::to_string(given) + (given == 1 ? " queue" : " queues") +
                   " as it is written; for " + wanted + " write " + by.argument + "=" + wanted,
               key);
    }
    if (of.device.pmd == "af_xdp") {
        check_queues(of, *interface, true);
    }
    if (!interface->up) {
        of.add(severity::error, "interface", interface->name + " is down", interface->name,
               "ip link set " + interface->name + " up");
    }
}

void check_tap(visit& of) {
    constexpr std::uint32_t most = 16;  // RTE_PMD_TAP_MAX_QUEUES
    if (of.on.has.tun == machine::presence::loadable) {
        of.add(severity::error, "tun", "there is no /dev/net/tun, which net_tap needs; its module is not loaded",
               "/dev/net/tun", "modprobe tun", "echo tun > /etc/modules-load.d/postern-tun.conf");
    } else if (of.on.has.tun == machine::presence::absent) {
        of.add(severity::error, "tun",
               "there is no /dev/net/tun, which net_tap needs: the kernel is without CONFIG_TUN, or a container hides "
               "the file",
               "/dev/net/tun", "mkdir -p /dev/net && mknod /dev/net/tun c 10 200");
    }
    if (of.want.edge.queues > most) {
        of.add(severity::error, "queues",
               "net_tap has at most 16 queues, and port.queues = " + std::to_string(of.want.edge.queues),
               "edge.toml: port.queues");
    }
}

void check_vhost(visit& of) {
    const std::string path = of.device.argument("path").value_or("/dev/vhost-net");
    if (path == "/dev/vhost-net" && of.on.has.vhost_net != machine::presence::there) {
        const bool loadable = of.on.has.vhost_net == machine::presence::loadable;
        of.add(severity::error, "vhost_net",
               "there is no /dev/vhost-net: its module is " +
                   std::string(loadable ? "not loaded" : "not in this kernel; use net_tap instead"),
               path, loadable ? "modprobe vhost-net" : "",
               loadable ? "echo vhost-net > /etc/modules-load.d/postern-vhost.conf" : "");
    }
    if (of.on.hugetlbfs_mounts.empty()) {
        of.add(severity::error, "hugetlbfs", "virtio_user shares its memory by hugetlbfs, which is not mounted",
               "/dev/hugepages", "mkdir -p /dev/hugepages && mount -t hugetlbfs none /dev/hugepages",
               "echo 'none /dev/hugepages hugetlbfs defaults 0 0' >> /etc/fstab");
    }
}

}  // namespace

void check_virtual(visit& of) {
    if (of.device.pmd == "tap") {
        check_tap(of);
    } else if (of.device.pmd == "af_packet" || of.device.pmd == "af_xdp") {
        const bool there = of.device.pmd == "af_xdp" ? of.on.has.af_xdp : of.on.has.af_packet;
        if (!there) {
            of.add(severity::error, of.device.pmd,
                   "this kernel has no sockets of the kind that net_" + of.device.pmd + " needs" +
                       (of.device.pmd == "af_xdp" ? "; use net_af_packet" : ""),
                   key, of.device.pmd == "af_packet" ? "modprobe af_packet" : "");
        }
        check_kernel_interface(of);
    } else if (of.device.pmd == "virtio") {
        check_vhost(of);
    }
}

void check_device(visit& of) {
    if (of.want.edge.device.empty()) {
        of.add(severity::error, "device", "no port is named; see postern-board profile list for what fits this machine",
               key);
        return;
    }
    if (of.device.pci && of.nic == nullptr) {
        of.add(severity::error, "device",
               "there is no network device at " + of.device.name + "; this machine's are: " + bus_list(of.on), key);
        return;
    }
    check_pmd(of);
    if (!of.device.pci) {
        check_virtual(of);
        return;
    }
    for (const std::string& name : of.nic->interfaces) {
        if (const auto* const interface = of.on.interface_named(name)) {
            check_queues(of, *interface, false);
        }
    }
    check_pci(of);
}

}  // namespace postern::doctor
