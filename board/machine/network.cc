// Network devices: those that the kernel uses, and the PCI devices that could be Postern's own.
#include <algorithm>

#include "board/machine/machine.h"

namespace postern::machine {
namespace {

const std::string pci = "sys/bus/pci/devices/";
const std::string net = "sys/class/net/";

constexpr unsigned network_class = 0x02;  // PCI base class "network controller"
constexpr unsigned flag_up = 0x1;         // IFF_UP

/// The PCI device of an interface: of its link …/0000:00:03.0/virtio2/net/eth0, the last address.
std::string bus_of(const tree& from, const std::string& name) {
    const std::string target = from.link_target(net + name).value_or("");
    std::string out;
    for (const std::string_view part : pieces(target, "/")) {
        if (is_pci_address(part)) {
            out = part;
        }
    }
    return out;
}

/// Interfaces with a default route of IPv4 or IPv6.
std::vector<std::string> with_default_route(const tree& from) {
    std::vector<std::string> out;
    const std::string four = from.text("proc/net/route").value_or("");
    for (const std::string_view line : pieces(four, "\n")) {
        const auto words = pieces(line, " \t");
        if (words.size() > 7 && words[1] == "00000000" && words[7] == "00000000") {
            out.emplace_back(words[0]);
        }
    }
    const std::string six = from.text("proc/net/ipv6_route").value_or("");
    for (const std::string_view line : pieces(six, "\n")) {
        const auto words = pieces(line, " \t");
        if (words.size() > 9 && words[0].find_first_not_of('0') == std::string_view::npos && words[1] == "00" &&
            words[9] != "lo") {
            out.emplace_back(words[9]);
        }
    }
    return out;
}

void read_interfaces(const tree& from, machine& out) {
    const auto routed = with_default_route(from);
    for (const std::string& name : from.names(net)) {
        if (name == "lo" || !from.has(net + name + "/ifindex")) {
            continue;
        }
        const std::string at = net + name + "/";
        interface each;
        each.name = name;
        each.address = from.text(at + "address").value_or("");
        each.mtu = static_cast<unsigned>(std::max<std::int64_t>(0, from.number(at + "mtu").value_or(0)));
        for (const std::string& queue : from.names(at + "queues")) {
            each.queues += queue.starts_with("rx-") ? 1U : 0U;
        }
        each.up = (from.number(at + "flags").value_or(0) & flag_up) != 0;
        each.carrier = from.number(at + "carrier").value_or(0) == 1;
        each.default_route = std::find(routed.begin(), routed.end(), name) != routed.end();
        each.bus = bus_of(from, name);
        if (!each.bus.empty()) {
            each.driver = from.link_name(pci + each.bus + "/driver").value_or("");
        }
        out.interfaces.push_back(std::move(each));
    }
}

/// Devices of the group, but for this one, that are bound to a kernel driver: they keep the group from vfio.
std::vector<std::string> others_of(const tree& from, const std::string& group, const std::string& bus) {
    std::vector<std::string> out;
    for (const std::string& other : from.names("sys/kernel/iommu_groups/" + group + "/devices")) {
        const std::string driver = from.link_name(pci + other + "/driver").value_or("");
        if (other != bus && !driver.empty() && driver != "vfio-pci" && driver != "pcieport") {
            out.push_back(other);
        }
    }
    return out;
}

void read_nics(const tree& from, machine& out) {
    for (const std::string& bus : from.names(pci)) {
        const auto kind = from.number(pci + bus + "/class");
        if (!kind || static_cast<unsigned>(*kind >> 16U) != network_class) {
            continue;
        }
        pci_nic each;
        each.bus = bus;
        each.vendor = static_cast<unsigned>(from.number(pci + bus + "/vendor").value_or(0));
        each.device = static_cast<unsigned>(from.number(pci + bus + "/device").value_or(0));
        each.node = static_cast<int>(from.number(pci + bus + "/numa_node").value_or(-1));
        each.driver = from.link_name(pci + bus + "/driver").value_or("");
        for (const interface& above : out.interfaces) {
            if (above.bus == bus) {
                each.interfaces.push_back(above.name);
            }
        }
        each.iommu_group = from.link_name(pci + bus + "/iommu_group");
        if (each.iommu_group) {
            each.group_others = others_of(from, *each.iommu_group, bus);
        }
        each.pmd = pmd_of(each.vendor, each.device);
        out.nics.push_back(std::move(each));
    }
}

}  // namespace

bool is_pci_address(std::string_view text) {
    // Domain, bus, device and function.
    constexpr std::string_view shape = "xxxx:xx:xx.x";
    return text.size() == shape.size() && std::equal(shape.begin(), shape.end(), text.begin(), [](char as, char c) {
               return as == 'x' ? (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') : as == c;
           });
}

void read_network(const tree& from, machine& out) {
    read_interfaces(from, out);
    read_nics(from, out);
}

}  // namespace postern::machine
