// The Internet checksum (RFC 1071), over headers, messages and the pseudo-headers of IPv4 and IPv6.
#pragma once

#include <algorithm>
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
        // order of its octets.
        static_assert(std::endian::native == std::endian::little);
        const std::uint8_t* const at = some.data();
        std::uint64_t sum = 0;
        std::uint64_t carried = 0;
        const auto take = [&](std::uint64_t word) {
            sum += word;
            carried += sum < word ? 1 : 0;
        };
        const auto word = [at](std::size_t offset) {
            std::uint64_t value = 0;
            std::memcpy(&value, at + offset, sizeof value);
            return value;
        };
        std::size_t done = 0;
        for (; done + 32 <= some.size(); done += 32) {
            take(word(done));
            take(word(done + 8));
            take(word(done + 16));
            take(word(done + 24));
        }
        for (; done + 8 <= some.size(); done += 8) {
            take(word(done));
        }
        if (const std::size_t left = some.size() - done; left != 0) {
            if (done != 0) {
                take(word(some.size() - 8) >> 8 * (8 - left));  // less those that were added before
            } else {
                std::uint64_t value = 0;
                std::memcpy(&value, at, left);
                take(value);
            }
        }
        const std::uint64_t swapped = __builtin_bswap64(sum);
        // 2^64 is 1 in this arithmetic, and that in the order of these octets.
        _sum += (swapped >> 32U) + (swapped & 0xffffffffU) + (carried << 8U);
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
    /// Four words that stand in the order of the wire in one number, or a small sum of some.
    checksum_sum& add64(std::uint64_t value) noexcept {
        _sum += (value >> 32U) + (value & 0xffffffffU);
        return *this;
    }
    /// Copies octets and adds them as the last part.
    checksum_sum& add_copy(std::uint8_t* to, const char* from, std::size_t size) noexcept {
        if (size < 8) {
            std::copy_n(from, size, to);
            return add({to, size});
        }
        std::uint64_t sum = 0;
        std::uint64_t carried = 0;
        const auto take = [&](std::uint64_t word) {
            sum += word;
            carried += sum < word ? 1 : 0;
        };
        const auto copy = [&](std::size_t offset) {
            std::uint64_t word = 0;
            std::memcpy(&word, from + offset, sizeof word);
            std::memcpy(to + offset, &word, sizeof word);
            return word;
        };
        std::size_t done = 0;
        for (; done + 8 <= size; done += 8) {
            take(copy(done));
        }
        if (done != size) {
            take(copy(size - 8) >> 8 * (8 - (size - done)));  // less those that were added before
        }
        const std::uint64_t swapped = __builtin_bswap64(sum);
        _sum += (swapped >> 32U) + (swapped & 0xffffffffU) + (carried << 8U);
        return *this;
    }
    /// Addresses, length and protocol, as TCP, UDP and ICMPv6 have them (RFC 9293 3.1, RFC 8200 8.1).
    checksum_sum& add_pseudo(const ip_address& from, const ip_address& to, std::uint8_t protocol,
                             std::size_t length) noexcept {
        if (is_ipv4(from)) {
            add32(read32(from.data() + 12)).add32(read32(to.data() + 12));
        } else {
            add(from).add(to);
        }
        _sum += protocol;
        _sum += length;
        return *this;
    }
    /// What stands in a header, in host order; 0 over a text that carries a right one.
    std::uint16_t complement() const noexcept {
        std::uint64_t folded = (_sum & 0xffffffffU) + (_sum >> 32U);
        folded = (folded & 0xffffU) + (folded >> 16U & 0xffffU) + (folded >> 32U);
        folded = (folded & 0xffffU) + (folded >> 16U);
        return static_cast<std::uint16_t>(~(folded + (folded >> 16U)));
    }

private:
    std::uint64_t _sum = 0;
};

inline std::uint16_t checksum(octets some) noexcept {
    return checksum_sum().add(some).complement();
}

}  // namespace postern::net
