// Addresses of both families in one form: IPv6 as it is, IPv4 mapped (::ffff:a.b.c.d, RFC 4291 2.5.5.2), in the order
// of the wire. Compared by words, since this is asked for every frame and segment.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace postern::shard {

using ip_address = std::array<std::uint8_t, 16>;

constexpr ip_address ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) noexcept {
    return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
}
/// Where the four octets of an IPv4 address begin.
inline constexpr std::size_t ipv4_at = 12;
/// Of the four octets at `at`.
inline ip_address ipv4(const std::uint8_t* at) noexcept {
    auto words = std::bit_cast<std::array<std::uint32_t, 4>>(ipv4(0, 0, 0, 0));
    std::memcpy(&words[3], at, sizeof words[3]);
    return std::bit_cast<ip_address>(words);
}

constexpr bool same(const ip_address& a, const ip_address& b) noexcept {
    using words = std::array<std::uint64_t, 2>;
    const auto x = std::bit_cast<words>(a);
    const auto y = std::bit_cast<words>(b);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

constexpr bool is_ipv4(const ip_address& a) noexcept {
    using words = std::array<std::uint32_t, 4>;
    const auto x = std::bit_cast<words>(a);
    constexpr auto mark = std::bit_cast<words>(ipv4(0, 0, 0, 0))[2];
    return (x[0] | x[1] | (x[2] ^ mark)) == 0;
}

}  // namespace postern::shard
