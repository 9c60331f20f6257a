// The edge over a network port of its own (transport = "dpdk"): opened while the process still has the right to, then
// handed to its shard.
#pragma once

#include <memory>

#include "board/process/files.h"
#include "dataplane/edge/configuration.h"
#include "dataplane/edge/shard_worker.h"

namespace postern::port {
class device;
}

namespace postern::edge {

/// Starts DPDK and the port. Call before any other thread is made.
process::result<std::shared_ptr<port::device>> open_port(const port_configuration& settings);

/// The shard at the port's only queue. `settings` has a port.
std::unique_ptr<shard_worker> make_packet_worker(std::shared_ptr<port::device> port, const configuration& settings,
                                                 const shard_worker::surroundings& around);

}  // namespace postern::edge
