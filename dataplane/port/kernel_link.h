// A TAP device of this machine's kernel: made, given an Ethernet address, IP addresses and default routes, and set up.
// Over the kernel's own interfaces (TUN/TAP, rtnetlink, /proc/sys/net), for a process that still has CAP_NET_ADMIN.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "board/process/files.h"
#include "dataplane/net/interface.h"

namespace postern::port {

/// The metric of the default routes that are set: a route of the operator's own comes before.
inline constexpr unsigned twin_route_metric = 1024;

/// The device lives as long as its descriptor, which is non-blocking: a read is a frame, a write is one. It has the
/// addresses, MTU and gateways of `network`, neither tag nor duplicate address detection nor autoconfiguration. The
/// error names what the kernel refused.
tl::expected<process::descriptor, std::string> make_kernel_link(const std::string& name,
                                                                const net::interface_settings& network);

}  // namespace postern::port
