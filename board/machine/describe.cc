#include "board/machine/describe.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <set>
#include <utility>

#include "board/machine/cpu_list.h"

namespace postern::machine {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kib_of_mib = 1024;
constexpr std::uint64_t mib_of_gib = 1024;
constexpr std::size_t label_width = 14;

class lines {
public:
    void add(std::string label, const std::string& what) {
        label.resize(std::max(label_width, label.size() + 1), ' ');
        _text += label + what + '\n';
    }
    std::string take() { return std::move(_text); }

private:
    std::string _text;
};

std::string joined(const std::vector<std::string>& words, const char* none) {
    std::string out;
    for (const std::string& word : words) {
        out += (out.empty() ? "" : ", ") + word;
    }
    return out.empty() ? none : out;
}

std::string counted(std::size_t number, const char* word) {
    return std::to_string(number) + " " + word + (number == 1 ? "" : "s");
}

std::string cpus_or_none(const std::vector<unsigned>& cpus) {
    return cpus.empty() ? "none" : cpu_list_text(cpus);
}

std::vector<unsigned> ids_of(const machine& of) {
    std::vector<unsigned> out;
    out.reserve(of.cpus.size());
    for (const cpu& each : of.cpus) {
        out.push_back(each.id);
    }
    return out;
}

struct shape {
    std::size_t packages = 0;
    std::size_t cores = 0;
};

shape shape_of(const machine& of) {
    std::set<unsigned> packages;
    std::set<std::pair<unsigned, unsigned>> cores;
    for (const cpu& each : of.cpus) {
        packages.insert(each.package);
        cores.emplace(each.package, each.core);
    }
    return {packages.size(), cores.size()};
}

std::string page_size(std::uint64_t kib) {
    const std::uint64_t mib = kib / kib_of_mib;
    return mib >= mib_of_gib ? std::to_string(mib / mib_of_gib) + " GiB" : std::to_string(mib) + " MiB";
}

/// The presences by the names that they go by in text and JSON.
auto drivers_of(const features& of) {
    return std::array<std::pair<const char*, presence>, 4>{{{"vfio-pci", of.vfio_pci},
                                                            {"uio_pci_generic", of.uio_pci_generic},
                                                            {"tun", of.tun},
                                                            {"vhost-net", of.vhost_net}}};
}

auto switches_of(const features& of) {
    return std::array<std::pair<const char*, bool>, 4>{{{"af_packet", of.af_packet},
                                                        {"af_xdp", of.af_xdp},
                                                        {"hugetlbfs", of.hugetlbfs},
                                                        {"unsafe_noiommu", of.unsafe_noiommu}}};
}

std::string nic_text(const pci_nic& of) {
    std::string out = of.bus + " " + id_text(of) + ", driver " + (of.driver.empty() ? "none" : of.driver);
    if (!of.interfaces.empty()) {
        out += " (" + joined(of.interfaces, "") + ")";
    }
    out += ", node " + (of.node < 0 ? std::string("not said") : std::to_string(of.node));
    out += ", IOMMU group " + of.iommu_group.value_or("none");
    out += ", PMD " + (of.pmd.empty() ? "not known" : of.pmd);
    return out;
}

std::string interface_text(const interface& of) {
    std::string out = of.name + " " + of.address + ", MTU " + std::to_string(of.mtu) + ", " +
                      counted(of.queues, "queue") + ", " +
                      (of.up ? (of.carrier ? "up" : "up without carrier") : "down");
    out += of.default_route ? ", default route" : "";
    out += of.bus.empty() ? ", virtual" : ", " + of.bus + " " + of.driver;
    return out;
}

// In round brackets: in curly ones the two iterators would be two elements.
json::array numbers(const std::vector<unsigned>& of) {
    return json::array(of.begin(), of.end());
}

json::array words(const std::vector<std::string>& of) {
    return json::array(of.begin(), of.end());
}

json::object node_object(const node& of) {
    json::array pages;
    for (const huge_pages& each : of.pages) {
        pages.push_back({{"kib", each.kib}, {"total", each.total}, {"free", each.free}});
    }
    return {{"id", of.id}, {"cpus", numbers(of.cpus)}, {"memory_mib", of.memory_mib}, {"huge_pages", std::move(pages)}};
}

json::object nic_object(const pci_nic& of) {
    return {{"bus", of.bus},
            {"id", id_text(of)},
            {"node", of.node},
            {"driver", of.driver},
            {"interfaces", words(of.interfaces)},
            {"iommu_group", of.iommu_group ? json::value(*of.iommu_group) : json::value(nullptr)},
            {"group_others", words(of.group_others)},
            {"pmd", of.pmd}};
}

json::object interface_object(const interface& of) {
    return {{"name", of.name},     {"address", of.address}, {"mtu", of.mtu},
            {"queues", of.queues}, {"up", of.up},           {"carrier", of.carrier},
            {"bus", of.bus},       {"driver", of.driver},   {"default_route", of.default_route}};
}

json::array cpu_array(const machine& of) {
    json::array out;
    for (const cpu& each : of.cpus) {
        out.push_back({{"id", each.id},
                       {"package", each.package},
                       {"core", each.core},
                       {"node", each.node},
                       {"governor", each.governor}});
    }
    return out;
}

}  // namespace

