// The load's connections over the kernel's non-blocking sockets and epoll.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "perf/transport.h"

namespace postern::perf {

/// Where to connect, and from where.
struct endpoint {
    sockaddr_storage address{};
    socklen_t size = 0;
    std::uint32_t sources = 0;  ///< 0: the kernel's choice; else connections come from 127.1.0.1 and so many following
};

class sockets final : public transport {
public:
    static process::result<std::unique_ptr<transport>> make(const endpoint& target, std::size_t slots);

    process::result<void> open(std::uint32_t slot, std::uint64_t number) override;
    void send(std::uint32_t slot, std::string_view octets) override;
    bool close(std::uint32_t slot) override;
    process::result<void> wait(std::uint64_t most_ns, listener& tell) override;

private:
    struct connection {
        process::descriptor fd;
        std::string unsent;
        std::size_t sent = 0;  ///< of `unsent`
        bool connecting = true;
        bool blocked = false;  ///< the socket's buffer was full: EPOLLOUT is asked for
    };

    sockets(const endpoint& target, std::size_t slots);
    void handle(std::uint32_t slot, std::uint32_t events, listener& tell);
    void watch(std::uint32_t slot, int how, std::uint32_t events);
    void flush(std::uint32_t slot);

    endpoint _target;
    process::descriptor _epoll;
    std::vector<connection> _connections;  ///< by slot
    std::vector<char> _buffer;
};

}  // namespace postern::perf
