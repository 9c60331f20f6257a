// The section [port] of edge.toml: which network port Postern takes for itself, and who it is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "board/process/settings.h"
#include "dataplane/net/interface.h"

namespace postern::edge {

struct port_configuration {
    std::string device;            ///< with the driver's arguments: "net_tap0,iface=postern0", "0000:00:04.0"
    std::string twin;              ///< the kernel's device beside the port; empty: none
    std::uint32_t memory_mib = 0;  ///< 0: as much as shards, descriptors and MTU need
    std::uint16_t queues = 0;      ///< 0: one for each shard, or as many as the device has
    std::uint16_t descriptors = 1024;
    bool offload_checksums = true;
    bool telemetry = false;
    bool busy = false;                    ///< never sleeps
    std::optional<net::mac_address> mac;  ///< nothing: the device's own
    net::interface_settings network;      ///< without `mac`
};

/// Reads the section into `out`; what is wrong is said to the section's file.
void read_port(process::settings_section section, port_configuration& out);

}  // namespace postern::edge
