// One Ethernet port under DPDK: configured, started, its queues handed out. Any driver of DPDK's will do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/port/queue.h"

struct rte_mempool;

namespace postern::port {

struct device_settings {
    std::string name;                  ///< "net_tap0", "0000:00:04.0": as given to the environment, without arguments
    std::uint16_t queues = 1;          ///< pairs of receive and transmit queues, one for each shard
    std::uint16_t descriptors = 1024;  ///< of each queue; the driver may round it
    std::uint16_t mtu = 1500;
    std::uint32_t spare_buffers = 4096;   ///< for each shard, beyond what the queues hold
    bool offload_checksums = true;        ///< where the driver can
    std::optional<net::mac_address> mac;  ///< that frames come for; nothing: the device's own
};

class device {
public:
    /// Opens and starts the port. The error names the port and what it lacks.
    static tl::expected<std::unique_ptr<device>, std::string> open(const device_settings& settings);
    ~device();
    device(const device&) = delete;
    device& operator=(const device&) = delete;

    const net::mac_address& mac() const noexcept { return _mac; }
    const std::string& driver() const noexcept { return _driver; }
    std::uint16_t queues() const noexcept { return static_cast<std::uint16_t>(_pools.size()); }
    /// A shard's end of the port; each is one thread's, and lives no longer than the device.
    queue queue_at(std::uint16_t index) noexcept;
    bool link_up() const noexcept;

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

    std::string _name;
    std::string _driver;
    std::uint16_t _port = 0;
    bool _started = false;
    bool _tx_checksums = false;
    net::mac_address _mac{};
    std::vector<rte_mempool*> _pools;  ///< one a queue
};

}  // namespace postern::port
