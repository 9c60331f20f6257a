// What single drivers of DPDK's want otherwise than most.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace postern::port {

/// The device with the arguments that its driver needs for frames of this MTU and that are not there: net_af_packet's
/// slots, which by default take 1500 octets and little more.
std::string with_driver_arguments(const std::string& device, std::uint16_t mtu);

/// Descriptors of each queue that will be in use when so many are asked for: net_af_xdp fills rings of its own size
/// whatever it is told, and would leave next to nothing of a pool made for fewer.
std::uint16_t descriptors_in_use(std::string_view device, std::uint16_t asked) noexcept;

/// True if DPDK's driver can't set this MTU because an interface of the kernel's has it: net_af_packet beyond 1500.
bool mtu_is_the_kernels(std::string_view driver, std::uint16_t mtu) noexcept;

/// Whether the kernel's interface of this index takes the MTU; the error says how it would.
tl::expected<void, std::string> kernel_takes_mtu(unsigned interface_index, std::uint16_t mtu);

}  // namespace postern::port
