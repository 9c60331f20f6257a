// The SIMD variants of siphash.h, for siphash.cc only. Each may be called only where the CPU has its instructions.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "smtp/recipients/octets.h"
#include "smtp/recipients/siphash.h"

namespace postern::recipients {

inline constexpr std::array<std::uint64_t, 4> sip_start{0x736f6d6570736575U, 0x646f72616e646f6dU, 0x6c7967656e657261U,
                                                        0x7465646279746573U};

/// The word that ends a text: what is left of it behind its whole words, and its length in the top octet.
inline std::uint64_t last_word(std::string_view text) noexcept {
    const std::size_t left = text.size() % 8;
    std::uint64_t word = 0;
    if (text.size() >= 8) {
        // The last eight octets in one load, less those that were taken before. Nothing left: shift out all of them.
        word = (load_le<std::uint64_t>(text.data() + text.size() - 8) >> (7 - left) * 8U) >> 8U;
    } else {
        std::memcpy(&word, text.data(), left);
    }
    return word | (static_cast<std::uint64_t>(text.size()) << 56U);
}

#if defined(__x86_64__)
void hash_avx2(const hash_key& key, const std::string_view* texts, std::size_t used, std::uint64_t* out);
void hash_avx512(const hash_key& key, const std::string_view* texts, std::size_t used, std::uint64_t* out);
#endif

}  // namespace postern::recipients
