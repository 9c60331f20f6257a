// Which of DPDK's drivers takes a PCI device. Of Intel's many devices the usual ones; a NIC that is not here is not
// refused, only its package can't be named.
#include <algorithm>
#include <array>

#include "board/machine/machine.h"

namespace postern::machine {
namespace {

struct known_devices {
    unsigned vendor;
    unsigned first;
    unsigned last;
    const char* pmd;
};

constexpr unsigned any = 0xffff;
constexpr std::array<known_devices, 20> table = {{
    {0x1af4, 0x1000, 0x1000, "virtio"},  // transitional
    {0x1af4, 0x1041, 0x1041, "virtio"}, {0x8086, 0x100e, 0x1010, "e1000"},
    {0x8086, 0x10d3, 0x10d3, "e1000"},  // 82574
    {0x8086, 0x10c9, 0x10c9, "e1000"},  // 82576
    {0x8086, 0x1521, 0x1524, "e1000"},  // I350
    {0x8086, 0x1533, 0x1539, "e1000"},  // I210, I211
    {0x8086, 0x10fb, 0x10fc, "ixgbe"},  // 82599
    {0x8086, 0x1528, 0x1528, "ixgbe"},  // X540
    {0x8086, 0x1560, 0x1563, "ixgbe"},  // X550
    {0x8086, 0x15ab, 0x15ce, "ixgbe"},  // X550 in SoCs
    {0x8086, 0x1572, 0x158b, "i40e"},   // X710, XL710, XXV710
    {0x8086, 0x37ce, 0x37d3, "i40e"},   // X722
    {0x8086, 0x1591, 0x159b, "ice"},    // E810
    {0x8086, 0x15f2, 0x15f3, "igc"},    // I225
    {0x8086, 0x154c, 0x154c, "iavf"},   {0x8086, 0x1889, 0x1889, "iavf"},
    {0x15b3, 0x1013, any, "mlx5"},  // ConnectX-4 and later; the kernel's driver stays bound
    {0x1d0f, 0xec20, 0xec21, "ena"},    {0x15ad, 0x07b0, 0x07b0, "vmxnet3"},
}};

}  // namespace

std::string pmd_of(unsigned vendor, unsigned device) {
    const auto* const at = std::find_if(table.begin(), table.end(), [&](const known_devices& each) {
        return each.vendor == vendor && each.first <= device && device <= each.last;
    });
    return at == table.end() ? "" : at->pmd;
}

std::string package_of_pmd(const std::string& pmd) {
    std::string name = pmd;
    std::replace(name.begin(), name.end(), '_', '-');
    // Debian sets a dash before the ABI's number where the name ends in a digit.
    const bool digit = !name.empty() && name.back() >= '0' && name.back() <= '9';
    return "librte-net-" + name + (digit ? "-23" : "23");
}

}  // namespace postern::machine
