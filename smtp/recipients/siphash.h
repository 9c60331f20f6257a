// SipHash-1-3 over the texts of addresses: one at a time, or eight in SIMD lanes with the same result.
//
// Harvesters choose what is hashed, so it is a keyed PRF; the key is drawn for each base generation.
// Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with c = 1 and d = 3.
#pragma once

#include <array>
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

/// Up to eight texts laid out for SIMD: word w of lane l is `words[w][l]`, the last word with the length in its top
/// octet as SipHash has it.
struct alignas(64) hash_block {
    static constexpr std::size_t lanes = 8;
    static constexpr std::size_t max_text = 1280;  ///< octets: a local part and another domain's name
    static constexpr std::size_t max_words = max_text / 8 + 1;

    // Not initialised: a lane's words are written before they are read, an unused lane has no words.
    std::array<std::array<std::uint64_t, lanes>, max_words> words;
    std::array<std::uint64_t, lanes> counts;

    hash_block() noexcept { counts.fill(0); }  // NOLINT
    /// Puts a text into a lane. Precondition: text.size() <= max_text.
    void set(std::size_t lane, std::string_view text) noexcept;
};

/// Hashes the first `used` lanes of a block (1 to 8); `out` of the others is unspecified.
using hash_function = void (*)(const hash_key& key, const hash_block& block, std::size_t used, std::uint64_t* out);

struct hash_variant {
    const char* name = "";
    hash_function hash = nullptr;
};

/// The variants that this CPU can run, the plain one first, the one to use last.
std::span<const hash_variant> hash_variants() noexcept;

/// The fastest of them, or plain code for one or two lanes.
void hash_lanes(const hash_key& key, const hash_block& block, std::size_t used, std::uint64_t* out) noexcept;

}  // namespace postern::recipients
