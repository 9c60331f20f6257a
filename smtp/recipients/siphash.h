// SipHash-1-3 over the texts of addresses: one at a time, or eight in SIMD lanes with the same result.
//
// Harvesters choose what is hashed, so it is a keyed PRF; the key is drawn for each base generation.
// Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with c = 1 and d = 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace postern::recipients {

struct hash_key {
    std::uint64_t k0 = 0;
    std::uint64_t k1 = 0;
    friend constexpr bool operator==(const hash_key&, const hash_key&) = default;
};

/// 128 bits of the system's randomness. False if the system gives none.
bool draw_key(hash_key& out) noexcept;

std::uint64_t siphash13(const hash_key& key, std::string_view text) noexcept;

inline constexpr std::size_t hash_lanes_count = 8;
inline constexpr std::size_t max_hashed_text = 1280;  ///< octets: a local part and another domain's name

/// Hashes up to eight texts, each of at most `max_hashed_text` octets; `used` is 1 to 8.
using hash_function = void (*)(const hash_key& key, const std::string_view* texts, std::size_t used,
                               std::uint64_t* out);

struct hash_variant {
    const char* name = "";
    hash_function hash = nullptr;
};

/// The variants that this CPU can run, the plain one first, the one to use last.
std::span<const hash_variant> hash_variants() noexcept;

/// The fastest of them, or plain code for one or two texts.
void hash_texts(const hash_key& key, const std::string_view* texts, std::size_t used, std::uint64_t* out) noexcept;

}  // namespace postern::recipients
