#include "perf/worker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>

namespace postern::perf {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t retry_ns = second_ns / 10;
constexpr std::size_t connecting_at_once = 64;  ///< well below any listener's backlog
constexpr std::size_t buffer_octets = std::size_t{256} * 1024;
constexpr std::size_t events_at_once = 512;

std::uint64_t tag_of(std::uint32_t slot, std::uint32_t serial) noexcept {
    return (std::uint64_t{serial} << 32U) | slot;
}

}  // namespace

std::uint64_t monotonic_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * second_ns + static_cast<std::uint64_t>(now.tv_nsec);
}

struct worker::connection {
    connection(process::descriptor socket, thread_context& context, moment at, bool secure, std::uint64_t its_tag)
        : fd(std::move(socket)), talk(context, at.due, secure), tag(its_tag), heard(at.now) {}

    process::descriptor fd;
    dialogue talk;
    std::unique_ptr<tls_client> tls;  ///< from the answer to STARTTLS on
    std::string out;
    std::size_t sent = 0;  ///< of `out`
    std::uint64_t tag;
    std::uint64_t heard;    ///< when the last octets came, or commands were sent
    std::uint64_t due = 0;  ///< from when the message counts that is on its way (open loop)
    bool connecting = true;
    bool waiting = false;  ///< in the queue of those that may send
    bool blocked = false;  ///< the socket's buffer was full: EPOLLOUT is asked for
};

worker::worker(const plan& to_do, const endpoint& target, const share& part, const limits& bounds,
               const swap_windows* windows, const std::atomic<bool>& stop)
    : _plan(to_do),
      _target(target),
      _share(part),
      _limits(bounds),
      _stop_asked(stop),
      _context{to_do, random_source(part.seed), _tally, nullptr, windows},
      _slots(part.connections),
      _buffer(buffer_octets),
      _next_number(part.first),
      _units_left(part.units) {
    if (windows != nullptr) {
        _judge.emplace(*windows);
        _context.judge = &*_judge;
    }
    if (to_do.tls_share > 0) {
        _tls.emplace();
    }
    _free.reserve(_slots.size());
    for (std::size_t slot = _slots.size(); slot-- > 0;) {
        _free.push_back(static_cast<std::uint32_t>(slot));
    }
}

worker::~worker() = default;

process::result<void> worker::run() {
    _epoll = process::descriptor(::epoll_create1(EPOLL_CLOEXEC));
    if (!_epoll) {
        return tl::unexpected(process::errno_text("create", "an epoll instance", errno));
    }
    _started = monotonic_ns();
    _second_at = _started + second_ns;
    _pace = perf::pace(_share.per_second, _started, _limits.ramp_ns, _share.open_loop);
    std::array<epoll_event, events_at_once> events{};
    while (true) {
        std::uint64_t now = monotonic_ns();
        mark_phase(now);
        while (!_stopping && _open < wanted_open(now) && _units_left != 0 && _connecting < connecting_at_once &&
               now >= _reopen_at && (_plan.exchange != exchange::sessions || _pace.may(now))) {
            if (!open_one(now)) {
                break;
            }
        }
        if (!_fatal.empty()) {
            return tl::unexpected(_fatal);
        }
        run_ready(now);
        if (_open == 0 && (_stopping || _units_left == 0)) {
            begin_stop(now);
            break;
        }
        const std::uint64_t sleep = next_wakeup(now) - now;
        const timespec patience{static_cast<time_t>(sleep / second_ns), static_cast<long>(sleep % second_ns)};
        const int count =
            ::epoll_pwait2(_epoll.get(), events.data(), static_cast<int>(events.size()), &patience, nullptr);
        if (count < 0 && errno != EINTR) {
            return tl::unexpected(process::errno_text("wait on", "epoll", errno));
        }
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            const auto& slot = _slots[event.data.u64 & 0xffff'ffffU];
            if (slot != nullptr && slot->tag == event.data.u64) {
                handle(*slot, event.events);
            }
        }
        now = monotonic_ns();
        check_timeouts(now);
        mark_second(now);
    }
    if (_by_count) {
        _measured = counts() - _before;
        _measured_ns = monotonic_ns() - _measured_from;
    }
    report_swaps();
    if (_judge) {
        _tally.swap_judged = _judge->judged();
        _tally.swap_unjudged = _judge->unjudged();
    }
    return {};
}

