// The addresses of the in-process generator: made from numbers, so that neither end keeps a list. All are 25 octets in
// `example.com` or, where there are many domains, in the one of the number's remainder; those on the list have a dot,
// strangers have none.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace postern::perf::rig {

inline constexpr std::string_view domain = "example.com";
inline constexpr std::size_t local_size = 13;

/// Eight letters, a to p, from 32 bits.
inline std::uint64_t eight_letters(std::uint64_t bits) noexcept {
    bits = (bits | bits << 16U) & 0x0000ffff0000ffffU;
    bits = (bits | bits << 8U) & 0x00ff00ff00ff00ffU;
    bits = (bits | bits << 4U) & 0x0f0f0f0f0f0f0f0fU;
    return bits + 0x6161616161616161U;
}

/// A permutation of the numbers of 48 bits, so that two never share an address.
inline std::uint64_t scattered(std::uint64_t number) noexcept {
    constexpr std::uint64_t mask = (std::uint64_t{1} << 48U) - 1;
    number = number * 0x9e3779b97f4bU & mask;
    number ^= number >> 23U;
    number = number * 0xbf58476d1ce5U & mask;
    return number ^ number >> 25U;
}

/// Puts the local part of a number's address down.
inline void put_local(std::uint64_t number, bool listed, char* out) noexcept {
    const std::uint64_t bits = scattered(number);
    const std::uint64_t first = eight_letters(bits & 0xffffffffU);
    const std::uint64_t rest = eight_letters(bits >> 32U);  // four of them are used
    std::memcpy(out, &first, 8);
    out[8] = listed ? '.' : 'q';
    std::memcpy(out + 9, &rest, 4);
}

/// Puts the name of a domain down: the first is `example.com`, the others are as long.
inline void put_domain(std::uint64_t number, char* out) noexcept {
    std::memcpy(out, domain.data(), domain.size());
    if (number != 0) {
        const std::uint64_t letters = eight_letters(number & 0xffffffffU);  // to p: never "example"
        std::memcpy(out, &letters, 7);
    }
}

}  // namespace postern::perf::rig
