#include "control/sources/ldap/connect.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "board/process/egress.h"

namespace postern::sources::ldap {
namespace {

std::string error_text(int error) {
    return std::generic_category().message(error);
}

/// Finds a peer that is gone without a word, where a connection may be silent for long.
void keep_alive(int fd) {
    const int on = 1;
    const int idle_s = 60;
    const int interval_s = 20;
    const int count = 3;
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

bool wait_for(int fd, short events, clock::time_point until, const std::atomic<bool>& stop) {
    while (!stop.load(std::memory_order_relaxed)) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
        if (left <= 0) {
            return false;
        }
        pollfd waited{fd, events, 0};
        const int ready = ::poll(&waited, 1, static_cast<int>(std::min<long long>(left, 100)));
        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return true;  // also if it failed: the next call on the descriptor tells what is wrong
        }
    }
    return false;
}

tl::expected<process::descriptor, std::string> connect_to(const resolved& peer, clock::time_point until,
                                                          const std::atomic<bool>& stop) {
    process::descriptor socket(
        ::socket(peer.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
    if (!socket) {
        return tl::unexpected(error_text(errno));
    }
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer.address), peer.size) != 0) {
        if (errno != EINPROGRESS) {
            return tl::unexpected(error_text(errno));
        }
        if (!wait_for(socket.get(), POLLOUT, until, stop)) {
            return tl::unexpected(std::string("no answer in time"));
        }
        int failed = 0;
        socklen_t size = sizeof failed;
        ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
        if (failed != 0) {
            return tl::unexpected(error_text(failed));
        }
    }
    keep_alive(socket.get());
    const int flags = ::fcntl(socket.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) {
        return tl::unexpected(error_text(errno));
    }
    return socket;
}

result<connected> connect_to(const ldap_settings& settings, const server_address& server, const egress_policy& policy,
                             const patience& limits, const step_observer& observer) {
    const std::uint16_t port = settings.port_of(server);
    auto found = resolve(server.host, port, limits.at_most(settings.connect_timeout_s), limits.stop);
    if (limits.is_stopped()) {
        return stopped();
    }
    if (!found) {
        return fail("name", "the name " + server.host + " does not resolve: " + found.error() +
                                "; correct the server's name, or see whether the machine's DNS servers know it");
    }
    std::string addresses;
    for (const resolved& each : *found) {
        addresses += (addresses.empty() ? "" : ", ") + each.text;
    }
    if (observer) {
        observer("name", server.host + " is " + addresses);
    }
    std::string errors;
    for (resolved& each : *found) {
        const std::string where = each.text + " port " + std::to_string(port);
        if (policy && !policy(each.text)) {
            errors += (errors.empty() ? "" : "; ") + process::egress_refusal(each.text);
            continue;
        }
        auto socket = connect_to(each, limits.at_most(settings.connect_timeout_s), limits.stop);
        if (limits.is_stopped()) {
            return stopped();
        }
        if (socket) {
            if (observer) {
                observer("TCP", "connected to " + where);
            }
            return connected{std::move(*socket), std::move(each)};
        }
        errors += (errors.empty() ? "" : "; ") + where + ": " + socket.error();
    }
    return fail("TCP", "cannot connect to " + server.host + ": " + errors +
                           "; see whether the server runs, the port is right and no firewall stands between");
}

}  // namespace postern::sources::ldap
