#include "dataplane/sockets/operations.h"

#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/sockets/socket_state.h"

namespace postern::sockets {
namespace {

std::vector<int> descriptors_of(const shard_listeners& listeners) {
    std::vector<int> all;
    for (const listening_socket& l : listeners) {
        all.push_back(l.socket.get());
    }
    return all;
}

}  // namespace

shard::instant steady_clock_now() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

operations::operations(shard_listeners listeners, shard::connection_limits& limits, const options& o)
    : _options(o),
      _limits(limits),
      _listeners(std::move(listeners)),
      _set(descriptors_of(_listeners), _waker),
      _wheel(o.clock()),
      _pool(o.buffers),
      _now(o.clock()),
      _scratch(std::make_unique<char[]>(window)) {
    static_assert(sizeof(socket_state) <= 128, "two cache lines for an idle connection");
    _options.output_limit = std::max(_options.output_limit, 2 * shard::block_pool::large_room);
}

operations::~operations() {
    for (std::uint32_t slot = 0; slot < _slots; ++slot) {
        socket_state& s = at(slot);
        if (s.now != phase::free) {
            close(s, false);
        }
    }
}

operations::socket_state& operations::at(std::uint32_t slot) noexcept {
    return _chunks[slot / chunk_size][slot % chunk_size];
}

const operations::socket_state& operations::at(std::uint32_t slot) const noexcept {
    return _chunks[slot / chunk_size][slot % chunk_size];
}

operations::socket_state* operations::find(shard::connection c) noexcept {
    if (c.slot >= _slots) {
        return nullptr;
    }
    socket_state& s = at(c.slot);
    return s.serial == c.serial && s.now == phase::open ? &s : nullptr;
}

operations::socket_state* operations::find_counted(shard::connection c) noexcept {
    socket_state* const s = find(c);
    if (s == nullptr) {
        _counts.stale_calls.add();
    }
    return s;
}

void operations::want_read(shard::connection c, bool yes) noexcept {
    if (socket_state* const s = find_counted(c)) {
        s->wants = yes;
        s->offer_again = s->offer_again || yes;
        if (wants_service(*s)) {
            queue(*s);
        }
    }
}

void operations::set_deadline(shard::connection c, shard::instant when) noexcept {
    if (socket_state* const s = find_counted(c)) {
        _wheel.set(*s, when);
    }
}

void operations::finish(shard::connection c) noexcept {
    end(c, false);
}

void operations::finish_silent(shard::connection c) noexcept {
    end(c, true);
}

void operations::end(shard::connection c, bool silent) noexcept {
    if (socket_state* const s = find_counted(c)) {
        _counts.finished.add();
        s->now = phase::unsent;
        s->silent = silent;
        s->waits_for = 0;
        give_back_input(*s);
        const shard::instant most = shard::never - _options.unsent_time;
        _wheel.set(*s, _now < most ? _now + _options.unsent_time : shard::never);
        mark_unsent(*s);
    }
}

void operations::abort(shard::connection c) noexcept {
    if (socket_state* const s = find_counted(c)) {
        _counts.aborted.add();
        close(*s, true);
    }
}

const shard::connection_info& operations::info(shard::connection c) const noexcept {
    static const shard::connection_info none;
    return c.slot < _slots && at(c.slot).serial == c.serial ? at(c.slot).info : none;
}

shard::admission operations::admission_of(shard::connection c) const noexcept {
    return at(c.slot).word;
}

bool operations::next_deadline(shard::connection& out) {
    while (shard::timer_wheel::timer* const due = _wheel.expire(_now)) {
        socket_state& s = static_cast<socket_state&>(*due);
        switch (s.now) {
            case phase::open:
                _counts.deadlines.add();
                out = s.id();
                return true;
            case phase::unsent:
                _counts.unsent_expired.add();
                close(s, true);
                break;
            case phase::lingering:
                _counts.linger_expired.add();
                close(s, false);
                break;
            case phase::free:
                break;
        }
    }
    return false;
}

bool operations::may_sleep() const noexcept {
    return _ready.empty() && _unsent.empty() && _set.acceptable().empty();
}

void operations::sleep(shard::instant until) {
    const shard::instant end = std::min({until, _wheel.next(), _accept_after});
    _counts.sleeps.add();
    look(end == shard::never ? shard::never : std::max(end - _options.clock(), shard::instant(0)));
    _looked = true;
}

void operations::give_back_input(socket_state& s) noexcept {
    if (s.input != nullptr && s.input != _offered_block) {
        _pool.give_back(s.input);
    }
    s.input = nullptr;
}

void operations::close(socket_state& s, bool with_reset) noexcept {
    if (with_reset) {
        const linger at_once{1, 0};
        ::setsockopt(s.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    ::close(s.fd);  // takes it out of the epoll set too
    s.fd = -1;
    s.now = phase::free;
    _wheel.cancel(s);
    give_back_input(s);
    give_back_output(s);
    if (s.word == shard::admission::admitted) {
        _limits.leave(s.info.listener, s.info.peer);
    }
    --_open;
    _free.push_back(s.slot);
}

}  // namespace postern::sockets
