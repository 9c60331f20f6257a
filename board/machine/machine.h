// What of a machine matters to the packet path: CPUs, memory nodes, network devices and their drivers, huge pages,
// IOMMU, kernel features. Facts only; what is wrong about them is board/doctor's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "board/machine/tree.h"

namespace postern::machine {

struct cpu {
    unsigned id = 0;
    unsigned package = 0;  ///< socket
    unsigned core = 0;     ///< within the package; two CPUs with the same are threads of one core
    int node = 0;
    std::string governor;  ///< of its frequency; empty: the kernel does not steer it
};

/// Huge pages of one size on one node.
struct huge_pages {
    std::uint64_t kib = 0;  ///< size of one: 2048, 1048576
    std::uint64_t total = 0;
    std::uint64_t free = 0;
    std::uint64_t mib_free() const noexcept { return free * kib / 1024; }
};

struct node {
    int id = 0;
    std::vector<unsigned> cpus;
    std::uint64_t memory_mib = 0;
    std::vector<huge_pages> pages;
};

/// How a kernel driver or feature stands.
enum class presence : std::uint8_t {
    absent,    ///< this kernel has it neither built in nor as a module
    loadable,  ///< as a module that is not loaded
    there,
};
const char* word_of(presence of) noexcept;

struct interface {
    std::string name;     ///< "eth0"
    std::string address;  ///< Ethernet address
    unsigned mtu = 0;
    unsigned queues = 0;  ///< receive queues that the kernel's driver has set up
    bool up = false;      ///< set up, whether or not there is a carrier
    bool carrier = false;
    bool default_route = false;
    std::string bus;     ///< address of the PCI device below it; empty: it has none
    std::string driver;  ///< of that device; empty: virtual
};

/// A PCI device of the class "network controller".
struct pci_nic {
    std::string bus;  ///< "0000:00:03.0"
    unsigned vendor = 0;
    unsigned device = 0;
    int node = -1;                        ///< -1: the machine does not say
    std::string driver;                   ///< bound to it; empty: none
    std::vector<std::string> interfaces;  ///< the kernel's, above it
    std::optional<std::string> iommu_group;
    std::vector<std::string> group_others;  ///< other devices of the group that a kernel driver holds
    std::string pmd;                        ///< DPDK's driver for it, "virtio"; empty: not known
    bool dpdk_driver() const noexcept;      ///< bound to one that leaves it to DPDK
};

struct features {
    presence vfio_pci = presence::absent;
    presence uio_pci_generic = presence::absent;
    presence tun = presence::absent;
    presence vhost_net = presence::absent;
    bool af_packet = false;
    bool af_xdp = false;
    bool hugetlbfs = false;
    bool unsafe_noiommu = false;  ///< vfio without an IOMMU is switched on
};

struct machine {
    std::string kernel;  ///< release
    std::string boot;    ///< kernel command line
    std::string cpu_model;
    bool guest = false;              ///< of a hypervisor
    std::vector<cpu> cpus;           ///< online
    std::vector<unsigned> isolated;  ///< by isolcpus
    std::vector<unsigned> nohz_full;
    std::vector<node> nodes;
    std::uint64_t memory_mib = 0;
    std::uint64_t available_mib = 0;
    std::string transparent_huge_pages;  ///< "always", "madvise", "never"; empty: the kernel has none
    std::vector<std::string> hugetlbfs_mounts;
    std::vector<std::string> iommus;
    std::size_t iommu_groups = 0;
    std::vector<interface> interfaces;  ///< but for "lo"
    std::vector<pci_nic> nics;
    features has;
    std::vector<std::string> pmds;         ///< DPDK's network drivers that are installed: "tap", "virtio"
    bool irqbalance = false;               ///< a process of it runs
    std::optional<std::uint64_t> memlock;  ///< octets that this process may lock; nothing: no limit

    std::uint64_t free_huge_mib(std::uint64_t page_kib) const noexcept;
    std::uint64_t total_huge_pages(std::uint64_t page_kib) const noexcept;
    const pci_nic* nic_at(const std::string& bus) const noexcept;
    const interface* interface_named(const std::string& name) const noexcept;
    bool has_pmd(const std::string& name) const noexcept;
    std::vector<unsigned> cpus_of(int node) const;
};

/// Reads what the tree has. What it does not have stays at its default.
machine look_at(const tree& from);

// The parts of it, by subject.
void read_cpus(const tree& from, machine& out);
void read_memory(const tree& from, machine& out);
void read_kernel(const tree& from, machine& out);
/// After `read_kernel`.
void read_network(const tree& from, machine& out);

/// "0000:00:03.0".
bool is_pci_address(std::string_view text);

/// DPDK's network driver for a PCI device ("virtio", "i40e"), empty if this program does not know one.
std::string pmd_of(unsigned vendor, unsigned device);
/// The Debian package that holds it.
std::string package_of_pmd(const std::string& pmd);

}  // namespace postern::machine
