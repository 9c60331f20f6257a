// How operations takes replies and sends them: borrowed blocks, one send per connection and turn, FIN after the last.
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "dataplane/sockets/operations.h"
#include "dataplane/sockets/socket_state.h"

namespace postern::sockets {
namespace {

constexpr std::size_t most_blocks_in_send = 16;

/// The first block of a connection fits the request, for most turns' replies are short; later ones are large.
constexpr std::size_t room_to_borrow(bool first, std::size_t n) noexcept {
    return first && n <= shard::block_pool::small_room ? shard::block_pool::small_room : shard::block_pool::large_room;
}

}  // namespace

bool operations::has_room(const socket_state& s, std::size_t n) const noexcept {
    if (s.output_last != nullptr && s.output_last->tail().size() >= n) {
        return true;
    }
    const std::size_t room = room_to_borrow(s.output == nullptr, n);
    return s.output_room + room <= _options.output_limit && _pool.can_lend(room);
}

std::span<char> operations::reserve(shard::connection c, std::size_t n) noexcept {
    socket_state* const s = find_counted(c);
    if (s == nullptr || n > max_reserve) {
        return {};
    }
    s->waits_for = 0;
    if (s->output_last != nullptr && s->output_last->tail().size() >= n) {
        return s->output_last->tail();
    }
    const std::size_t room = room_to_borrow(s->output == nullptr, n);
    block* const b = s->output_room + room <= _options.output_limit ? _pool.borrow(room) : nullptr;
    if (b == nullptr) {
        s->waits_for = static_cast<std::uint32_t>(std::max<std::size_t>(n, 1));
        wait_for_room(*s);
        return {};
    }
    (s->output == nullptr ? s->output : s->output_last->next) = b;
    s->output_last = b;
    s->output_room += b->room;
    mark_unsent(*s);
    return b->tail();
}

void operations::commit(shard::connection c, std::size_t n) noexcept {
    socket_state* const s = find_counted(c);
    if (s != nullptr && s->output_last != nullptr) {
        s->output_last->end += static_cast<std::uint32_t>(std::min(n, s->output_last->tail().size()));
        mark_unsent(*s);
    }
}

/// A connection whose own limit is not the reason waits for blocks that other connections give back.
void operations::wait_for_room(socket_state& s) noexcept {
    if (s.output_room + shard::block_pool::large_room <= _options.output_limit && !s.starved) {
        _counts.no_reply_buffer.add();
        s.starved = true;
        _starved.push_back(s.slot);
    }
}

void operations::mark_unsent(socket_state& s) noexcept {
    if (!s.to_flush) {
        s.to_flush = true;
        _unsent.push_back(s.slot);
    }
}

void operations::end_turn() {
    // By index, and only what is there now: a flush may put its connection in again, for the next turn.
    const std::size_t n = _unsent.size();
    for (std::size_t i = 0; i < n; ++i) {
        socket_state& s = at(_unsent[i]);
        s.to_flush = false;
        if (s.now != phase::free) {
            flush(s);
        }
    }
    _unsent.erase(_unsent.begin(), _unsent.begin() + static_cast<std::ptrdiff_t>(n));
    if (!_starved.empty() && _pool.can_lend(shard::block_pool::large_room)) {
        for (const std::uint32_t slot : _starved) {
            socket_state& s = at(slot);
            s.starved = false;
            if (wants_service(s)) {
                queue(s);
            }
        }
        _starved.clear();
    }
}

void operations::flush(socket_state& s) noexcept {
    if (s.output != nullptr && !s.send_blocked && !send(s)) {
        s.broken = true;
    }
    if (s.now == phase::unsent && s.output == nullptr) {
        begin_linger(s);
    }
    if (wants_service(s)) {
        queue(s);
    }
}

bool operations::send(socket_state& s) noexcept {
    std::array<iovec, most_blocks_in_send> parts;
    std::size_t count = 0;
    std::size_t total = 0;
    block* b = s.output;
    for (; b != nullptr && count < parts.size(); b = b->next) {
        if (b->size() != 0) {
            parts[count++] = {.iov_base = b->data() + b->begin, .iov_len = b->size()};
            total += b->size();
        }
    }
    const bool all = b == nullptr;
    // The FIN that follows at once shares the last segment.
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (all && s.now == phase::unsent && !s.peer_ended ? MSG_MORE : 0);
    ssize_t sent = 0;
    if (count == 1) {
        sent = ::send(s.fd, parts[0].iov_base, total, flags);
    } else if (count > 1) {
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = count;
        sent = ::sendmsg(s.fd, &message, flags);
    }
    if (sent < 0) {
        if (errno == EINTR) {
            mark_unsent(s);
            return true;
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            return false;
        }
        sent = 0;
    }
    auto left = static_cast<std::size_t>(sent);
    if (left != 0) {
        _counts.sends.add();
        _counts.octets_sent.add(left);
    }
    if (left == total && all) {
        give_back_output(s);
        return true;
    }
    if (left < total) {
        s.send_blocked = true;
        _counts.short_sends.add();
    } else {
        mark_unsent(s);
    }
    while (left != 0) {
        block* const first = s.output;
        const std::size_t taken = std::min(left, first->size());
        first->begin += static_cast<std::uint32_t>(taken);
        left -= taken;
        if (first->size() == 0 && first != s.output_last) {
            s.output = first->next;
            s.output_room -= first->room;
            _pool.give_back(first);
        }
    }
    return true;
}

void operations::give_back_output(socket_state& s) noexcept {
    while (s.output != nullptr) {
        block* const next = s.output->next;
        _pool.give_back(s.output);
        s.output = next;
    }
    s.output_last = nullptr;
    s.output_room = 0;
}

void operations::begin_linger(socket_state& s) noexcept {
    // Closing while the peer still sends would answer with RST, which can take our last reply from its hands.
    const bool all_read = s.silent && !s.readable;
    if (s.peer_ended || all_read || ::shutdown(s.fd, SHUT_WR) != 0) {
        close(s, false);
        return;
    }
    s.now = phase::lingering;
    _wheel.cancel(s);
    _wheel.set(s, _now + _options.linger_time);
}

}  // namespace postern::sockets
