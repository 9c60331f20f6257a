#include "board/machine/machine.h"

#include <algorithm>

namespace postern::machine {
namespace {

template <class Items, class Is>
auto found(const Items& items, Is is) noexcept -> decltype(items.data()) {
    const auto at = std::find_if(items.begin(), items.end(), is);
    return at == items.end() ? nullptr : &*at;
}

std::uint64_t sum_of_pages(const machine& of, std::uint64_t page_kib, std::uint64_t huge_pages::*which) noexcept {
    std::uint64_t sum = 0;
    for (const node& each : of.nodes) {
        for (const huge_pages& pages : each.pages) {
            sum += pages.kib == page_kib ? pages.*which : 0;
        }
    }
    return sum;
}

}  // namespace

const char* word_of(presence of) noexcept {
    switch (of) {
        case presence::absent:
            return "absent";
        case presence::loadable:
            return "loadable";
        case presence::there:
            return "there";
    }
    return "absent";
}

bool pci_nic::dpdk_driver() const noexcept {
    // igb_uio is built outside the kernel; whoever has it knows why.
    return driver == "vfio-pci" || driver == "uio_pci_generic" || driver == "igb_uio";
}

std::uint64_t machine::free_huge_mib(std::uint64_t page_kib) const noexcept {
    return sum_of_pages(*this, page_kib, &huge_pages::free) * page_kib / 1024;
}

std::uint64_t machine::total_huge_pages(std::uint64_t page_kib) const noexcept {
    return sum_of_pages(*this, page_kib, &huge_pages::total);
}

const pci_nic* machine::nic_at(const std::string& bus) const noexcept {
    return found(nics, [&](const pci_nic& each) { return each.bus == bus; });
}

const interface* machine::interface_named(const std::string& name) const noexcept {
    return found(interfaces, [&](const interface& each) { return each.name == name; });
}

bool machine::has_pmd(const std::string& name) const noexcept {
    return std::find(pmds.begin(), pmds.end(), name) != pmds.end();
}

std::vector<unsigned> machine::cpus_of(int node_id) const {
    std::vector<unsigned> out;
    for (const cpu& each : cpus) {
        if (each.node == node_id) {
            out.push_back(each.id);
        }
    }
    return out;
}

machine look_at(const tree& from) {
    machine out;
    read_cpus(from, out);
    read_memory(from, out);
    read_kernel(from, out);
    read_network(from, out);
    return out;
}

}  // namespace postern::machine
