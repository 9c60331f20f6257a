// The running edge: shards over kernel sockets or a port of its own, relay threads, table holder and edge socket, wired
// together.
//
// Construct once the ports are bound and privileges are dropped, then `run` on the main thread: it serves signals and
// the edge socket until the process is to end. SIGTERM and SIGINT drain, a second one ends at once; SIGHUP changes
// nothing.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "board/process/files.h"
#include "dataplane/edge/configuration.h"
#include "dataplane/edge/environment.h"
#include "dataplane/sockets/listeners.h"

namespace postern::edge {

struct packet_port;

/// What was opened while the process still had the right to.
struct opened_resources {
    edge::environment environment;
    std::vector<sockets::shard_listeners> listeners;  ///< one element for each shard; none over a port of its own
    std::shared_ptr<packet_port> port;                ///< over a port of its own
    process::descriptor edge_socket;
};

/// Opens folders, ports and the edge socket as `settings` say, and gives privileges away.
process::result<opened_resources> open_resources(const configuration& settings);

class running_edge {
public:
    /// Puts the last good table in force and starts every thread. Throws std::exception if the system refuses one.
    running_edge(configuration settings, opened_resources opened);
    ~running_edge();
    running_edge(const running_edge&) = delete;
    running_edge& operator=(const running_edge&) = delete;

    /// Returns when the edge has drained.
    void run();

private:
    struct state;
    std::unique_ptr<state> _state;
};

}  // namespace postern::edge
