// One connection to an edge's socket: a command line out, its JSON line in (docs/edge-socket.md). Blocking, with a
// deadline on every wait; a `stop` flag ends waits within a tenth of a second. Not thread-safe.
#pragma once

#include <atomic>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <tl/expected.hpp>

#include "board/process/files.h"

namespace postern::publish {

struct client_error {
    bool refused = false;  ///< the edge answered that it will not; else the connection is of no more use
    std::string text;
};
template <class T>
using client_result = tl::expected<T, client_error>;

/// What `show table` says.
struct edge_table {
    std::uint64_t generation = 0;
    std::string base;             ///< empty: nothing is loaded
    std::string overlay;          ///< empty: none
    std::set<std::string> names;  ///< every file that the edge's manifest names
};

class edge_client {
public:
    static client_result<edge_client> connect(const std::string& path, std::chrono::milliseconds timeout,
                                              const std::atomic<bool>& stop);

    /// Any command of one line; the answer as an object with "ok": true.
    client_result<boost::json::object> ask(const std::string& line);
    client_result<edge_table> show_table();
    /// `base` empty: the one in force stays. `overlay` empty: none.
    client_result<void> prepare(const std::string& base, const std::string& overlay);
    client_result<void> commit(std::uint64_t generation);
    /// False once the other side has hung up.
    bool alive() const;

private:
    edge_client(process::descriptor socket, std::chrono::milliseconds timeout, const std::atomic<bool>& stop)
        : _socket(std::move(socket)), _timeout(timeout), _stop(&stop) {}
    client_result<std::string> exchange(const std::string& line);
    client_result<void> wait_for(short events, std::chrono::steady_clock::time_point deadline) const;

    process::descriptor _socket;
    std::chrono::milliseconds _timeout;
    const std::atomic<bool>* _stop;
    std::string _received;
};

}  // namespace postern::publish
