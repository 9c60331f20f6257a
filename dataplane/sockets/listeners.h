// Listening sockets: one per shard and listener with SO_REUSEPORT, made before privileges are dropped, or inherited.
//
// Inherited descriptors (LISTEN_FDS, LISTEN_PID of sd_listen_fds(3): socket activation, or the process before us) serve
// the listener whose address they are bound to. Such a listener binds nothing: its sockets are dealt out to the shards,
// and with fewer sockets than shards some shards accept from the same one. None is closed unused, for closing one
// resets the connections that wait in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "board/process/files.h"
#include "dataplane/shard/seam.h"

namespace postern::sockets {

struct listening_socket {
    process::descriptor socket;
    std::uint16_t listener = 0;  ///< index in the list that was opened
    shard::endpoint at;          ///< where it really listens: the port is the kernel's if 0 was asked for
    bool any_address = false;    ///< on 0.0.0.0 or [::]
};

/// The listening sockets of one shard.
using shard_listeners = std::vector<listening_socket>;

/// Listens on each of `at` for `shards` shards; the result has one element per shard. IPv6 sockets take IPv6 only.
/// `inherited` come first. An error names the address, the reason and the remedy. An inherited socket that no listener
/// is configured for is an error too.
process::result<std::vector<shard_listeners>> open_listeners(std::span<const shard::endpoint> at, std::size_t shards,
                                                             std::vector<process::descriptor> inherited = {},
                                                             int backlog = 4096);

/// The descriptors this process was started with by socket activation, and the environment cleared of them; none if
/// they are not meant for this process.
std::vector<process::descriptor> inherited_listeners();

}  // namespace postern::sockets