std::string id_text(const pci_nic& of) {
    std::array<char, 16> out{};
    std::snprintf(out.data(), out.size(), "%04x:%04x", of.vendor & 0xffffU, of.device & 0xffffU);
    return out.data();
}

std::string pages_text(const node& of) {
    std::string out;
    for (const huge_pages& each : of.pages) {
        out += (out.empty() ? "" : "; ") + page_size(each.kib) + ": " +
               (each.total == 0 ? "none" : std::to_string(each.total) + ", " + std::to_string(each.free) + " free");
    }
    return out.empty() ? "none" : out;
}

std::string as_text(const machine& of) {
    lines out;
    const shape counts = shape_of(of);
    out.add("kernel", of.kernel + (of.guest ? ", guest of a hypervisor" : ""));
    out.add("CPUs", cpus_or_none(ids_of(of)) + ": " + counted(counts.packages, "socket") + ", " +
                        counted(counts.cores, "core") + ", " + counted(of.cpus.size(), "thread") + "; " + of.cpu_model);
    out.add("isolated", cpus_or_none(of.isolated) + "; without clock tick " + cpus_or_none(of.nohz_full));
    out.add("memory", std::to_string(of.memory_mib) + " MiB, " + std::to_string(of.available_mib) + " MiB available" +
                          "; transparent huge pages: " +
                          (of.transparent_huge_pages.empty() ? "not there" : of.transparent_huge_pages));
    for (const node& each : of.nodes) {
        out.add("node " + std::to_string(each.id), "CPUs " + cpus_or_none(each.cpus) + ", " +
                                                       std::to_string(each.memory_mib) + " MiB, huge pages " +
                                                       pages_text(each));
    }
    out.add("hugetlbfs", joined(of.hugetlbfs_mounts, "not mounted"));
    out.add("IOMMU", joined(of.iommus, "none") + "; " + counted(of.iommu_groups, "group"));
    for (const pci_nic& each : of.nics) {
        out.add("NIC", nic_text(each));
    }
    for (const interface& each : of.interfaces) {
        out.add("interface", interface_text(each));
    }
    std::vector<std::string> can;
    for (const auto& [name, stands] : drivers_of(of.has)) {
        can.push_back(std::string(name) + " " + word_of(stands));
    }
    for (const auto& [name, yes] : switches_of(of.has)) {
        can.push_back(std::string(name) + (yes ? " there" : " absent"));
    }
    out.add("features", joined(can, "none"));
    out.add("PMDs", joined(of.pmds, "none installed"));
    out.add("memlock", of.memlock ? std::to_string(*of.memlock / kib_of_mib) + " KiB" : "no limit");
    out.add("irqbalance", of.irqbalance ? "runs" : "does not run");
    return out.take();
}

std::string as_json(const machine& of) {
    json::object can;
    for (const auto& [name, stands] : drivers_of(of.has)) {
        can[name] = word_of(stands);
    }
    for (const auto& [name, yes] : switches_of(of.has)) {
        can[name] = yes;
    }
    json::array nodes;
    for (const node& each : of.nodes) {
        nodes.push_back(node_object(each));
    }
    json::array nics;
    for (const pci_nic& each : of.nics) {
        nics.push_back(nic_object(each));
    }
    json::array interfaces;
    for (const interface& each : of.interfaces) {
        interfaces.push_back(interface_object(each));
    }
    const json::object whole = {
        {"kernel", of.kernel},
        {"boot", of.boot},
        {"cpu_model", of.cpu_model},
        {"guest", of.guest},
        {"cpus", cpu_array(of)},
        {"isolated", numbers(of.isolated)},
        {"nohz_full", numbers(of.nohz_full)},
        {"memory_mib", of.memory_mib},
        {"available_mib", of.available_mib},
        {"transparent_huge_pages", of.transparent_huge_pages},
        {"nodes", std::move(nodes)},
        {"hugetlbfs_mounts", words(of.hugetlbfs_mounts)},
        {"iommus", words(of.iommus)},
        {"iommu_groups", of.iommu_groups},
        {"nics", std::move(nics)},
        {"interfaces", std::move(interfaces)},
        {"features", std::move(can)},
        {"pmds", words(of.pmds)},
        {"memlock", of.memlock ? json::value(*of.memlock) : json::value(nullptr)},
        {"irqbalance", of.irqbalance},
    };
    return json::serialize(whole) + "\n";
}

}  // namespace postern::machine
