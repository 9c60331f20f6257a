// What a shard over kernel sockets waits on, in Boost.Asio: its listening sockets, its waker and its connections.
//
// The connections are one descriptor here, an epoll set of their own: docs/decisions/0008 says why. Asio is asked when
// a shard goes to sleep and every few turns while it is awake. Hides Asio from everybody who includes a shard.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/shard/eventfd_waker.h"
#include "dataplane/shard/seam.h"

namespace postern::sockets {

class reactor {
public:
    /// None of the descriptors is owned. Throws std::system_error if the kernel gives none of its own.
    reactor(std::span<const int> listeners, shard::eventfd_waker& waker, int connections);
    ~reactor();
    reactor(const reactor&) = delete;
    reactor& operator=(const reactor&) = delete;

    /// Runs what is ready, without waiting.
    void poll();
    /// Waits until a listener, the waker or a connection is ready, at most `most`. The caller announced it to the
    /// waker.
    void sleep(shard::instant most);

    /// Listeners, by index, that may have connections waiting. The caller takes one out with `drained` when accept said
    /// so, and leaves it in otherwise.
    const std::vector<std::uint32_t>& acceptable() const noexcept { return _acceptable; }
    void drained(std::uint32_t listener);

private:
    struct watches;
    std::unique_ptr<watches> _watches;
    std::vector<std::uint32_t> _acceptable;
};

}  // namespace postern::sockets
