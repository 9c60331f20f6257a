// What the kernel can do for the packet path, and what runs that gets in its way.
#include <algorithm>

#include "board/machine/machine.h"

namespace postern::machine {
namespace {

/// Whether `name` is one of the words at the start of the file's lines.
bool has_line(const std::string& text, std::string_view name, std::size_t column) {
    for (const std::string_view line : pieces(text, "\n")) {
        const auto words = pieces(line, " \t");
        if (words.size() > column && words[column] == name) {
            return true;
        }
    }
    return false;
}

/// Which modules this kernel has on disk, loaded or not: the text of modules.dep and modules.builtin.
std::string modules_of(const tree& from, const std::string& release) {
    for (const char* const folder : {"lib/modules/", "usr/lib/modules/"}) {
        const std::string at = folder + release + "/";
        if (const auto dependencies = from.text(at + "modules.dep")) {
            return *dependencies + "\n" + from.text(at + "modules.builtin").value_or("");
        }
    }
    return "";
}

presence driver(const tree& from, const std::string& modules, const std::string& name) {
    if (from.has("sys/bus/pci/drivers/" + name)) {
        return presence::there;
    }
    return modules.find("/" + name + ".ko") != std::string::npos ? presence::loadable : presence::absent;
}

presence device(const tree& from, const std::string& modules, const std::string& path, const std::string& module) {
    if (from.has(path)) {
        return presence::there;
    }
    return modules.find("/" + module + ".ko") != std::string::npos ? presence::loadable : presence::absent;
}

/// DPDK loads its drivers from a folder of the library: …/dpdk/pmds-23.0/librte_net_tap.so.23.0
void read_pmds(const tree& from, machine& out) {
    constexpr std::string_view prefix = "librte_net_";
    for (const std::string& triplet : from.names("usr/lib")) {
        const std::string folder = "usr/lib/" + triplet + "/dpdk";
        for (const std::string& version : from.names(folder)) {
            std::string pmds = folder;
            pmds += '/';
            pmds += version;
            for (const std::string& file : from.names(pmds)) {
                const std::size_t dot = file.find(".so");
                if (file.starts_with(prefix) && dot != std::string::npos) {
                    out.pmds.push_back(file.substr(prefix.size(), dot - prefix.size()));
                }
            }
        }
    }
    std::sort(out.pmds.begin(), out.pmds.end());
    out.pmds.erase(std::unique(out.pmds.begin(), out.pmds.end()), out.pmds.end());
}

bool runs(const tree& from, const std::string& program) {
    for (const std::string& name : from.names("proc")) {
        if (parse_number(name) && from.text("proc/" + name + "/comm") == program) {
            return true;
        }
    }
    return false;
}

std::optional<std::uint64_t> memlock_of(const tree& from) {
    constexpr std::string_view key = "Max locked memory";
    const std::string limits = from.text("proc/self/limits").value_or("");
    for (const std::string_view line : pieces(limits, "\n")) {
        if (line.starts_with(key)) {
            const auto words = pieces(line.substr(key.size()), " ");
            const auto soft = words.empty() ? std::nullopt : parse_number(words[0]);
            return soft && *soft >= 0 ? std::optional(static_cast<std::uint64_t>(*soft)) : std::nullopt;
        }
    }
    return std::nullopt;
}

}  // namespace

void read_kernel(const tree& from, machine& out) {
    out.kernel = from.text("proc/sys/kernel/osrelease").value_or("");
    out.boot = from.text("proc/cmdline").value_or("");
    const std::string modules = modules_of(from, out.kernel);
    out.has.vfio_pci = driver(from, modules, "vfio-pci");
    out.has.uio_pci_generic = driver(from, modules, "uio_pci_generic");
    out.has.tun = device(from, modules, "dev/net/tun", "tun");
    out.has.vhost_net = device(from, modules, "dev/vhost-net", "vhost_net");
    const std::string protocols = from.text("proc/net/protocols").value_or("");
    out.has.af_packet = has_line(protocols, "PACKET", 0);
    out.has.af_xdp = has_line(protocols, "XDP", 0);
    out.has.hugetlbfs = has_line(from.text("proc/filesystems").value_or(""), "hugetlbfs", 1);
    const std::string noiommu = from.text("sys/module/vfio/parameters/enable_unsafe_noiommu_mode").value_or("N");
    out.has.unsafe_noiommu = noiommu == "Y" || noiommu == "1";
    out.iommus = from.names("sys/class/iommu");
    out.iommu_groups = from.names("sys/kernel/iommu_groups").size();
    read_pmds(from, out);
    out.irqbalance = runs(from, "irqbalance");
    out.memlock = memlock_of(from);
}

}  // namespace postern::machine
