// ARP for IPv4 over Ethernet. RFC 826, RFC 5227.
#pragma once

#include <tl/expected.hpp>

#include "dataplane/net/address.h"
#include "dataplane/net/drop.h"
#include "dataplane/net/octets.h"

namespace postern::net {

struct arp_message {
    bool request = true;
    mac_address sender_mac{};
    ip_address sender{};  ///< 0.0.0.0 in a probe
    mac_address target_mac{};
    ip_address target{};
};

/// Padding behind the message is ignored.
tl::expected<arp_message, drop> read_arp(octets payload) noexcept;
void write_arp(writer& out, const arp_message& message) noexcept;

}  // namespace postern::net
