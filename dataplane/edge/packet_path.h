// The edge over a network port of its own (transport = "dpdk"): opened while the process still has the right to, then
// shared by its shards.
#pragma once

#include <memory>

#include "board/process/files.h"
#include "dataplane/edge/configuration.h"
#include "dataplane/edge/shard_worker.h"

namespace postern::edge {

/// The port and what its shards share: rings between them, who owns what, the kernel's twin.
struct packet_port;

/// Starts DPDK, the port and the kernel's twin. Call before any other thread is made. `settings` has a port.
process::result<std::shared_ptr<packet_port>> open_port(const configuration& settings);

/// One of the port's shards, from 0 on. All of them are made before the first runs.
std::unique_ptr<shard_worker> make_packet_worker(std::shared_ptr<packet_port> port, unsigned number,
                                                 const configuration& settings,
                                                 const shard_worker::surroundings& around);

}  // namespace postern::edge
