// SipHash of a few words, for the dataplane's tables and sequence numbers, where an attacker chooses the input
// (Aumasson and Bernstein, 2012). The key is drawn at start.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace postern::shard {

struct siphash_key {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
};

/// A key from the kernel's generator; throws std::system_error if that fails.
siphash_key random_siphash_key();

namespace siphash_detail {

struct state {
    std::uint64_t v0, v1, v2, v3;

    constexpr void round() noexcept {
        v0 += v1;
        v1 = std::rotl(v1, 13) ^ v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1;
        v1 = std::rotl(v1, 17) ^ v2;
        v2 = std::rotl(v2, 32);
    }

    template <int N>
    constexpr void rounds() noexcept {
        for (int i = 0; i < N; ++i) {
            round();
        }
    }

    template <int N>
    constexpr void word(std::uint64_t m) noexcept {
        v3 ^= m;
        rounds<N>();
        v0 ^= m;
    }
};

constexpr state begin(const siphash_key& key) noexcept {
    return {key.low ^ 0x736f6d6570736575U, key.high ^ 0x646f72616e646f6dU, key.low ^ 0x6c7967656e657261U,
            key.high ^ 0x7465646279746573U};
}
/// What ends a message of whole words: its length in octets.
constexpr std::uint64_t length_word(std::size_t words) noexcept {
    return (words * 8 & 0xffU) << 56;
}

template <int Compress, int Finish, class... Words>
constexpr std::uint64_t hash(const siphash_key& key, Words... words) noexcept {
    state s = begin(key);
    (s.template word<Compress>(words), ...);
    s.template word<Compress>(length_word(sizeof...(Words)));
    s.v2 ^= 0xff;
    s.template rounds<Finish>();
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace siphash_detail

/// The hash of the octets whose little-endian words these are: for tables, where a collision costs a comparison.
template <std::convertible_to<std::uint64_t>... Words>
constexpr std::uint64_t siphash13(const siphash_key& key, Words... words) noexcept {
    return siphash_detail::hash<1, 3>(key, static_cast<std::uint64_t>(words)...);
}

/// SipHash-2-4 of the same: for what is sent to others and must not tell the key (RFC 6528 3).
template <std::convertible_to<std::uint64_t>... Words>
constexpr std::uint64_t siphash24(const siphash_key& key, Words... words) noexcept {
    return siphash_detail::hash<2, 4>(key, static_cast<std::uint64_t>(words)...);
}

}  // namespace postern::shard
