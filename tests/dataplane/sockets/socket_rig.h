// The rig of the seam's tests over kernel sockets: loopback connections, virtual time, everything on the test's thread.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dataplane/shard/connection_limits.h"
#include "dataplane/shard/endpoint_text.h"
#include "dataplane/sockets/address.h"
#include "dataplane/sockets/listeners.h"
#include "dataplane/sockets/shard_loop.h"
#include "tests/dataplane/shard/rigs.h"

namespace postern::sockets {

/// A test's end of a connection, never blocking.
class socket_peer {
public:
    explicit socket_peer(const shard::endpoint& to, int receive_buffer = 0) {
        sockaddr_storage address;
        const socklen_t size = to_sockaddr(to, address);
        _socket = process::descriptor(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (receive_buffer != 0) {
            ::setsockopt(_socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        }
        const int yes = 1;
        ::setsockopt(_socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (::connect(_socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
            throw std::runtime_error("cannot connect to " + shard::endpoint_text(to) + ": " + std::strerror(errno));
        }
    }

    bool reads = true;
    bool fin = false;    ///< the server sent FIN
    bool reset = false;  ///< the server sent RST
    std::string wire;    ///< received and not taken

    void send(std::string_view octets) {
        _out.append(octets);
        pump();
    }
    void close() {
        _closing = true;
        pump();
    }
    void break_off() {
        const linger at_once{1, 0};
        ::setsockopt(_socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        _socket = process::descriptor();
    }
    int fd() const { return _socket.get(); }
    shard::endpoint local() const {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        ::getsockname(_socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
        return from_sockaddr(address);
    }

    /// Moves what can be moved. True if anything was.
    bool pump() {
        if (!_socket) {
            return false;
        }
        bool moved = false;
        while (!_out.empty()) {
            const ssize_t n = ::send(_socket.get(), _out.data(), _out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n <= 0) {
                if (errno != EAGAIN) {
                    _out.clear();  // the server is gone; recv says how
                }
                break;
            }
            _out.erase(0, static_cast<std::size_t>(n));
            moved = true;
        }
        if (_closing && _out.empty()) {
            _closing = false;
            ::shutdown(_socket.get(), SHUT_WR);
            moved = true;
        }
        char octets[16 * 1024];
        while (reads && !fin && !reset) {
            const ssize_t n = ::recv(_socket.get(), octets, sizeof octets, MSG_DONTWAIT);
            if (n > 0) {
                wire.append(octets, static_cast<std::size_t>(n));
            } else if (n == 0) {
                fin = true;
            } else if (errno == ECONNRESET) {
                reset = true;
            } else {
                break;
            }
            moved = true;
        }
        return moved;
    }

private:
    process::descriptor _socket;
    std::string _out;
    bool _closing = false;
};

/// Time that a test moves by hand. One for the process: the clock is a plain function.
struct virtual_clock {
    inline static shard::instant now{std::chrono::seconds(1000)};
    static shard::instant read() noexcept { return now; }
};

inline shard::endpoint loopback(std::string_view text = "127.0.0.1:0") {
    auto e = shard::parse_endpoint(text);
    if (!e) {
        throw std::runtime_error(e.error());
    }
    return *e;
}

inline std::vector<shard_listeners> listen_on(const shard::endpoint& at, std::size_t shards = 1) {
    auto opened = open_listeners({&at, 1}, shards);
    if (!opened) {
        throw std::runtime_error(opened.error());
    }
    return std::move(*opened);
}

inline options virtual_options(options o = {}) {
    o.clock = virtual_clock::read;
    return o;
}

template <class Filter = shard::unfiltered>
class socket_rig {
public:
    using limits = shard::connection_limits::limits;
    using stack = typename Filter::template stack<operations>;

    explicit socket_rig(const options& o = {}, limits l = {}, std::string_view at = "127.0.0.1:0")
        : _sockets(std::move(listen_on(loopback(at))[0])),
          _at(_sockets[0].at),
          _limits({&l, 1}),
          _operations(std::move(_sockets), _limits, virtual_options(o)) {}

    auto& layer() { return _stack.top; }
    operations& transport() { return _operations; }
    shard::connection_limits& limits_in_force() { return _limits; }
    auto& loop() { return _loop; }
    const shard::endpoint& at() const { return _at; }

    std::size_t connect(std::string_view early = {}) {
        // A small receive buffer, so that a peer that does not read is felt soon.
        _peers.push_back(std::make_unique<peer>(_at));
        _peers.back()->sends_before = _operations.counts().sends.value();
        if (!early.empty()) {
            send(_peers.size() - 1, early);
        }
        return _peers.size() - 1;
    }
    socket_peer& raw(std::size_t i) { return _peers[i]->socket; }
    void send(std::size_t i, std::string_view octets) { _peers[i]->socket.send(_peers[i]->codec.to_wire(octets)); }
    void close(std::size_t i) { _peers[i]->socket.close(); }
    void reset(std::size_t i) { _peers[i]->socket.break_off(); }
    void read(std::size_t i, bool yes) { _peers[i]->socket.reads = yes; }
    const std::string& received(std::size_t i) {
        peer& p = *_peers[i];
        return p.received += p.codec.from_wire(std::exchange(p.socket.wire, {}));
    }
    bool saw_fin(std::size_t i) { return _peers[i]->socket.fin; }
    bool saw_rst(std::size_t i) { return _peers[i]->socket.reset; }
    /// Of this connection, if no other was served since it came.
    std::size_t sends(std::size_t i) { return _operations.counts().sends.value() - _peers[i]->sends_before; }

    bool turn() {
        const std::size_t before = activity();
        _loop.turn();
        bool moved = false;
        for (auto& p : _peers) {
            moved = p->socket.pump() || moved;
        }
        return moved || activity() != before;
    }
    bool until(const std::function<bool()>& holds) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!holds() && std::chrono::steady_clock::now() < end) {
            if (!turn()) {
                let_the_kernel_deliver();
            }
        }
        return holds();
    }
    void quiet() {
        for (int still = 0; still < 50; ++still) {
            if (turn()) {
                still = 0;
            } else if (still % 10 == 0) {
                let_the_kernel_deliver();
            }
        }
    }
    void advance(shard::instant by) {
        const shard::instant end = virtual_clock::now + by;
        const shard::instant step = std::max<shard::instant>(std::chrono::milliseconds(4), by / 2000);
        while (virtual_clock::now < end) {
            virtual_clock::now = std::min(end, virtual_clock::now + step);
            turn();
        }
        quiet();
    }

private:
    struct peer {
        explicit peer(const shard::endpoint& at) : socket(at, 32 * 1024) {}
        socket_peer socket;
        typename Filter::codec codec;
        std::string received;
        std::size_t sends_before = 0;
    };

    /// Loopback packets may arrive a little later than they were sent, when the machine is busy.
    static void let_the_kernel_deliver() { ::poll(nullptr, 0, 1); }

    std::size_t activity() {
        const counters& c = _operations.counts();
        return layer().events.size() + c.octets_received.value() + c.octets_sent.value() + c.accepted.value();
    }

    shard_listeners _sockets;
    shard::endpoint _at;
    shard::connection_limits _limits;
    operations _operations;
    stack _stack{_operations};
    shard_loop<std::remove_reference_t<decltype(_stack.layer())>> _loop{_operations, _stack.layer()};
    std::vector<std::unique_ptr<peer>> _peers;
};

/// Opens a connection and waits until the layer has it.
template <class Rig>
std::size_t open(Rig& rig) {
    using kind = typename std::remove_reference_t<decltype(rig.layer())>::kind;
    const std::size_t before = rig.layer().count(kind::opened);
    const std::size_t peer = rig.connect();
    EXPECT_TRUE(rig.until([&] { return rig.layer().count(kind::opened) > before; }));
    return peer;
}

}  // namespace postern::sockets
