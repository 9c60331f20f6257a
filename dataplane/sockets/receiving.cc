// How operations learns what is ready, offers octets and discards those of connections that end.
//
// Edge-triggered: `readable` remembers that the kernel may have more. A recv that does not fill its buffer took all
// there was (epoll(7)); only a FIN, which shows as `peer_ending`, is worth another.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dataplane/sockets/operations.h"
#include "dataplane/sockets/socket_state.h"

namespace postern::sockets {
namespace {

constexpr int discards_in_turn = 4;  ///< recvs of one ending connection

}  // namespace

void operations::begin_turn() {
    _now = _options.clock();
    _counts.turns.add();
    // New connections' first events are there for the look behind.
    if (accept_some() || !_looked) {
        look(shard::instant(0));
    }
    _looked = false;
    _batch.swap(_ready);
    _batch_at = 0;
}

/// Waits at most so long until something is ready, and notes what is.
void operations::look(shard::instant most) {
    for (const epoll_event& event : _set.look(most)) {
        note(event);
    }
}

void operations::note(const epoll_event& event) {
    const shard::connection c = ready_set::connection_of(event);
    socket_state& s = at(c.slot);
    if (s.now == phase::free || s.serial != c.serial) {
        return;
    }
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) {
        // Before our own FIN, both mean that the connection is broken; after it, recv tells.
        s.broken = s.now != phase::lingering;
        s.readable = true;
    }
    if ((event.events & EPOLLRDHUP) != 0) {
        s.peer_ending = true;
    }
    if (s.fresh && (event.events & EPOLLIN) != 0) {
        // The first event of a connection, in the turn that will greet it. A FIN alone shows as readable too.
        char octet = 0;
        s.info.early_octets = !s.peer_ending || ::recv(s.fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
    }
    if ((event.events & (EPOLLIN | EPOLLRDHUP)) != 0) {
        s.readable = true;
    }
    if ((event.events & EPOLLOUT) != 0 && s.send_blocked) {
        s.send_blocked = false;
        mark_unsent(s);
    }
    if (wants_service(s)) {
        queue(s);
    }
}

void operations::queue(socket_state& s) noexcept {
    if (!s.queued) {
        s.queued = true;
        _ready.push_back(s.slot);
    }
}

bool operations::wants_service(const socket_state& s) const noexcept {
    switch (s.now) {
        case phase::free:
            return false;
        case phase::unsent:
        case phase::lingering:
            return s.broken || (s.readable && !s.peer_ended);
        case phase::open:
            break;
    }
    if (s.fresh || s.broken || (s.waits_for != 0 && has_room(s, s.waits_for))) {
        return true;
    }
    if (!s.wants) {
        return false;
    }
    if (s.peer_ended && !s.peer_end_told) {
        return true;
    }
    if (s.output_stalled()) {
        return false;
    }
    return (s.readable && !s.peer_ended && s.held() < window) || (s.offer_again && s.held() != 0);
}

operations::step operations::next() {
    while (_batch_at < _batch.size()) {
        socket_state& s = at(_batch[_batch_at]);
        const step one = advance(s);
        if (one.what != callback::none) {
            return one;
        }
        s.queued = false;
        s.received = false;
        ++_batch_at;
        if (wants_service(s)) {
            queue(s);  // for the next turn: one recv is a connection's share
        }
    }
    _batch.clear();
    _batch_at = 0;
    return {};
}

bool operations::offer_left() {
    const auto left = std::partition(_ready.begin(), _ready.end(), [this](std::uint32_t slot) {
        const socket_state& s = at(slot);
        return s.now != phase::open || !s.offer_again || s.held() == 0;
    });
    _batch.assign(left, _ready.end());
    _ready.erase(left, _ready.end());
    return !_batch.empty();
}

/// The next callback for one connection in this turn.
operations::step operations::advance(socket_state& s) {
    if (s.now != phase::open) {
        if (s.now != phase::free) {
            discard(s);
        }
        return {};
    }
    if (s.fresh) {
        s.fresh = false;
        if (s.info.early_octets) {
            _counts.early_octets.add();
        }
        return {callback::opened, s.id()};
    }
    if (s.waits_for != 0 && !s.broken) {
        if (has_room(s, s.waits_for)) {
            s.waits_for = 0;
            return {callback::writable, s.id()};
        }
        wait_for_room(s);
    }
    if (!s.broken && s.wants && !s.received && !s.output_stalled()) {
        if (s.readable && !s.peer_ended && s.held() < window) {
            s.received = true;
            if (receive(s)) {
                return {callback::readable, s.id()};
            }
        } else if (s.offer_again && s.held() != 0) {
            s.received = true;
            offer_held(s);
            return {callback::readable, s.id()};
        }
    }
    if (s.broken) {
        const shard::connection id = s.id();
        _counts.peer_resets.add();
        close(s, true);
        return {callback::reset, id};
    }
    if (s.peer_ended && !s.peer_end_told && s.wants) {
        s.peer_end_told = true;
        return {callback::peer_closed, s.id()};
    }
    return {};
}

void operations::offer_held(socket_state& s) noexcept {
    s.offer_again = false;
    _offered_block = s.input;
    _offered = s.input->content();
}

/// One recv behind what is held. True: there is something to offer.
bool operations::receive(socket_state& s) noexcept {
    const std::size_t held = s.held();
    const std::size_t most = window - held;
    const ssize_t got = ::recv(s.fd, _scratch.get() + held, most, MSG_DONTWAIT);
    if (got > 0) {
        const auto n = static_cast<std::size_t>(got);
        _counts.receives.add();
        _counts.octets_received.add(n);
        s.readable = n == most || s.peer_ending;
        if (held != 0) {
            std::memcpy(_scratch.get(), s.input->content().data(), held);
        }
        s.offer_again = false;
        _offered = {_scratch.get(), held + n};
        return true;
    }
    if (got == 0) {
        s.peer_ended = true;
        s.readable = false;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        s.readable = false;
    } else if (errno != EINTR) {
        s.broken = true;
        return false;
    }
    if (s.offer_again && held != 0) {
        offer_held(s);
        return true;
    }
    return false;
}

void operations::consumed(shard::connection c, std::size_t n) noexcept {
    const std::span<const char> rest = _offered.subspan(std::min(n, _offered.size()));
    block* const from = _offered_block;
    _offered = {};
    _offered_block = nullptr;
    socket_state* const s = find(c);
    if (s == nullptr) {
        if (from != nullptr) {
            _pool.give_back(from);
        }
        return;
    }
    if (from != nullptr) {
        from->begin = from->end - static_cast<std::uint32_t>(rest.size());
        if (rest.empty()) {
            give_back_input(*s);
        }
        return;
    }
    keep(*s, rest);
}

/// Copies what was left unconsumed in `_scratch` into a block of the fitting size.
void operations::keep(socket_state& s, std::span<const char> rest) noexcept {
    const bool fits = s.input != nullptr && rest.size() <= s.input->room &&
                      (s.input->room == shard::block_pool::small_room || rest.size() > shard::block_pool::small_room);
    if (!fits) {
        give_back_input(s);
        if (rest.empty()) {
            return;
        }
        s.input = _pool.borrow(rest.size());
        if (s.input == nullptr) {
            // Its octets are lost, so the connection is.
            _counts.no_buffer.add();
            s.broken = true;
            return;
        }
    } else if (rest.empty()) {
        give_back_input(s);
        return;
    }
    std::memcpy(s.input->data(), rest.data(), rest.size());
    s.input->begin = 0;
    s.input->end = static_cast<std::uint32_t>(rest.size());
}

void operations::discard(socket_state& s) noexcept {
    if (s.broken) {
        close(s, true);
        return;
    }
    for (int i = 0; i < discards_in_turn && s.readable && !s.peer_ended; ++i) {
        const ssize_t got = ::recv(s.fd, _scratch.get(), window, MSG_DONTWAIT);
        if (got > 0) {
            s.discarded += static_cast<std::uint32_t>(got);
            s.readable = static_cast<std::size_t>(got) == window || s.peer_ending;
            if (s.discarded > _options.linger_octets) {
                _counts.linger_expired.add();
                close(s, true);
                return;
            }
        } else if (got == 0) {
            s.peer_ended = true;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            s.readable = false;
        } else if (errno != EINTR) {
            close(s, true);
            return;
        }
    }
    if (s.peer_ended && s.now == phase::lingering) {
        close(s, false);
    }
}

}  // namespace postern::sockets