/// Starts the measuring after the warm-up, and the end when its time has come.
void worker::mark_phase(std::uint64_t now) {
    if (!_warm && now - _started >= _limits.warmup_ns) {
        _warm = true;
        _measured_from = now;
        _before = counts();
        _last_second = _before;
        _last_latency = {};
        _second_at = _started + _limits.warmup_ns + second_ns;
        _tally.rcpt_latency = {};
        _tally.swap_latency = {};
        _tally.calm_latency = {};
        _tally.message_latency = {};
        _tally.session_latency = {};
        _tally.handshake_latency = {};
    }
    if (!_stopping && (now - _started >= _limits.warmup_ns + _limits.duration_ns ||
                       _stop_asked.load(std::memory_order_relaxed) || _tally.failures() >= _limits.failures)) {
        mark_second(now);  // the last one may be full
        begin_stop(now);
    }
}

void worker::begin_stop(std::uint64_t now) {
    if (_stopping) {
        return;
    }
    _stopping = true;
    _stopped_at = now;
    _by_count = _units_left == 0;
    _measured = counts() - _before;
    _measured_ns = now - _measured_from;
    _overdue = _by_count ? 0 : _pace.overdue(now);
}

/// How many connections are to be open by now.
std::size_t worker::wanted_open(std::uint64_t now) const noexcept {
    const std::uint64_t passed = now - _started;
    if (passed >= _limits.ramp_ns) {
        return _share.connections;
    }
    const double part = static_cast<double>(passed) / static_cast<double>(_limits.ramp_ns);
    return static_cast<std::size_t>(part * static_cast<double>(_share.connections)) + 1;
}

void worker::mark_second(std::uint64_t now) {
    _live.rcpts.store(_tally.rcpts, std::memory_order_relaxed);
    _live.sessions.store(_tally.sessions, std::memory_order_relaxed);
    _live.messages.store(_tally.messages, std::memory_order_relaxed);
    _live.failures.store(_tally.failures(), std::memory_order_relaxed);
    _live.open.store(_open, std::memory_order_relaxed);
    if (now < _second_at || _stopping || !_warm) {
        return;
    }
    const amount all = counts();
    const histogram& latency = latency_of(_plan.exchange, _tally);
    _seconds.push_back({all - _last_second, latency.since(_last_latency)});
    _last_second = all;
    _last_latency = latency;
    _second_at += second_ns;
    report_swaps();
}

void worker::report_swaps() {
    if (!_judge) {
        return;
    }
    while (const auto wrong = _judge->next_wrong()) {
        _tally.count(_tally.wrong, "RCPT TO:<" + _plan.recipients.text(wrong->who) +
                                       ">: " + (wrong->accepted ? "accepted" : "refused") +
                                       " after the swap to the list that says otherwise was over");
    }
}

std::uint64_t worker::next_wakeup(std::uint64_t now) const noexcept {
    std::uint64_t at = now + second_ns / (now - _started < _limits.ramp_ns ? 1000 : 10);
    const bool may_open = _plan.exchange == exchange::sessions && !_stopping && !_free.empty() && _units_left != 0;
    if (!_ready.empty() || (may_open && _share.per_second > 0)) {
        at = std::min(at, _pace.due());
    }
    return std::max(at, now);
}

