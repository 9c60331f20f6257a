// A PCI device: bound to a driver that leaves it to DPDK, behind an IOMMU.
#include <algorithm>

#include "board/doctor/rules.h"
#include "board/machine/describe.h"

namespace postern::doctor {
namespace {

using machine::presence;

/// Those of DPDK's drivers that work beside the kernel's own, which stays bound.
bool shares_with_kernel(const std::string& pmd) {
    return pmd == "mlx5" || pmd == "mlx4";
}

/// The drivers that are good for the device, the best first: its profile's, else all.
std::vector<std::string> drivers_for(const visit& of) {
    const std::string id = machine::id_text(*of.nic);
    for (const profiles::profile& each : of.want.known) {
        if (std::find(each.ids.begin(), each.ids.end(), id) != each.ids.end() && !each.drivers.empty()) {
            return each.drivers;
        }
    }
    return {"vfio-pci", "uio_pci_generic"};
}

/// The first of them that would work now; empty if none would.
std::string driver_that_works(const visit& of) {
    const bool isolated = of.nic->iommu_group.has_value() || of.on.has.unsafe_noiommu;
    for (const std::string& driver : drivers_for(of)) {
        if (driver == "vfio-pci" ? isolated && of.on.has.vfio_pci != presence::absent
                                 : of.on.has.uio_pci_generic != presence::absent) {
            return driver;
        }
    }
    return "";
}

std::string taken_words(const visit& of) {
    std::string out;
    for (const std::string& name : of.nic->interfaces) {
        const auto* const interface = of.on.interface_named(name);
        out += (out.empty() ? " as " : ", ") + name;
        if (interface != nullptr && interface->default_route) {
            out +=
                ", which carries this machine's default route (to take it cuts the machine off: do it from its "
                "console, or choose another port)";
        }
    }
    return out;
}

void check_binding(visit& of) {
    const std::string driver = driver_that_works(of);
    const std::string what = of.nic->driver.empty()
                                 ? "it is bound to no driver"
                                 : "the kernel's driver " + of.nic->driver + " holds it" + taken_words(of);
    if (driver.empty()) {
        const bool vfio = of.on.has.vfio_pci != presence::absent;
        of.add(severity::error, "kernel_driver",
               what + "; it can't be given to DPDK: vfio-pci " +
                   (vfio ? "needs an IOMMU, which this machine does not show" : "is not in this kernel") +
                   ", and there is no uio_pci_generic",
               of.nic->bus, vfio ? iommu_command(of.on) : "");
        return;
    }
    of.add(severity::error, "kernel_driver", what + "; DPDK needs it on " + driver, of.nic->bus,
           bind_command(of.on, of.nic->bus, driver),
           "apt-get install -y driverctl && driverctl set-override " + of.nic->bus + " " + driver);
}

void check_iommu(visit& of) {
    if (of.nic->driver == "vfio-pci" && !of.nic->iommu_group) {
        if (of.on.has.unsafe_noiommu) {
            of.add(
                severity::warning, "iommu",
                "vfio-pci runs without an IOMMU (enable_unsafe_noiommu_mode): the device may write anywhere in memory",
                of.nic->bus, iommu_command(of.on));
        } else {
            of.add(severity::error, "iommu", "vfio-pci needs an IOMMU, and the device is behind none", of.nic->bus,
                   iommu_command(of.on));
        }
    }
    if (of.nic->driver == "vfio-pci" && !of.nic->group_others.empty()) {
        std::string others;
        for (const std::string& other : of.nic->group_others) {
            others += (others.empty() ? "" : ", ") + other;
        }
        of.add(severity::error, "iommu_group",
               "its IOMMU group " + of.nic->iommu_group.value_or("") + " has other devices that the kernel holds: " +
                   others + "; vfio gives a group as a whole, or not at all",
               of.nic->bus, bind_command(of.on, of.nic->group_others.front(), "vfio-pci"));
    }
    if (of.nic->driver == "uio_pci_generic" || of.nic->driver == "igb_uio") {
        const bool better = of.nic->iommu_group && of.on.has.vfio_pci != presence::absent;
        of.add(severity::warning, "uio",
               of.nic->driver + " needs root and has no IOMMU: the device may write anywhere in memory" +
                   (better ? "; vfio-pci is there" : ""),
               of.nic->bus, better ? bind_command(of.on, of.nic->bus, "vfio-pci") : iommu_command(of.on));
    }
}

void check_memlock(visit& of) {
    constexpr std::uint64_t mib = 1024 * 1024;
    const std::uint64_t wanted = of.memory_mib * mib;
    if (of.on.memlock && *of.on.memlock < wanted) {
        const std::string limit = "LimitMEMLOCK=infinity";
        of.add(severity::warning, "memlock",
               "this shell may lock " + std::to_string(*of.on.memlock / 1024) + " KiB of memory, and vfio locks all " +
                   std::to_string(of.memory_mib) +
                   " MiB that the device may reach; root is not bound by it, the service may be",
               "memlock", "ulimit -l unlimited",
               "install -d /etc/systemd/system/postern-edge.service.d && printf '[Service]\\n" + limit +
                   "\\n' > /etc/systemd/system/postern-edge.service.d/memlock.conf && systemctl daemon-reload");
    }
}

}  // namespace

std::string iommu_command(const machine::machine& on) {
    const bool intel = on.cpu_model.find("Intel") != std::string::npos;
    if (intel && on.boot.find("intel_iommu=on") == std::string::npos) {
        return boot_command("intel_iommu=on iommu=pt");
    }
    if (!intel && on.boot.find("iommu=pt") == std::string::npos) {
        return boot_command("iommu=pt");
    }
    // It is asked for already: the firmware or the hypervisor does not give one.
    return "";
}

std::string bind_command(const machine::machine& on, const std::string& bus, const std::string& driver) {
    const std::string device = "/sys/bus/pci/devices/" + bus;
    const bool loadable =
        driver == "vfio-pci" ? on.has.vfio_pci == presence::loadable : on.has.uio_pci_generic == presence::loadable;
    std::string out = loadable ? "modprobe " + driver + " && " : "";
    out += "echo " + driver + " > " + device + "/driver_override && ";
    const auto* const nic = on.nic_at(bus);
    if (nic == nullptr || !nic->driver.empty()) {
        out += "echo " + bus + " > " + device + "/driver/unbind && ";
    }
    return out + "echo " + bus + " > /sys/bus/pci/drivers_probe";
}

void check_pci(visit& of) {
    if (shares_with_kernel(of.nic->pmd)) {
        return;
    }
    if (!of.nic->dpdk_driver()) {
        check_binding(of);
        return;
    }
    check_iommu(of);
    if (of.nic->driver == "vfio-pci") {
        check_memlock(of);
    }
}

}  // namespace postern::doctor
