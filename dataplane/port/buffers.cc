#include "dataplane/port/buffers.h"

#include <rte_mbuf.h>

#include <algorithm>

#include "dataplane/port/queue.h"
#include "dataplane/port/twin.h"

namespace postern::port {
namespace {

// Ethernet's header, and what drivers round their slots up by.
constexpr std::uint32_t frame_slack = 400;
constexpr std::uint32_t frames_put = 64 + 1;  // that wait for a queue's flush, and the one that is written to
constexpr std::uint32_t driver_bursts = 64;   // that drivers hold on to besides their descriptors
constexpr std::uint32_t other_threads = 2;    // of the process, with caches: the main thread and the twin's
constexpr std::uint32_t memory_besides = 16;  // MiB: DPDK's own structures, and those of drivers
constexpr std::uint32_t memory_of_pool = 3;   // MiB: a pool's caches and ring
constexpr std::uint64_t small_page = 4096;
constexpr std::uint32_t element_overhead = 64;  // a mempool's object header and padding

}  // namespace

std::uint32_t buffers_needed(const buffer_holders& h) noexcept {
    const std::uint32_t others = h.shards - 1;
    const std::uint32_t device = h.receive_descriptors + h.transmit_descriptors + driver_bursts;
    const std::uint32_t turns = h.shards * most_held + frames_put;
    // To each other shard, and to the one that sends for a shard without a queue.
    const std::uint32_t rings = others * hand_over::room + (others > 0 ? hand_over::room : 0);
    const std::uint32_t twin = h.kernel_twin ? twin::room : 0;
    const std::uint32_t caches = (h.shards + other_threads) * (pool_cache + pool_cache / 2);
    return device + turns + rings + twin + caches;
}

std::uint32_t buffer_octets(std::uint16_t mtu) noexcept {
    return RTE_PKTMBUF_HEADROOM + std::max<std::uint32_t>(mtu + frame_slack, 2048);
}

std::uint32_t memory_needed_mib(const buffer_holders& each, std::uint16_t mtu) noexcept {
    // On ordinary pages no buffer lies across two of them, or it has whole ones.
    const std::uint64_t element =
        (buffer_octets(mtu) + sizeof(rte_mbuf) + element_overhead + small_page - 1) / small_page * small_page;
    const std::uint64_t pools = each.shards + (each.kernel_twin ? 1U : 0U);
    return static_cast<std::uint32_t>(pools * (buffers_needed(each) * element / (1U << 20U) + memory_of_pool)) +
           memory_besides;
}

}  // namespace postern::port
