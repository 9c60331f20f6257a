#include "dataplane/sockets/listeners.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "dataplane/shard/endpoint_text.h"
#include "dataplane/sockets/address.h"

namespace postern::sockets {
namespace {

using process::descriptor;

constexpr int first_inherited = 3;  // SD_LISTEN_FDS_START

std::string remedy(int error, const shard::endpoint& at) {
    switch (error) {
        case EACCES:
        case EPERM:
            return ": start as root or grant CAP_NET_BIND_SERVICE, or choose a port above 1023";
        case EADDRINUSE:
            return ": another program listens there (ss -ltnp 'sport = :" + std::to_string(at.port) +
                   "' shows which); stop it or choose another address or port";
        case EADDRNOTAVAIL:
            return ": no interface of this machine has the address (ip address shows them)";
        case EAFNOSUPPORT:
            return ": this machine has no IPv6; remove the listener or enable IPv6";
        case EMFILE:
        case ENFILE:
            return ": raise the limit of open files (ulimit -n, LimitNOFILE=)";
        default:
            return {};
    }
}

tl::unexpected<std::string> cannot_listen(const shard::endpoint& at, int error) {
    return tl::unexpected("cannot listen on " + shard::endpoint_text(at) + ": " + std::strerror(error) +
                          remedy(error, at));
}

process::result<shard::endpoint> local_endpoint(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        (address.ss_family != AF_INET && address.ss_family != AF_INET6)) {
        return tl::unexpected("inherited descriptor " + std::to_string(fd) +
                              " is not a TCP socket: remove it from the socket unit");
    }
    return from_sockaddr(address);
}

bool is_any(const shard::endpoint& e) noexcept {
    const auto from = e.address.begin() + (shard::is_ipv4(e) ? shard::ipv4_at : 0);
    return std::all_of(from, e.address.end(), [](std::uint8_t octet) { return octet == 0; });
}

/// Starts listening. Accepted connections inherit TCP_NODELAY: replies of a turn are one send, and never wait.
bool start(const descriptor& socket, int backlog) noexcept {
    const int yes = 1;
    return ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0 &&
           ::listen(socket.get(), backlog) == 0;
}

/// A socket bound to `at`, not listening. errno if there is none.
descriptor bound_socket(const shard::endpoint& at, bool shared) {
    sockaddr_storage address;
    const socklen_t size = to_sockaddr(at, address);
    descriptor socket(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int yes = 1;
    if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        (shared && ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) != 0) ||
        (address.ss_family == AF_INET6 &&
         ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) != 0) ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
        const int error = errno;
        socket = descriptor();
        errno = error;
    }
    return socket;
}

/// One socket per shard on `at`.
process::result<std::vector<listening_socket>> bind_for_all(const shard::endpoint& at, std::size_t shards,
                                                            int backlog) {
    std::vector<listening_socket> sockets;
    shard::endpoint where = at;
    {
        // SO_REUSEPORT would let a second process of this user in silently; one without it is told of the first.
        const descriptor probe = bound_socket(at, false);
        if (!probe) {
            return cannot_listen(at, errno);
        }
    }
    for (std::size_t i = 0; i < shards; ++i) {
        descriptor socket = bound_socket(where, true);
        if (!socket || !start(socket, backlog)) {
            return cannot_listen(at, errno);
        }
        auto local = local_endpoint(socket.get());
        if (!local) {
            return tl::unexpected(std::move(local.error()));
        }
        where = *local;
        sockets.push_back({.socket = std::move(socket), .listener = 0, .at = where, .any_address = is_any(where)});
    }
    return sockets;
}

/// Deals out inherited sockets: every one to a shard, and every shard one.
process::result<std::vector<listening_socket>> share(std::vector<descriptor> inherited, const shard::endpoint& at,
                                                     std::size_t shards, int backlog) {
    std::vector<listening_socket> sockets;
    for (descriptor& socket : inherited) {
        // The backlog of the unit or the process before us may be another; calling again only changes that.
        if (::fcntl(socket.get(), F_SETFL, O_NONBLOCK) != 0 || ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0 ||
            !start(socket, backlog)) {
            return cannot_listen(at, errno);
        }
        sockets.push_back({.socket = std::move(socket), .listener = 0, .at = at, .any_address = is_any(at)});
    }
    for (std::size_t i = 0; sockets.size() < shards; ++i) {
        descriptor copy(::fcntl(sockets[i].socket.get(), F_DUPFD_CLOEXEC, 0));
        if (!copy) {
            return cannot_listen(at, errno);
        }
        sockets.push_back({.socket = std::move(copy), .listener = 0, .at = at, .any_address = is_any(at)});
    }
    return sockets;
}

}  // namespace

process::result<std::vector<shard_listeners>> open_listeners(std::span<const shard::endpoint> at, std::size_t shards,
                                                             std::vector<descriptor> inherited, int backlog) {
    struct known {
        descriptor socket;
        shard::endpoint at;
    };
    std::vector<known> left;
    for (descriptor& socket : inherited) {
        auto where = local_endpoint(socket.get());
        if (!where) {
            return tl::unexpected(std::move(where.error()));
        }
        left.push_back({std::move(socket), *where});
    }
    std::vector<shard_listeners> all(shards);
    for (std::size_t i = 0; i < at.size(); ++i) {
        std::vector<descriptor> mine;
        for (known& k : left) {
            if (k.socket && k.at == at[i]) {
                mine.push_back(std::move(k.socket));
            }
        }
        auto sockets =
            mine.empty() ? bind_for_all(at[i], shards, backlog) : share(std::move(mine), at[i], shards, backlog);
        if (!sockets) {
            return tl::unexpected(std::move(sockets.error()));
        }
        for (std::size_t j = 0; j < sockets->size(); ++j) {
            (*sockets)[j].listener = static_cast<std::uint16_t>(i);
            all[j % shards].push_back(std::move((*sockets)[j]));
        }
    }
    for (const known& k : left) {
        if (k.socket) {
            return tl::unexpected("inherited a listening socket on " + shard::endpoint_text(k.at) +
                                  " that no listener is configured for: configure one or remove it from the socket "
                                  "unit");
        }
    }
    return all;
}

std::vector<descriptor> inherited_listeners() {
    const auto number = [](const char* name) -> std::optional<long> {
        const char* const text = std::getenv(name);
        if (text == nullptr) {
            return std::nullopt;
        }
        long value = 0;
        const char* const end = text + std::strlen(text);
        const auto [stop, error] = std::from_chars(text, end, value);
        return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
    };
    const std::optional<long> process = number("LISTEN_PID");
    const std::optional<long> count = number("LISTEN_FDS");
    ::unsetenv("LISTEN_PID");
    ::unsetenv("LISTEN_FDS");
    ::unsetenv("LISTEN_FDNAMES");
    std::vector<descriptor> inherited;
    if (process == static_cast<long>(::getpid()) && count && *count > 0 && *count <= 1024) {
        for (int fd = first_inherited; fd < first_inherited + *count; ++fd) {
            inherited.emplace_back(fd);
        }
    }
    return inherited;
}

}  // namespace postern::sockets