bool worker::open_one(std::uint64_t now) {
    process::descriptor fd(::socket(_target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
        _fatal = process::errno_text("create", "a socket", errno);
        return false;
    }
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int error = 0;
    if (_target.sources != 0) {
        ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        sockaddr_in from{};
        from.sin_family = AF_INET;
        from.sin_addr.s_addr = htonl(0x7f010001U + static_cast<std::uint32_t>(_next_number % _target.sources));
        if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) {
            error = errno;
        }
    }
    if (error == 0 && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&_target.address), _target.size) != 0 &&
        errno != EINPROGRESS) {
        error = errno;
    }
    if (error != 0) {
        const std::string words = process::errno_text("connect to", "the target", error) +
                                  (error == EADDRNOTAVAIL ? " (no source port is free: give --sources)" : "");
        if (_tally.connections == 0) {
            _fatal = words;
        } else {
            _tally.count(_tally.connect_errors, words);
            _reopen_at = now + retry_ns;
        }
        return false;
    }
    const std::uint32_t slot = _free.back();
    const std::uint64_t tag = tag_of(slot, ++_next_serial);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT;
    event.data.u64 = tag;
    if (::epoll_ctl(_epoll.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) {
        _fatal = process::errno_text("watch", "a socket", errno);
        return false;
    }
    _free.pop_back();
    moment at{now, now};
    if (_plan.exchange == exchange::sessions) {
        at.due = _pace.counts_from(now);
        _pace.take(1, now);
        --_units_left;
    }
    _slots[slot] = std::make_unique<connection>(std::move(fd), _context, at, next_has_tls(), tag);
    ++_next_number;
    ++_open;
    ++_connecting;
    return true;
}

void worker::handle(connection& with, std::uint32_t events) {
    if (with.connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(with.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        const std::uint64_t now = monotonic_ns();
        if (error != 0) {
            const std::string words = process::errno_text("connect to", "the target", error);
            if (_tally.connections == 0) {
                _fatal = words;
            }
            _tally.count(_tally.connect_errors, words);
            _reopen_at = now + retry_ns;
            close(with, now);
            return;
        }
        with.connecting = false;
        --_connecting;
        ++_tally.connections;
        with.heard = now;
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = with.tag;
        ::epoll_ctl(_epoll.get(), EPOLL_CTL_MOD, with.fd.get(), &event);
    } else if ((events & EPOLLOUT) != 0 && !flush(with)) {
        return;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        read(with);
    }
}

void worker::read(connection& from) {
    const ssize_t size = ::recv(from.fd.get(), _buffer.data(), _buffer.size(), 0);
    const std::uint64_t now = monotonic_ns();
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (size <= 0) {
        from.talk.lost(size == 0 ? "closed by the server" : std::strerror(errno));
        close(from, now);
        return;
    }
    heard(from, {_buffer.data(), static_cast<std::size_t>(size)}, now);
}

/// Octets of the server came.
void worker::heard(connection& from, std::string_view octets, std::uint64_t now) {
    from.heard = now;
    if (from.tls == nullptr) {
        from.talk.received(octets, now);
        if (from.talk.now_in() == dialogue::state::securing) {
            from.tls = std::make_unique<tls_client>(*_tls);
            from.out.clear();
            from.sent = 0;
            from.tls->begin(from.out);
            flush(from);
            return;
        }
    } else if (!through_tls(from, octets, now)) {
        return;
    }
    if (from.talk.now_in() != dialogue::state::talking) {
        close(from, now);
        return;
    }
    if (!from.talk.ready() || from.waiting) {
        return;
    }
    if (!from.talk.next_counts() || (_ready.empty() && _pace.may(now))) {
        advance(from, now);
    } else {
        from.waiting = true;
        _ready.push_back(from.tag);
    }
}

/// Octets of the server came in a connection with TLS; false if there is nothing more to do with it.
bool worker::through_tls(connection& from, std::string_view octets, std::uint64_t now) {
    const bool shaking = from.tls->now_in() == tls_client::state::handshake;
    _plain.clear();
    from.tls->received(octets, _plain, from.out);
    if (shaking && from.tls->now_in() == tls_client::state::failed) {
        from.talk.handshake_failed(from.tls->error());
    } else if (shaking && from.tls->now_in() != tls_client::state::handshake) {
        from.talk.secured(now);
    }
    if (!flush(from)) {
        return false;
    }
    from.talk.received(_plain, now);
    switch (from.tls->now_in()) {
        case tls_client::state::handshake:
            return false;
        case tls_client::state::open:
            break;
        case tls_client::state::closed:
            from.talk.lost("TLS closed by the server");
            break;
        case tls_client::state::failed:
            from.talk.lost("TLS: " + from.tls->error());
            break;
    }
    return true;
}

/// Every one so many connections has TLS: the share is met as closely as whole connections can.
bool worker::next_has_tls() const noexcept {
    const auto before = static_cast<double>(_next_number);
    return std::floor((before + 1) * _plan.tls_share) > std::floor(before * _plan.tls_share);
}

/// Sends the next segment of a connection whose turn it is.
void worker::advance(connection& with, std::uint64_t now) {
    bool stop = _stopping;
    std::size_t rcpts = _plan.depth;
    switch (_plan.exchange) {
        case exchange::recipients:
            rcpts = static_cast<std::size_t>(std::min<std::uint64_t>(rcpts, _units_left));
            stop = stop || rcpts == 0;
            break;
        case exchange::messages:
            if (with.talk.between_transactions()) {
                stop = stop || _units_left == 0;
                _units_left -= stop ? 0U : 1U;
            } else {
                stop = false;  // what was begun is finished
            }
            break;
        case exchange::sessions:
            stop = false;
            break;
    }
    rcpts = std::max<std::size_t>(rcpts, 1);
    const bool counts = !stop && with.talk.next_counts();
    if (counts) {
        with.due = _pace.counts_from(now);
    }
    const bool of_message = _share.open_loop && _plan.exchange == exchange::messages;
    const std::uint64_t due = counts || of_message ? with.due : now;
    _plain.clear();
    std::string& text = with.tls != nullptr ? _plain : with.out;
    const std::size_t asked = with.talk.next_segment(text, {now, due}, rcpts, stop);
    if (with.tls != nullptr) {
        with.tls->seal(_plain, with.out);
    }
    if (_plan.exchange == exchange::recipients) {
        _units_left -= asked;
    }
    if (counts) {
        _pace.take(_plan.exchange == exchange::messages ? _plan.per_transaction : asked, now);
    }
    with.heard = now;
    flush(with);
}

/// Sends what is left of the segment; false if that ended the connection.
bool worker::flush(connection& to) {
    const bool was_blocked = to.blocked;
    while (to.sent < to.out.size()) {
        const ssize_t size = ::send(to.fd.get(), to.out.data() + to.sent, to.out.size() - to.sent, MSG_NOSIGNAL);
        if (size < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno == EAGAIN) {
                break;
            }
            to.talk.lost(std::strerror(errno));
            close(to, monotonic_ns());
            return false;
        }
        to.sent += static_cast<std::size_t>(size);
    }
    to.blocked = to.sent < to.out.size();
    if (!to.blocked) {
        to.out.clear();
        to.sent = 0;
    }
    if (to.blocked != was_blocked) {
        epoll_event event{};
        event.events = to.blocked ? EPOLLIN | EPOLLOUT : EPOLLIN;
        event.data.u64 = to.tag;
        ::epoll_ctl(_epoll.get(), EPOLL_CTL_MOD, to.fd.get(), &event);
    }
    return true;
}

