// The Internet checksum (RFC 1071), over headers, messages and the pseudo-headers of IPv4 and IPv6.
#pragma once

#include <cstdint>

#include "dataplane/net/address.h"
#include "dataplane/net/octets.h"

namespace postern::net {

/// A one's complement sum on its way; parts are added in any order, each but the last of even length.
class checksum_sum {
public:
    checksum_sum& add(octets some) noexcept;
    checksum_sum& add16(std::uint16_t value) noexcept {
        _sum += value;
        return *this;
    }
    /// Addresses, length and protocol, as TCP, UDP and ICMPv6 have them (RFC 9293 3.1, RFC 8200 8.1).
    checksum_sum& add_pseudo(const ip_address& from, const ip_address& to, std::uint8_t protocol,
                             std::size_t length) noexcept;
    /// What stands in a header, in host order; 0 over a text that carries a right one.
    std::uint16_t complement() const noexcept;

private:
    std::uint64_t _sum = 0;
};

inline std::uint16_t checksum(octets some) noexcept {
    return checksum_sum().add(some).complement();
}

}  // namespace postern::net
