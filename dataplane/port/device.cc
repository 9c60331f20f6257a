#include "dataplane/port/device.h"

#include <rte_errno.h>
#include <rte_mempool.h>
#include <sys/random.h>

#include <algorithm>

#include "dataplane/port/drivers.h"

namespace postern::port {
namespace {

constexpr std::size_t rss_key_octets = 40;
constexpr std::uint32_t pool_cache = 256;
// Octets of a buffer beyond the MTU: Ethernet's header, and what drivers round their slots up by.
constexpr std::size_t frame_slack = 400;
constexpr std::uint64_t rss_wanted = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;
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
    const std::uint16_t most = std::min(info.max_rx_queues, info.max_tx_queues);
    if (settings.queues == 0 || settings.queues > most) {
        return tl::unexpected("it has " + std::to_string(most) + " queues, and " + std::to_string(settings.queues) +
                              " shards want one each");
    }
    rte_eth_conf wanted{};
    std::array<std::uint8_t, rss_key_octets> key;  // NOLINT: filled below
    if (settings.queues > 1) {
        // A random key: with a known one, who picks source ports puts every connection on one queue.
        if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) {
            return tl::unexpected(std::string("the kernel gives no random key"));
        }
        wanted.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        wanted.rx_adv_conf.rss_conf.rss_key = info.hash_key_size == key.size() ? key.data() : nullptr;
        wanted.rx_adv_conf.rss_conf.rss_key_len = info.hash_key_size == key.size() ? rss_key_octets : 0;
        wanted.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & rss_wanted;
    }
    if (settings.offload_checksums) {
        wanted.rxmode.offloads = info.rx_offload_capa & checksums_in;
        _tx_checksums = (info.tx_offload_capa & checksums_out) == checksums_out;
        wanted.txmode.offloads = _tx_checksums ? checksums_out : 0;
    }
    if (const int code = rte_eth_dev_configure(_port, settings.queues, settings.queues, &wanted); code != 0) {
        return tl::unexpected("it can't be configured with " + std::to_string(settings.queues) +
                              " queues: " + because(code));
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
    const auto node = static_cast<unsigned>(std::max(0, rte_eth_dev_socket_id(_port)));
    const std::size_t frame = std::size_t{settings.mtu} + frame_slack;
    const auto room = static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + std::max<std::size_t>(frame, 2048));
    const std::uint32_t buffers = std::uint32_t{in} + out + settings.spare_buffers + 2 * pool_cache;
    for (std::uint16_t i = 0; i < settings.queues; ++i) {
        const std::string name = "postern-" + std::to_string(_port) + "-" + std::to_string(i);
        rte_mempool* const pool =
            rte_pktmbuf_pool_create(name.c_str(), buffers, pool_cache, 0, room, static_cast<int>(node));
        if (pool == nullptr) {
            return tl::unexpected("no memory for " + std::to_string(buffers) + " buffers of " + std::to_string(room) +
                                  " octets (" + because(rte_errno) + "): give more, or shorter queues");
        }
        _pools.push_back(pool);
        int code = rte_eth_rx_queue_setup(_port, i, in, node, nullptr, pool);
        code = code != 0 ? code : rte_eth_tx_queue_setup(_port, i, out, node, nullptr);
        if (code != 0) {
            return tl::unexpected("queue " + std::to_string(i) + " can't be made: " + because(code));
        }
    }
    if (const int code = rte_eth_dev_start(_port); code != 0) {
        return tl::unexpected("it does not start: " + because(code));
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
    return {};
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
    for (rte_mempool* const pool : _pools) {
        rte_mempool_free(pool);
    }
}

queue device::queue_at(std::uint16_t index) noexcept {
    return {_port, index, _pools[index], _tx_checksums};
}

bool device::link_up() const noexcept {
    rte_eth_link link{};
    return rte_eth_link_get_nowait(_port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
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
