// Two ports of this process joined by rings: what one sends the other receives, buffers and all. For measuring and for
// tests: there is no wire, and no copy of a frame.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace postern::port {

/// Names of the two ports, as `device::open` takes them.
struct ring_link {
    std::string one;
    std::string other;
};

/// Makes the two. `name` is used once in a process; `frames` (a power of two) is how many each direction holds: what is
/// sent beyond it is dropped by the sender. One thread at each end. Call when DPDK is started; they last as long as it.
tl::expected<ring_link, std::string> make_ring_link(const std::string& name, unsigned frames);

}  // namespace postern::port
