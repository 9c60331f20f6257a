// Serves the edge socket: bounded lines in, one JSON line out for each, in order (docs/edge-socket.md).
//
// Lives on one io_context's thread; table commands run on a thread of its own, one at a time, so that a base that takes
// seconds to load delays no other answer. A client that does not take its answers is cut off.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "board/process/files.h"
#include "dataplane/edge/answers.h"

namespace postern::edge {

class socket_server {
public:
    static constexpr std::size_t most_clients = 64;
    static constexpr std::chrono::seconds write_timeout{10};

    /// `listening` is a Unix stream socket that listens. `holder` is used on the table thread only, until `stop`.
    socket_server(boost::asio::io_context& context, process::descriptor listening, table_holder& holder,
                  process_view& view);
    ~socket_server();  ///< calls `stop`
    socket_server(const socket_server&) = delete;
    socket_server& operator=(const socket_server&) = delete;

    /// Closes everything and waits for the table command that runs. Call on the context's thread, or after it ended.
    void stop();

private:
    struct state;
    std::shared_ptr<state> _state;
};

}  // namespace postern::edge
