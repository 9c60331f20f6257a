// Receive-side scaling of a device: asked for with a random key, and read back as it is in force.
#pragma once

#include <rte_ethdev.h>

#include <optional>
#include <vector>

#include "dataplane/port/steering.h"

namespace postern::port {

/// A key, drawn at random, as long as the device's. Throws std::system_error if the kernel gives none.
std::vector<std::uint8_t> random_rss_key(const rte_eth_dev_info& info);

/// Asks for spreading by TCP's tuples, or where the device can't hash ports by addresses, with this key, which `conf`
/// refers to. Nothing is asked of a device that does not spread.
void ask_for_spreading(const rte_eth_dev_info& info, std::vector<std::uint8_t>& key, rte_eth_conf& conf);

/// Of a started device with so many receive queues, shard i having queue i: as it is in force, after the key and an
/// even table were set again for drivers that forget them. Nothing: it does not spread, or does not tell how.
std::optional<steering::rules> spreading_in_force(std::uint16_t port, const rte_eth_dev_info& info,
                                                  std::vector<std::uint8_t>& key, std::uint16_t queues);

}  // namespace postern::port
