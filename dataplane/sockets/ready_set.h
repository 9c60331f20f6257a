// What a shard over kernel sockets waits on: its connections, its listening sockets and its waker, in one epoll set.
//
// Connections are entered once, edge-triggered; closing one takes it out. Listening sockets are level-triggered: one
// that still has connections waiting is named by every look. docs/decisions/0022 says why nothing is between.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "board/process/files.h"
#include "dataplane/shard/eventfd_waker.h"
#include "dataplane/shard/seam.h"

namespace postern::sockets {

class ready_set {
public:
    /// The sockets are not owned; they and the waker outlive the set. Throws std::system_error if the kernel gives
    /// none.
    ready_set(std::vector<int> listeners, shard::eventfd_waker& waker);

    /// False: the kernel has no memory for another.
    bool add(int fd, shard::connection c) noexcept;

    /// Waits at most so long (not at all for 0, for ever for `never`) until something is ready. Returns what became
    /// ready of connections; `acceptable` is new too.
    std::span<const epoll_event> look(shard::instant most) noexcept;
    static shard::connection connection_of(const epoll_event& e) noexcept {
        return {static_cast<std::uint32_t>(e.data.u64), static_cast<std::uint32_t>(e.data.u64 >> 32)};
    }

    /// Listeners, by index, that had connections waiting at the last look.
    std::span<const std::uint32_t> acceptable() const noexcept { return _acceptable; }
    void clear_acceptable() noexcept { _acceptable.clear(); }
    /// Whether looks name listeners.
    void watch_listeners(bool yes) noexcept;

private:
    std::vector<int> _listeners;
    shard::eventfd_waker& _waker;
    process::descriptor _set;
    std::vector<std::uint32_t> _acceptable;
    std::array<epoll_event, 512> _events;  // NOLINT: filled by look
};

}  // namespace postern::sockets
