// How many buffers (mbufs) a shard's pool needs, so that it can't run dry while every queue, ring and cache that may
// hold its buffers is full.
#pragma once

#include <cstdint>

namespace postern::port {

/// Buffers that one thread's cache of a pool is filled with; DPDK lets half as many again lie in it.
inline constexpr std::uint32_t pool_cache = 256;

struct buffer_holders {
    std::uint32_t receive_descriptors = 0;   ///< of the shard's own queue; 0: it has none
    std::uint32_t transmit_descriptors = 0;  ///< of the queue that its frames leave by
    std::uint32_t shards = 1;
    bool kernel_twin = false;
};

/// Where a shard's buffers may be at a time: in the device's queues, in its own hands and those of the other shards for
/// a turn, on their way to the others and to the kernel's twin, and in the caches of all threads that free them.
std::uint32_t buffers_needed(const buffer_holders& h) noexcept;

/// Octets of such a buffer for frames of this MTU, headroom included.
std::uint32_t buffer_octets(std::uint16_t mtu) noexcept;

/// Memory for the pools of all shards and what DPDK takes besides, in MiB.
std::uint32_t memory_needed_mib(const buffer_holders& each, std::uint16_t mtu) noexcept;

}  // namespace postern::port
