// What the shard that speaks ARP and neighbour discovery tells the port's other shards: which own addresses are in use,
// and who is at which Ethernet address.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/net/address.h"

namespace postern::net {

struct link_view {
    struct host {
        ip_address ip{};
        mac_address mac{};
    };
    std::uint64_t version = 0;       ///< greater than that of the view before
    std::vector<ip_address> usable;  ///< own addresses that are neither in detection nor found at another host
    std::vector<host> known;         ///< gateways and hosts
};

}  // namespace postern::net
