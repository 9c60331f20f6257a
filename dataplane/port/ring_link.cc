#include "dataplane/port/ring_link.h"

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ring.h>

namespace postern::port {

tl::expected<ring_link, std::string> make_ring_link(const std::string& name, unsigned frames) {
    const auto because = [&](const std::string& what) {
        return tl::unexpected("no link of rings '" + name + "': " + what + ": " + rte_strerror(rte_errno));
    };
    constexpr unsigned one_thread_at_each_end = RING_F_SP_ENQ | RING_F_SC_DEQ;
    rte_ring* const there = rte_ring_create((name + "-there").c_str(), frames, SOCKET_ID_ANY, one_thread_at_each_end);
    rte_ring* const back = rte_ring_create((name + "-back").c_str(), frames, SOCKET_ID_ANY, one_thread_at_each_end);
    if (there == nullptr || back == nullptr) {
        return because("no memory for " + std::to_string(frames) + " frames");
    }
    const std::string one = name + "-one";
    const std::string other = name + "-other";
    if (rte_eth_from_rings(one.c_str(), &back, 1, &there, 1, 0) < 0 ||
        rte_eth_from_rings(other.c_str(), &there, 1, &back, 1, 0) < 0) {
        return because("no port");
    }
    return ring_link{"net_ring_" + one, "net_ring_" + other};
}

}  // namespace postern::port
