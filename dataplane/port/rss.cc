#include "dataplane/port/rss.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace postern::port {
namespace {

constexpr std::uint64_t tcp_tuples = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;
constexpr std::uint64_t addresses = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;

/// The device's own hash, if it has one of the family; a family that it does not hash comes on any queue, and is handed
/// over by the whole tuple.
steering::input input_of(std::uint64_t hashed, std::uint64_t tuple, std::uint64_t only_addresses) noexcept {
    return (hashed & tuple) == 0 && (hashed & only_addresses) != 0 ? steering::input::addresses
                                                                   : steering::input::tuple;
}

/// The device's table of queues, or nothing.
std::optional<std::vector<std::uint16_t>> read_table(std::uint16_t port, std::uint16_t size) {
    std::vector<rte_eth_rss_reta_entry64> groups((size + RTE_ETH_RETA_GROUP_SIZE - 1U) / RTE_ETH_RETA_GROUP_SIZE);
    for (rte_eth_rss_reta_entry64& group : groups) {
        group.mask = ~std::uint64_t{0};
    }
    if (size == 0 || rte_eth_dev_rss_reta_query(port, groups.data(), size) != 0) {
        return std::nullopt;
    }
    std::vector<std::uint16_t> out(size);
    for (std::size_t i = 0; i < size; ++i) {
        out[i] = groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
    }
    return out;
}

void set_even_table(std::uint16_t port, std::uint16_t size, std::uint16_t queues) {
    std::vector<rte_eth_rss_reta_entry64> groups((size + RTE_ETH_RETA_GROUP_SIZE - 1U) / RTE_ETH_RETA_GROUP_SIZE);
    for (std::size_t i = 0; i < groups.size() * RTE_ETH_RETA_GROUP_SIZE; ++i) {
        groups[i / RTE_ETH_RETA_GROUP_SIZE].mask = ~std::uint64_t{0};
        groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = static_cast<std::uint16_t>(i % queues);
    }
    // A driver that can't be told may still tell: what it says afterwards counts.
    rte_eth_dev_rss_reta_update(port, groups.data(), size);
}

std::uint64_t wanted_of(const rte_eth_dev_info& info) noexcept {
    const std::uint64_t able = info.flow_type_rss_offloads;
    return (able & tcp_tuples) | ((able & RTE_ETH_RSS_NONFRAG_IPV4_TCP) == 0 ? able & RTE_ETH_RSS_IPV4 : 0) |
           ((able & RTE_ETH_RSS_NONFRAG_IPV6_TCP) == 0 ? able & RTE_ETH_RSS_IPV6 : 0);
}

rte_eth_rss_conf conf_of(std::vector<std::uint8_t>& key, std::uint64_t hashed) noexcept {
    rte_eth_rss_conf out{};
    out.rss_key = key.data();
    out.rss_key_len = static_cast<std::uint8_t>(key.size());
    out.rss_hf = hashed;
    return out;
}

}  // namespace

std::vector<std::uint8_t> random_rss_key(const rte_eth_dev_info& info) {
    std::vector<std::uint8_t> key(info.hash_key_size != 0 ? info.hash_key_size : toeplitz::key_octets);
    if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) {
        throw std::system_error(errno, std::generic_category(), "the kernel gives no random key");
    }
    return key;
}

void ask_for_spreading(const rte_eth_dev_info& info, std::vector<std::uint8_t>& key, rte_eth_conf& conf) {
    if (const std::uint64_t wanted = wanted_of(info); wanted != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rxmode.offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
        conf.rx_adv_conf.rss_conf = conf_of(key, wanted);
    }
}

std::optional<steering::rules> spreading_in_force(std::uint16_t port, const rte_eth_dev_info& info,
                                                  std::vector<std::uint8_t>& key, std::uint16_t queues) {
    const std::uint64_t wanted = wanted_of(info);
    if (wanted == 0 || key.size() < toeplitz::key_octets) {
        return std::nullopt;
    }
    rte_eth_rss_conf asked = conf_of(key, wanted);
    rte_eth_dev_rss_hash_update(port, &asked);
    set_even_table(port, info.reta_size, queues);
    std::vector<std::uint8_t> has(key.size());
    rte_eth_rss_conf conf = conf_of(has, 0);
    auto table = read_table(port, info.reta_size);
    const bool told = table && rte_eth_dev_rss_hash_conf_get(port, &conf) == 0 &&
                      (conf.rss_hf & (tcp_tuples | addresses)) != 0 &&
                      std::all_of(table->begin(), table->end(), [&](std::uint16_t queue) { return queue < queues; });
    if (!told) {
        return std::nullopt;
    }
    steering::rules out;
    out.of_device = true;
    std::copy_n(has.begin(), out.key.size(), out.key.begin());
    out.table = std::move(*table);
    out.ipv4 = input_of(conf.rss_hf, RTE_ETH_RSS_NONFRAG_IPV4_TCP, RTE_ETH_RSS_IPV4);
    out.ipv6 = input_of(conf.rss_hf, RTE_ETH_RSS_NONFRAG_IPV6_TCP, RTE_ETH_RSS_IPV6);
    return out;
}

}  // namespace postern::port
