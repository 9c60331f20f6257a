// The SIMD variants of siphash.h, for siphash.cc only. Each may be called only where the CPU has its instructions.
#pragma once

#include <array>
#include <cstdint>

#include "smtp/recipients/siphash.h"

namespace postern::recipients {

inline constexpr std::array<std::uint64_t, 4> sip_start{0x736f6d6570736575U, 0x646f72616e646f6dU, 0x6c7967656e657261U,
                                                        0x7465646279746573U};

/// The words that every lane has, and the most that any has.
struct word_range {
    std::uint64_t least = 0;
    std::uint64_t most = 0;

    word_range(const hash_block& block, std::size_t used) noexcept : least(block.counts[0]), most(block.counts[0]) {
        for (std::size_t lane = 1; lane < used; ++lane) {
            least = block.counts[lane] < least ? block.counts[lane] : least;
            most = block.counts[lane] > most ? block.counts[lane] : most;
        }
    }
};

#if defined(__x86_64__)
void hash_avx2(const hash_key& key, const hash_block& block, std::size_t used, std::uint64_t* out);
void hash_avx512(const hash_key& key, const hash_block& block, std::size_t used, std::uint64_t* out);
#endif

}  // namespace postern::recipients
