#include "dataplane/port/drivers.h"

#include <net/if.h>

#include <algorithm>
#include <array>
#include <fstream>

namespace postern::port {
namespace {

constexpr std::string_view af_packet = "net_af_packet";
constexpr std::uint16_t usual_mtu = 1500;
// The kernel's header of a slot (TPACKET2_HDRLEN), Ethernet's with a tag, and some.
constexpr unsigned slot_overhead = 128;
// The driver takes the slots of all blocks to lie without a gap: sixteen of this step's multiples are whole pages.
constexpr unsigned slot_step = 256;
constexpr unsigned slots_a_block = 16;

}  // namespace

std::string with_driver_arguments(const std::string& device, std::uint16_t mtu) {
    if (!device.starts_with(af_packet) || mtu <= usual_mtu || device.find("framesz=") != std::string::npos) {
        return device;
    }
    const unsigned slot = (mtu + slot_overhead + slot_step - 1) / slot_step * slot_step;
    return device + ",framesz=" + std::to_string(slot) + ",blocksz=" + std::to_string(slot * slots_a_block);
}

std::uint16_t descriptors_in_use(std::string_view device, std::uint16_t asked) noexcept {
    constexpr std::uint16_t ring_of_af_xdp = 2048;
    return device.starts_with("net_af_xdp") ? std::max(asked, ring_of_af_xdp) : asked;
}

bool mtu_is_the_kernels(std::string_view driver, std::uint16_t mtu) noexcept {
    return driver == af_packet && mtu > usual_mtu;
}

tl::expected<void, std::string> kernel_takes_mtu(unsigned interface_index, std::uint16_t mtu) {
    std::array<char, IF_NAMESIZE> name{};
    if (::if_indextoname(interface_index, name.data()) == nullptr) {
        return tl::unexpected(std::string("the kernel's interface behind it is gone"));
    }
    const std::string interface = name.data();
    unsigned has = 0;
    std::ifstream("/sys/class/net/" + interface + "/mtu") >> has;
    if (has < mtu) {
        return tl::unexpected("the kernel's interface " + interface + " has an MTU of " + std::to_string(has) +
                              "; set it: ip link set " + interface + " mtu " + std::to_string(mtu));
    }
    return {};
}

}  // namespace postern::port
