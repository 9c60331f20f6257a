// SipHash-1-3 of short keys for the dataplane's tables, where an attacker chooses the keys (Aumasson and Bernstein,
// 2012; the reduced-round variant that hash tables use). The key is drawn at start.
#pragma once

#include <bit>
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

    constexpr void word(std::uint64_t m) noexcept {
        v3 ^= m;
        round();
        v0 ^= m;
    }
};

}  // namespace siphash_detail

/// The hash of the 16 octets whose little-endian words are `first` and `second`.
constexpr std::uint64_t siphash13(const siphash_key& key, std::uint64_t first, std::uint64_t second) noexcept {
    siphash_detail::state s{key.low ^ 0x736f6d6570736575U, key.high ^ 0x646f72616e646f6dU,
                            key.low ^ 0x6c7967656e657261U, key.high ^ 0x7465646279746573U};
    s.word(first);
    s.word(second);
    s.word(std::uint64_t{16} << 56);  // the length in octets
    s.v2 ^= 0xff;
    s.round();
    s.round();
    s.round();
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace postern::shard
