// One Ethernet port under DPDK: configured, started, its queues handed out. Any driver of DPDK's will do.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/port/buffers.h"
#include "dataplane/port/queue.h"
#include "dataplane/port/steering.h"

struct rte_mempool;
struct rte_eth_dev_info;

namespace postern::port {

struct device_settings {
    std::string name;  ///< "net_tap0", "0000:00:04.0": as given to the environment, without arguments
    std::uint16_t shards = 1;
    /// Pairs of receive and transmit queues, for as many of the shards, the first ones; 0: one for each shard, or as
    /// many as the device has.
    std::uint16_t queues = 0;
    std::uint16_t descriptors = 1024;  ///< of each queue; the driver may round it
    std::uint16_t mtu = 1500;
    bool interrupts = true;           ///< asked for where the driver has them, so that shards may sleep on them
    bool kernel_twin = false;         ///< buffers for it as well
    std::uint32_t spare_buffers = 0;  ///< for each shard, beyond what is needed (buffers.h): for devices that hold more
    bool offload_checksums = true;    ///< where the driver can
    std::optional<net::mac_address> mac;  ///< that frames come for; nothing: the device's own
};

class device {
public:
    /// Opens and starts the port. The error names the port and what it lacks.
    static tl::expected<std::unique_ptr<device>, std::string> open(const device_settings& settings);
    ~device();
    device(const device&) = delete;
    device& operator=(const device&) = delete;

    /// For the frames of the kernel's twin, if it was asked for.
    rte_mempool* kernel_pool() const noexcept { return _kernel_pool; }
    const net::mac_address& mac() const noexcept { return _mac; }
    const std::string& driver() const noexcept { return _driver; }
    std::uint16_t shards() const noexcept { return static_cast<std::uint16_t>(_pools.size()); }
    std::uint16_t queues() const noexcept { return _queues; }
    /// A shard's end of the port; each is one thread's, and lives no longer than the device. `others`: the shards
    /// beside it, needed from the first shard on that has no queue.
    queue queue_at(std::uint16_t shard, hand_over* others = nullptr);
    /// Whose a frame is: as the device spreads its frames, if it does and every shard has a queue; else by rules of our
    /// own, drawn at the opening.
    const steering::rules& owners() const noexcept { return _owners; }
    /// Whether a shard with a queue can sleep until a frame arrives.
    bool interrupts() const noexcept { return _interrupts; }
    std::uint16_t number() const noexcept { return _port; }

    struct link_state {
        bool up = false;
        std::uint32_t mbps = 0;     ///< 0: unknown
        std::uint64_t changes = 0;  ///< since the start
    };
    /// Asks the driver. One thread, every now and then; true: the link came or went since the last time.
    bool look_at_link() noexcept;
    /// As it was found last. Any thread.
    link_state link() const noexcept;
    std::uint64_t link_changes() const noexcept { return _link_changes.load(std::memory_order_acquire); }

    /// What the driver counted: frames it dropped for want of buffers or room, frames with errors.
    struct losses {
        std::uint64_t missed = 0;
        std::uint64_t no_buffer = 0;
        std::uint64_t bad = 0;
        std::uint64_t unsent = 0;
    };
    losses lost() const noexcept;
    /// Buffers of all pools in use: 0 at rest but for what the receive queues hold.
    std::uint32_t buffers_in_use() const noexcept;

private:
    device() = default;
    tl::expected<void, std::string> configure(const device_settings& settings);
    void take_frames_for(const net::mac_address& mac) noexcept;
    tl::expected<void, std::string> start(const device_settings& settings, const rte_eth_dev_info& info,
                                          std::vector<std::uint8_t>& key, bool interrupts);
    tl::expected<void, std::string> set_up_queues(const device_settings& settings, std::uint16_t in, std::uint16_t out);
    tl::expected<rte_mempool*, std::string> pool(const std::string& name, const device_settings& settings,
                                                 const buffer_holders& holders) const;

    std::string _name;
    std::string _driver;
    std::uint16_t _port = 0;
    std::atomic<bool> _link_up{false};
    std::atomic<std::uint32_t> _link_mbps{0};
    std::atomic<std::uint64_t> _link_changes{0};
    std::uint16_t _queues = 0;
    std::uint16_t _mtu = 0;
    bool _started = false;
    bool _interrupts = false;
    bool _tx_checksums = false;
    net::mac_address _mac{};
    steering::rules _owners;
    std::vector<rte_mempool*> _pools;  ///< one a shard
    rte_mempool* _kernel_pool = nullptr;
};

}  // namespace postern::port
