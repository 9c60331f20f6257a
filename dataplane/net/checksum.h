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
///
/// It is kept in 64 bits, of which 2^64 - 1 is 0 as 2^16 - 1 is in 16 bits, so that a carry is added at the other end
/// and any number of words that stands in the order of the wire is added in one go.
class checksum_sum {
public:
    checksum_sum& add(octets some) noexcept { return add64(sum_of(some)); }
    checksum_sum& add16(std::uint16_t value) noexcept { return add64(value); }
    /// The two words of a number that stands in the order of the wire.
    checksum_sum& add32(std::uint32_t value) noexcept { return add64(value); }
    /// Four words that stand in the order of the wire in one number, or a sum of some that did not overflow.
    checksum_sum& add64(std::uint64_t value) noexcept {
        _sum = plus(_sum, value);
        return *this;
    }
    /// Copies octets and adds them as the last part.
    checksum_sum& add_copy(std::uint8_t* to, const char* from, std::size_t size) noexcept {
        if (size < 8) {
            std::copy_n(from, size, to);
            return add({to, size});
        }
        std::uint64_t sum = 0;
        const auto take = [&](std::uint64_t word) { sum = plus(sum, word); };
        const auto copy = [&](std::size_t offset) {
            std::uint64_t word = 0;
            std::memcpy(&word, from + offset, sizeof word);
            std::memcpy(to + offset, &word, sizeof word);
            return word;
        };
        std::size_t done = 0;
        for (; done + 16 <= size; done += 16) {
            take(copy(done));
            take(copy(done + 8));
        }
        if ((size & 8U) != 0) {
            take(copy(done));
        }
        if (const std::size_t left = size & 7U; left != 0) {
            take(copy(size - 8) >> 8 * (8 - left));  // less those that were added before
        }
        return add64(__builtin_bswap64(sum));
    }
    /// Addresses, length and protocol, as TCP, UDP and ICMPv6 have them (RFC 9293 3.1, RFC 8200 8.1).
    checksum_sum& add_pseudo(const ip_address& from, const ip_address& to, std::uint8_t protocol,
                             std::size_t length) noexcept {
        if (is_ipv4(from)) {
            add32(read32(from.data() + 12)).add32(read32(to.data() + 12));
        } else {
            add(from).add(to);
        }
        return add64(protocol + length);
    }
    /// What stands in a header, in host order; 0 over a text that carries a right one.
    std::uint16_t complement() const noexcept {
        // Each half plus the other, carry included, comes out on top.
        const auto words = static_cast<std::uint32_t>((_sum + std::rotl(_sum, 32)) >> 32U);
        return static_cast<std::uint16_t>(~((words + std::rotl(words, 16)) >> 16U));
    }

private:
    /// What `add64` adds for them. A function by itself: called, it gives its sum in a register.
    static std::uint64_t sum_of(octets some) noexcept {
        // Eight octets at a time, in the machine's own order: a one's complement sum is the same in either, but for the
        // order of its octets.
        static_assert(std::endian::native == std::endian::little);
        const std::uint8_t* at = some.data();
        const std::uint8_t* const end = at + some.size();
        std::uint64_t sum = 0;
        const auto take = [&](std::uint64_t word) { sum = plus(sum, word); };
        const auto word = [](const std::uint8_t* from) {
            std::uint64_t value = 0;
            std::memcpy(&value, from, sizeof value);
            return value;
        };
        for (; end - at >= 32; at += 32) {
            take(word(at));
            take(word(at + 8));
            take(word(at + 16));
            take(word(at + 24));
        }
        if ((some.size() & 16U) != 0) {
            take(word(at));
            take(word(at + 8));
            at += 16;
        }
        if ((some.size() & 8U) != 0) {
            take(word(at));
            at += 8;
        }
        if (const std::size_t left = some.size() & 7U; left != 0) {
            if (some.size() > 8) {
                take(word(end - 8) >> 8 * (8 - left));  // less those that were added before
            } else {
                std::uint64_t value = 0;
                std::memcpy(&value, at, left);
                take(value);
            }
        }
        return __builtin_bswap64(sum);
    }
    /// By the carry itself, which compilers add as it is; a comparison for it costs registers in a row of sums.
    static std::uint64_t plus(std::uint64_t a, std::uint64_t b) noexcept {
        std::uint64_t sum = 0;
        const bool carry = __builtin_add_overflow(a, b, &sum);
        return sum + (carry ? 1 : 0);
    }

    std::uint64_t _sum = 0;
};

/// Whether the checksum of these 20 octets is right: a sum of all ones, in either order of octets (RFC 1071 2).
inline bool is_whole_ipv4_header(const std::uint8_t* at) noexcept {
    std::array<std::uint64_t, 2> words{};
    std::uint32_t last = 0;
    std::memcpy(words.data(), at, sizeof words);
    std::memcpy(&last, at + sizeof words, sizeof last);
    return checksum_sum().add64(words[0]).add64(words[1]).add32(last).complement() == 0;
}

inline std::uint16_t checksum(octets some) noexcept {
    return checksum_sum().add(some).complement();
}

}  // namespace postern::net