void worker::run_ready(std::uint64_t now) {
    while (!_ready.empty() && (_pace.may(now) || _stopping)) {
        const std::uint64_t tag = _ready.front();
        _ready.pop_front();
        const auto& slot = _slots[tag & 0xffff'ffffU];
        if (slot != nullptr && slot->tag == tag) {
            slot->waiting = false;
            now = monotonic_ns();
            advance(*slot, now);
        }
    }
}

void worker::close(connection& gone, std::uint64_t now) {
    if (gone.talk.now_in() == dialogue::state::failed) {
        _reopen_at = now + retry_ns;
    }
    const auto slot = static_cast<std::uint32_t>(gone.tag & 0xffff'ffffU);
    _connecting -= gone.connecting ? 1U : 0U;
    --_open;
    _free.push_back(slot);
    _slots[slot].reset();
}

void worker::check_timeouts(std::uint64_t now) {
    if (now - _checked_at < second_ns / 4) {
        return;
    }
    _checked_at = now;
    // A connection that waits for its turn owes us nothing; in the end everything gets one reply's time to finish.
    for (const auto& slot : _slots) {
        if (slot == nullptr) {
            continue;
        }
        const bool late = !slot->waiting && now - slot->heard > _limits.reply_timeout_ns;
        const bool too_late = _stopping && now - _stopped_at > _limits.reply_timeout_ns;
        if (late || too_late) {
            slot->talk.timed_out();
            close(*slot, now);
        }
    }
}

}  // namespace postern::perf
