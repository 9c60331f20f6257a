// How operations takes connections from the listening sockets.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "dataplane/sockets/address.h"
#include "dataplane/sockets/operations.h"
#include "dataplane/sockets/socket_state.h"

namespace postern::sockets {
namespace {

constexpr unsigned most_accepts = 64;  ///< in a turn: a flood of connections must not hold up those that are open

bool out_of_resources(int error) noexcept {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

/// True if there are new connections.
bool operations::accept_some() {
    if (_now >= _accept_after) {
        pause_accepting(false);
        look(shard::instant(0));
    }
    const auto listeners = _set.acceptable();
    if (listeners.empty()) {
        // The share is how many come at a time, learnt without an accept that finds none: it doubles as long as the
        // kernel says at once that there are more.
        _accept_share = 1;
        return false;
    }
    // A share each, so that a flooded listener does not starve the others.
    const unsigned share =
        std::max(1U, std::min(_accept_share, most_accepts / static_cast<unsigned>(listeners.size())));
    const std::size_t before = _open;
    accepted last = accepted::one;
    for (std::size_t i = 0; i < listeners.size() && last != accepted::paused; ++i) {
        last = accepted::one;
        for (unsigned n = 0; n < share && last == accepted::one; ++n) {
            last = accept_one(listeners[i]);
        }
    }
    _accept_share = last == accepted::one ? std::min(2 * share, most_accepts) : 1;
    if (last == accepted::paused) {
        pause_accepting(true);
    }
    return _open != before;
}

/// The connections wait in the kernel meanwhile; asking again at once would only spin.
void operations::pause_accepting(bool yes) noexcept {
    _accept_after = yes ? _now + _options.accept_pause : shard::never;
    _set.watch_listeners(!yes);
}

operations::accepted operations::accept_one(std::uint32_t listener) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const listening_socket& from = _listeners[listener];
    const int fd =
        ::accept4(from.socket.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return accepted::none_left;
        }
        if (out_of_resources(errno)) {
            _counts.accept_paused.add();
            return accepted::paused;
        }
        _counts.accept_errors.add();
        return accepted::one;
    }
    if (_free.empty() && _slots < _options.connections) {
        if (_slots % chunk_size == 0) {
            _chunks.push_back(std::make_unique<socket_state[]>(chunk_size));
        }
        at(_slots).slot = _slots;
        _free.push_back(_slots++);
    }
    if (_free.empty()) {
        refuse_unseen(fd);
        return accepted::one;
    }
    socket_state& s = at(_free.back());
    const std::uint32_t serial = s.serial + 1 == 0 ? 1 : s.serial + 1;
    if (!_set.add(fd, {s.slot, serial})) {
        refuse_unseen(fd);
        return accepted::one;
    }
    _free.pop_back();

    shard::connection_info info;
    info.peer = from_sockaddr(peer);
    info.listener = from.listener;
    info.local = from.at;
    if (from.any_address) {
        sockaddr_storage local{};
        size = sizeof local;
        if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) == 0) {
            info.local = from_sockaddr(local);
        }
    }
    const bool queued = s.queued, to_flush = s.to_flush, starved = s.starved;  // of the slot, not of the connection
    const std::uint32_t slot = s.slot;
    s = socket_state{};
    s.slot = slot;
    s.serial = serial;
    s.queued = queued;
    s.to_flush = to_flush;
    s.starved = starved;
    s.fd = fd;
    s.now = phase::open;
    s.info = info;
    s.fresh = true;
    s.wants = true;
    s.word = _limits.enter(info.listener, info.peer);
    switch (s.word) {
        case shard::admission::admitted:
            break;
        case shard::admission::too_many_connections:
            _counts.refused_total.add();
            break;
        case shard::admission::too_many_from_source:
            _counts.refused_source.add();
            break;
        case shard::admission::draining:
            _counts.refused_draining.add();
            break;
    }
    _counts.accepted.add();
    ++_open;
    return accepted::one;  // its first event, which is there at once, opens it
}

void operations::refuse_unseen(int fd) noexcept {
    _counts.dropped.add();
    const linger at_once{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(fd);
}

}  // namespace postern::sockets
