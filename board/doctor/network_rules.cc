// The kernel's own network: relay, control and people need one beside Postern's port.
#include <algorithm>

#include "board/doctor/rules.h"

namespace postern::doctor {
namespace {

/// The interfaces that stay with the kernel when Postern has its port.
std::vector<std::string> others(const visit& of) {
    const std::string own = of.device.argument("iface").value_or("");
    std::vector<std::string> out;
    for (const machine::interface& each : of.on.interfaces) {
        const bool taken = of.nic != nullptr && each.bus == of.nic->bus;
        if (each.up && !taken && each.name != own) {
            out.push_back(each.name);
        }
    }
    return out;
}

}  // namespace

void check_network(visit& of) {
    if (of.want.edge.twin && of.on.has.tun != machine::presence::there) {
        of.add(severity::error, "twin", "there is no /dev/net/tun, which a kernel twin needs", "edge.toml: port.twin",
               of.on.has.tun == machine::presence::loadable ? "modprobe tun"
                                                            : "mkdir -p /dev/net && mknod /dev/net/tun c 10 200",
               of.on.has.tun == machine::presence::loadable ? "echo tun > /etc/modules-load.d/postern-tun.conf" : "");
    }
    // net_ring, net_null and the like leave every interface alone; af_packet and af_xdp share theirs with the kernel.
    const bool shared = of.device.pmd == "af_packet" || of.device.pmd == "af_xdp";
    if (of.want.edge.twin || shared) {
        return;
    }
    if (others(of).empty()) {
        of.add(severity::error, "no_other_port",
               "with this port taken the kernel has no network: mail servers, control and people could not be reached. "
               "Give the port a kernel twin (port.twin = true), or the machine another network device",
               "edge.toml: port.twin");
    }
}

}  // namespace postern::doctor
