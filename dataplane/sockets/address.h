// Endpoints to and from the kernel's socket addresses.
#pragma once

#include <sys/socket.h>

#include "dataplane/shard/seam.h"

namespace postern::sockets {

/// IPv4 in its mapped form; anything but IPv4 and IPv6 becomes [::]:0.
shard::endpoint from_sockaddr(const sockaddr_storage& address) noexcept;

/// Fills `out` and returns its size: sockaddr_in for a mapped IPv4 address, else sockaddr_in6.
socklen_t to_sockaddr(const shard::endpoint& e, sockaddr_storage& out) noexcept;

}  // namespace postern::sockets
