// Memory: enough of it, on huge pages, on the device's own node.
#include <algorithm>

#include "board/doctor/rules.h"

namespace postern::doctor {
namespace {

constexpr std::uint64_t page_kib = 2048;  // the size that postern-edge asks for
constexpr std::uint64_t page_mib = 2;
const std::string pages_file = "/proc/sys/vm/nr_hugepages";

std::string for_good(std::uint64_t pages) {
    return "echo vm.nr_hugepages=" + std::to_string(pages) + " > /etc/sysctl.d/60-postern.conf";
}

/// Huge pages that are wanted and not free.
std::uint64_t lacking(std::uint64_t wanted_mib, std::uint64_t free_mib) {
    return free_mib >= wanted_mib ? 0 : (wanted_mib - free_mib + page_mib - 1) / page_mib;
}

void check_pages(visit& of) {
    const std::uint64_t wanted = of.memory_mib;
    const std::uint64_t lack = lacking(wanted, of.on.free_huge_mib(page_kib));
    if (lack == 0) {
        return;
    }
    if (!of.on.has.hugetlbfs) {
        of.add(severity::warning, "huge_pages", "this kernel has no huge pages: memory is on ordinary ones, and slower",
               pages_file);
        return;
    }
    if (of.on.available_mib < lack * page_mib) {
        of.add(severity::warning, "huge_pages",
               std::to_string(lack * page_mib) + " MiB more huge pages are wanted, and only " +
                   std::to_string(of.on.available_mib) + " MiB of memory are available",
               "edge.toml: port.memory_mib");
        return;
    }
    // uio gives the device physical addresses, which ordinary pages do not keep.
    const bool needed = of.nic != nullptr && of.nic->driver != "vfio-pci" && of.nic->dpdk_driver();
    const std::uint64_t pages = of.on.total_huge_pages(page_kib) + lack;
    of.add(needed ? severity::error : severity::warning, "huge_pages",
           "buffers of " + std::to_string(wanted) + " MiB want " + std::to_string((wanted + 1) / page_mib) +
               " free huge pages of 2 MiB, and " + std::to_string(of.on.free_huge_mib(page_kib) / page_mib) +
               " are free; " +
               (needed ? of.nic->driver + " does not work without" : "without them it works on ordinary pages, slower"),
           pages_file, "echo " + std::to_string(pages) + " > " + pages_file, for_good(pages));
}

/// Pages of the device's own node, where a machine has several.
void check_node_pages(visit& of) {
    if (of.nic == nullptr || of.nic->node < 0 || of.on.nodes.size() < 2) {
        return;
    }
    for (const machine::node& each : of.on.nodes) {
        if (each.id != of.nic->node) {
            continue;
        }
        for (const machine::huge_pages& pages : each.pages) {
            const std::uint64_t lack = lacking(of.memory_mib, pages.mib_free());
            if (pages.kib == page_kib && lack != 0) {
                const std::string file = "/sys/devices/system/node/node" + std::to_string(each.id) +
                                         "/hugepages/hugepages-2048kB/nr_hugepages";
                of.add(severity::warning, "node_pages",
                       "the device is on node " + std::to_string(each.id) + ", which has " +
                           std::to_string(pages.mib_free()) +
                           " MiB of free huge pages; frames would go to memory of another node",
                       file, "echo " + std::to_string(pages.total + lack) + " > " + file);
            }
        }
    }
}

}  // namespace

void check_memory(visit& of) {
    const std::uint64_t wanted = of.memory_mib;
    if (of.on.memory_mib != 0 && wanted > of.on.memory_mib / 2) {
        of.add(severity::error, "memory",
               "buffers of " + std::to_string(wanted) + " MiB are over half of this machine's " +
                   std::to_string(of.on.memory_mib) + " MiB; write fewer shards, shorter queues, or less memory",
               "edge.toml: port.memory_mib");
        return;
    }
    check_pages(of);
    check_node_pages(of);
    if (of.on.transparent_huge_pages == "always" && of.device.pci) {
        of.add(severity::warning, "transparent_huge_pages",
               "transparent huge pages are made for every process, and the kernel stops threads to do so",
               "/sys/kernel/mm/transparent_hugepage/enabled",
               "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
               boot_command("transparent_hugepage=madvise"));
    }
}

}  // namespace postern::doctor
