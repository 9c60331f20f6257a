#include "perf/sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace postern::perf {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::size_t buffer_octets = std::size_t{256} * 1024;
constexpr std::size_t events_at_once = 512;

}  // namespace

std::uint64_t monotonic_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * second_ns + static_cast<std::uint64_t>(now.tv_nsec);
}

sockets::sockets(const endpoint& target, std::size_t slots)
    : _target(target), _epoll(::epoll_create1(EPOLL_CLOEXEC)), _connections(slots), _buffer(buffer_octets) {}

process::result<std::unique_ptr<transport>> sockets::make(const endpoint& target, std::size_t slots) {
    std::unique_ptr<sockets> out(new sockets(target, slots));
    if (!out->_epoll) {
        return tl::unexpected(process::errno_text("create", "an epoll instance", errno));
    }
    return out;
}

process::result<void> sockets::open(std::uint32_t slot, std::uint64_t number) {
    process::descriptor fd(::socket(_target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
        return tl::unexpected(process::errno_text("create", "a socket", errno));
    }
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int error = 0;
    if (_target.sources != 0) {
        ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        sockaddr_in from{};
        from.sin_family = AF_INET;
        from.sin_addr.s_addr = htonl(0x7f010001U + static_cast<std::uint32_t>(number % _target.sources));
        if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) {
            error = errno;
        }
    }
    if (error == 0 && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&_target.address), _target.size) != 0 &&
        errno != EINPROGRESS) {
        error = errno;
    }
    if (error != 0) {
        return tl::unexpected(process::errno_text("connect to", "the target", error) +
                              (error == EADDRNOTAVAIL ? " (no source port is free: give --sources)" : ""));
    }
    _connections[slot] = {};
    _connections[slot].fd = std::move(fd);
    watch(slot, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    return {};
}

void sockets::watch(std::uint32_t slot, int how, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u32 = slot;
    ::epoll_ctl(_epoll.get(), how, _connections[slot].fd.get(), &event);
}

bool sockets::close(std::uint32_t slot) {
    _connections[slot] = {};
    return true;
}

process::result<void> sockets::wait(std::uint64_t most_ns, listener& tell) {
    const timespec patience{static_cast<time_t>(most_ns / second_ns), static_cast<long>(most_ns % second_ns)};
    std::array<epoll_event, events_at_once> events;  // NOLINT: filled by the kernel
    const int count = ::epoll_pwait2(_epoll.get(), events.data(), static_cast<int>(events.size()), &patience, nullptr);
    if (count < 0 && errno != EINTR) {
        return tl::unexpected(process::errno_text("wait on", "epoll", errno));
    }
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (_connections[event.data.u32].fd) {
            handle(event.data.u32, event.events, tell);
        }
    }
    return {};
}

void sockets::handle(std::uint32_t slot, std::uint32_t events, listener& tell) {
    connection& with = _connections[slot];
    if (with.connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(with.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            with = {};
            tell.refused(slot, process::errno_text("connect to", "the target", error));
            return;
        }
        with.connecting = false;
        watch(slot, EPOLL_CTL_MOD, EPOLLIN);
        tell.connected(slot);
    } else if ((events & EPOLLOUT) != 0) {
        flush(slot);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
        return;
    }
    const ssize_t size = ::recv(with.fd.get(), _buffer.data(), _buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (size <= 0) {
        tell.lost(slot, size == 0 ? "closed by the server" : std::strerror(errno));
        return;
    }
    tell.received(slot, {_buffer.data(), static_cast<std::size_t>(size)});
}

void sockets::send(std::uint32_t slot, std::string_view octets) {
    connection& to = _connections[slot];
    if (!to.unsent.empty()) {
        to.unsent += octets;
        flush(slot);
        return;
    }
    // Mostly all of it is taken at once; an error shows as one to be read.
    const ssize_t size = ::send(to.fd.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
    const std::size_t taken = size > 0 ? static_cast<std::size_t>(size) : 0;
    if (taken < octets.size()) {
        to.unsent = octets.substr(taken);
        to.sent = 0;
        flush(slot);
    }
}

/// Sends what is left, and asks to be told when there is room for more.
void sockets::flush(std::uint32_t slot) {
    connection& to = _connections[slot];
    while (to.sent < to.unsent.size()) {
        const ssize_t size = ::send(to.fd.get(), to.unsent.data() + to.sent, to.unsent.size() - to.sent, MSG_NOSIGNAL);
        if (size > 0) {
            to.sent += static_cast<std::size_t>(size);
        } else if (errno != EINTR) {
            break;
        }
    }
    const bool blocked = to.sent < to.unsent.size();
    if (!blocked) {
        to.unsent.clear();
        to.sent = 0;
    }
    if (blocked != to.blocked) {
        to.blocked = blocked;
        watch(slot, EPOLL_CTL_MOD, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

}  // namespace postern::perf
