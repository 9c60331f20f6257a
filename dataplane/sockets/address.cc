#include "dataplane/sockets/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "dataplane/shard/endpoint_text.h"

namespace postern::sockets {

// Through memcpy: a sockaddr_storage holds octets of another type.

shard::endpoint from_sockaddr(const sockaddr_storage& address) noexcept {
    shard::endpoint e;
    if (address.ss_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &address, sizeof in);
        e.address[10] = 0xff;
        e.address[11] = 0xff;
        std::memcpy(e.address.data() + 12, &in.sin_addr, 4);
        e.port = ntohs(in.sin_port);
    } else if (address.ss_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, &address, sizeof in);
        std::memcpy(e.address.data(), &in.sin6_addr, 16);
        e.port = ntohs(in.sin6_port);
    }
    return e;
}

socklen_t to_sockaddr(const shard::endpoint& e, sockaddr_storage& out) noexcept {
    out = {};
    if (shard::is_ipv4(e)) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(e.port);
        std::memcpy(&in.sin_addr, e.address.data() + shard::ipv4_at, 4);
        std::memcpy(&out, &in, sizeof in);
        return sizeof in;
    }
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(e.port);
    std::memcpy(&in.sin6_addr, e.address.data(), 16);
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
}

}  // namespace postern::sockets
