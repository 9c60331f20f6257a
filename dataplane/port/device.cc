#include "dataplane/port/device.h"

#include <rte_errno.h>
#include <rte_mempool.h>

#include <algorithm>

#include "dataplane/port/buffers.h"
#include "dataplane/port/drivers.h"
#include "dataplane/port/rss.h"

namespace postern::port {
namespace {

// DPDK 22.11's net_tap writes beyond an array of its own from the fifth pair of queues on.
constexpr std::uint16_t most_tap_queues = 4;
constexpr std::uint64_t checksums_in = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
constexpr std::uint64_t checksums_out = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

std::string because(int code) {
    return rte_strerror(code < 0 ? -code : code);
}

}  // namespace

tl::expected<std::unique_ptr<device>, std::string> device::open(const device_settings& settings) {
    std::unique_ptr<device> out(new device);
    out->_name = settings.name;
    if (rte_eth_dev_get_port_by_name(settings.name.c_str(), &out->_port) != 0) {
        return tl::unexpected("there is no port '" + settings.name +
                              "': is it in the list of devices, and bound to a driver of DPDK's?");
    }
    if (const auto done = out->configure(settings); !done) {
        return tl::unexpected("port '" + settings.name + "': " + done.error());
    }
    return out;
}

tl::expected<void, std::string> device::configure(const device_settings& settings) {
    rte_eth_dev_info info{};
    if (const int code = rte_eth_dev_info_get(_port, &info); code != 0) {
        return tl::unexpected("the driver tells nothing of it: " + because(code));
    }
    _driver = info.driver_name;
    const std::uint16_t able = std::min(info.max_rx_queues, info.max_tx_queues);
    const std::uint16_t most = _driver == "net_tap" ? std::min(able, most_tap_queues) : able;
    _queues = settings.queues != 0 ? settings.queues : std::min(most, settings.shards);
    _mtu = settings.mtu;
    if (_queues == 0 || _queues > most) {
        return tl::unexpected("it has " + std::to_string(most) + " queues, not " + std::to_string(settings.queues));
    }
    if (_queues > settings.shards) {
        return tl::unexpected(std::to_string(settings.queues) + " queues are more than the " +
                              std::to_string(settings.shards) + " shards that could serve them");
    }
    // net_tap tells its receive function of frames by a signal to the process, which any shard's thread may get later
    // than another one is woken: with several, its interrupts would be missed.
    const bool ask = settings.interrupts && (_driver != "net_tap" || settings.shards == 1);
    // Drivers without receive interrupts say so when they are configured or started.
    std::vector<std::uint8_t> key = random_rss_key(info);
    auto started = ask ? start(settings, info, key, true) : tl::unexpected(std::string());
    _interrupts = started.has_value();
    started = started ? started : start(settings, info, key, false);
    if (!started) {
        return started;
    }
    _started = true;
    // Neighbour discovery comes by multicast; a driver without the setting takes it anyway or is told by promiscuity.
    if (rte_eth_allmulticast_enable(_port) != 0) {
        rte_eth_promiscuous_enable(_port);
    }
    rte_ether_addr mac{};
    if (const int code = rte_eth_macaddr_get(_port, &mac); code != 0) {
        return tl::unexpected("it tells no Ethernet address: " + because(code));
    }
    std::copy_n(mac.addr_bytes, _mac.size(), _mac.begin());
    if (settings.mac && *settings.mac != _mac) {
        take_frames_for(*settings.mac);
    }
    std::optional<steering::rules> spread;
    if (_queues > 1 && _queues == settings.shards) {
        spread = spreading_in_force(_port, info, key, _queues);
    }
    _owners = spread ? std::move(*spread) : steering::own_rules(settings.shards);
    look_at_link();
    _link_changes = 0;
    return {};
}

tl::expected<void, std::string> device::start(const device_settings& settings, const rte_eth_dev_info& info,
                                              std::vector<std::uint8_t>& key, bool interrupts) {
    rte_eth_conf wanted{};
    if (_queues > 1) {
        ask_for_spreading(info, key, wanted);
    }
    wanted.intr_conf.rxq = interrupts ? 1 : 0;
    wanted.intr_conf.lsc = (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0 ? 1 : 0;
    if (settings.offload_checksums) {
        // virtio's peers leave checksums out between hosts of one machine; the kernel's twin needs them in.
        const bool incomplete = settings.kernel_twin && _driver.starts_with("net_virtio");
        wanted.rxmode.offloads |= incomplete ? 0 : info.rx_offload_capa & checksums_in;
        _tx_checksums = (info.tx_offload_capa & checksums_out) == checksums_out;
        wanted.txmode.offloads = _tx_checksums ? checksums_out : 0;
    }
    if (const int code = rte_eth_dev_configure(_port, _queues, _queues, &wanted); code != 0) {
        return tl::unexpected("it can't be configured with " + std::to_string(_queues) + " queues: " + because(code));
    }
    if (mtu_is_the_kernels(_driver, settings.mtu)) {
        if (auto taken = kernel_takes_mtu(info.if_index, settings.mtu); !taken) {
            return taken;
        }
    } else if (const int code = rte_eth_dev_set_mtu(_port, settings.mtu); code != 0 && code != -ENOTSUP) {
        return tl::unexpected("it does not take an MTU of " + std::to_string(settings.mtu) + ": " + because(code) +
                              " (its driver's frames have at most " + std::to_string(info.max_rx_pktlen) + " octets)");
    }
    std::uint16_t in = settings.descriptors;
    std::uint16_t out = settings.descriptors;
    if (const int code = rte_eth_dev_adjust_nb_rx_tx_desc(_port, &in, &out); code != 0) {
        return tl::unexpected("it takes no queues of " + std::to_string(settings.descriptors) + ": " + because(code));
    }
    if (auto made = set_up_queues(settings, in, out); !made) {
        return made;
    }
    if (const int code = rte_eth_dev_start(_port); code != 0) {
        return tl::unexpected("it does not start: " + because(code));
    }
    return {};
}

tl::expected<void, std::string> device::set_up_queues(const device_settings& settings, std::uint16_t in,
                                                      std::uint16_t out) {
    const auto node = static_cast<unsigned>(std::max(0, rte_eth_dev_socket_id(_port)));
    const std::string name = "postern-" + std::to_string(_port) + "-";
    for (std::uint16_t i = static_cast<std::uint16_t>(_pools.size()); i < settings.shards; ++i) {
        const std::uint32_t received = i < _queues ? in : 0U;
        const auto made =
            pool(name + std::to_string(i), settings, {received, out, settings.shards, settings.kernel_twin});
        if (!made) {
            return tl::unexpected(made.error());
        }
        _pools.push_back(*made);
    }
    if (settings.kernel_twin && _kernel_pool == nullptr) {
        const auto made = pool(name + "kernel", settings, {0, out, settings.shards, true});
        if (!made) {
            return tl::unexpected(made.error());
        }
        _kernel_pool = *made;
    }
    for (std::uint16_t i = 0; i < _queues; ++i) {
        int code = rte_eth_rx_queue_setup(_port, i, in, node, nullptr, _pools[i]);
        code = code == 0 ? rte_eth_tx_queue_setup(_port, i, out, node, nullptr) : code;
        if (code != 0) {
            return tl::unexpected("queue " + std::to_string(i) + " can't be made: " + because(code));
        }
    }
    return {};
}

tl::expected<rte_mempool*, std::string> device::pool(const std::string& name, const device_settings& settings,
                                                     const buffer_holders& holders) const {
    const std::uint32_t buffers = buffers_needed(holders) + settings.spare_buffers;
    const std::uint32_t octets = buffer_octets(settings.mtu);
    rte_mempool* const made = rte_pktmbuf_pool_create(name.c_str(), buffers, pool_cache, 0,
                                                      static_cast<std::uint16_t>(octets), rte_eth_dev_socket_id(_port));
    if (made == nullptr) {
        return tl::unexpected("no memory for " + std::to_string(buffers) + " buffers of " + std::to_string(octets) +
                              " octets (" + because(rte_errno) + "): give more, or shorter queues");
    }
    return made;
}

/// A driver that filters by one address alone takes everything instead; what is for others, `net` drops.
void device::take_frames_for(const net::mac_address& mac) noexcept {
    rte_ether_addr other{};
    std::copy(mac.begin(), mac.end(), other.addr_bytes);
    if (rte_eth_dev_mac_addr_add(_port, &other, 0) != 0) {
        rte_eth_promiscuous_enable(_port);
    }
}

device::~device() {
    if (_started) {
        rte_eth_dev_stop(_port);
        rte_eth_dev_close(_port);
    }
    for (rte_mempool* const each : _pools) {
        rte_mempool_free(each);
    }
    rte_mempool_free(_kernel_pool);
}

queue device::queue_at(std::uint16_t shard, hand_over* others) {
    const std::uint32_t longest = buffer_octets(_mtu) - RTE_PKTMBUF_HEADROOM;
    return {{_port, shard, shard < _queues, _tx_checksums, longest}, _pools[shard], others, shard};
}

bool device::look_at_link() noexcept {
    rte_eth_link link{};
    if (rte_eth_link_get_nowait(_port, &link) != 0) {
        return false;  // it does not say: what was found last stands
    }
    const bool up = link.link_status == RTE_ETH_LINK_UP;
    _link_mbps.store(link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed, std::memory_order_relaxed);
    if (_link_up.exchange(up, std::memory_order_relaxed) == up) {
        return false;
    }
    _link_changes.fetch_add(1, std::memory_order_release);
    return true;
}

device::link_state device::link() const noexcept {
    const std::uint64_t changes = link_changes();
    return {_link_up.load(std::memory_order_relaxed), _link_mbps.load(std::memory_order_relaxed), changes};
}

device::losses device::lost() const noexcept {
    rte_eth_stats stats{};
    if (rte_eth_stats_get(_port, &stats) != 0) {
        return {};
    }
    return {stats.imissed, stats.rx_nombuf, stats.ierrors, stats.oerrors};
}

std::uint32_t device::buffers_in_use() const noexcept {
    std::uint32_t used = 0;
    for (const rte_mempool* const pool : _pools) {
        used += rte_mempool_in_use_count(pool);
    }
    return used;
}

}  // namespace postern::port
