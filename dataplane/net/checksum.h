// The Internet checksum (RFC 1071), over headers, messages and the pseudo-headers of IPv4 and IPv6.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "dataplane/net/address.h"
#include "dataplane/net/octets.h"

namespace postern::net {

/// A one's complement sum on its way; parts are added in any order, each but the last of even length.
class checksum_sum {
public:
    checksum_sum& add(octets some) noexcept {
        // Eight octets at a time, in the machine's own order: a one's complement sum is the same in either, but for the
        // order of its two octets.
        const std::uint8_t* at = some.data();
        const auto word = [&at]<class Word>(Word value) {
            std::memcpy(&value, at, sizeof value);
            at += sizeof value;
            return std::uint64_t{value};
        };
        // Halves of a word apart: no carry to wait for, and room for 2^32 of them.
        std::uint64_t sum = 0;
        std::uint64_t upper = 0;
        for (std::size_t words = some.size() / 8; words > 0; --words) {
            const std::uint64_t both = word(std::uint64_t{});
            sum += both & 0xffffffffU;
            upper += both >> 32U;
        }
        sum += upper;
        if ((some.size() & 4U) != 0) {
            sum += word(std::uint32_t{});
        }
        if ((some.size() & 2U) != 0) {
            sum += word(std::uint16_t{});
        }
        if ((some.size() & 1U) != 0) {
            sum += std::bit_cast<std::uint16_t>(std::array<std::uint8_t, 2>{*at, 0});
        }
        sum = (sum & 0xffffffffU) + (sum >> 32U);
        sum = (sum & 0xffffU) + (sum >> 16U & 0xffffU) + (sum >> 32U);
        sum = (sum & 0xffffU) + (sum >> 16U);
        sum = (sum & 0xffffU) + (sum >> 16U);
        const auto octets_of = std::bit_cast<std::array<std::uint8_t, 2>>(static_cast<std::uint16_t>(sum));
        _sum += read16(octets_of.data());
        return *this;
    }
    checksum_sum& add16(std::uint16_t value) noexcept {
        _sum += value;
        return *this;
    }
    /// The two words of a number that stands in the order of the wire.
    checksum_sum& add32(std::uint32_t value) noexcept {
        _sum += value;  // 2^16 is 1 in this arithmetic
        return *this;
    }
    /// Addresses, length and protocol, as TCP, UDP and ICMPv6 have them (RFC 9293 3.1, RFC 8200 8.1).
    checksum_sum& add_pseudo(const ip_address& from, const ip_address& to, std::uint8_t protocol,
                             std::size_t length) noexcept {
        const std::size_t skip = is_ipv4(from) ? 12 : 0;
        add(octets(from).subspan(skip)).add(octets(to).subspan(skip));
        _sum += protocol;
        _sum += length;
        return *this;
    }
    /// What stands in a header, in host order; 0 over a text that carries a right one.
    std::uint16_t complement() const noexcept {
        std::uint64_t folded = _sum;
        while (folded > 0xffff) {
            folded = (folded & 0xffffU) + (folded >> 16U);
        }
        return static_cast<std::uint16_t>(~folded);
    }

private:
    std::uint64_t _sum = 0;
};

inline std::uint16_t checksum(octets some) noexcept {
    return checksum_sum().add(some).complement();
}

}  // namespace postern::net
