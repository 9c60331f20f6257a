// A network port that the load has for itself, and who it is there: what the options of --transport dpdk come to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "board/process/files.h"
#include "dataplane/net/interface.h"
#include "dataplane/shard/seam.h"
#include "perf/sockets.h"

namespace postern::perf {

/// As the options have it.
struct port_words {
    std::string device;   ///< with the driver's arguments: "net_af_packet0,iface=eth1", "0000:00:04.0"
    std::string address;  ///< the first of the sources, with its network: "192.0.2.16/24"
    std::string gateway;  ///< empty: the server is in that network
    std::string mac;      ///< empty: the device's own
    std::uint16_t vlan = 0;
    std::uint16_t mtu = 1500;
    std::uint16_t descriptors = 4096;  ///< of each queue: replies to many connections may come at once
    std::uint32_t memory_mib = 0;      ///< 0: as much as descriptors and MTU need
    bool offload_checksums = true;
};

struct port_plan {
    std::string device;
    shard::endpoint server;
    std::optional<net::mac_address> mac;
    /// Without `mac`. The addresses are the sources, one after the other; the gateway is where frames for the server
    /// go: the server itself if it is on the link.
    net::interface_settings network;
    std::uint16_t descriptors = 0;
    std::uint32_t memory_mib = 0;
    bool offload_checksums = true;
};

/// Checks the words and puts them together for so many connections to `target`, from `target.sources` addresses (at
/// least one). The error names the option.
process::result<port_plan> make_port_plan(const port_words& said, const endpoint& target, std::size_t connections);

}  // namespace postern::perf
