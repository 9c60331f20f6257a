// The steps of burst_steps.h with AVX2: a line by two comparisons. The rest is as quick one by one.
#include "smtp/recipients/burst_steps.h"
#include "smtp/recipients/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace postern::recipients {
namespace {

#define POSTERN_AVX2 __attribute__((target(POSTERN_AVX2_TARGET)))

/// Bit i is set if number i of the eight is `wanted`.
POSTERN_AVX2 std::uint32_t equal_to(__m256i wanted, const __m256i* eight) {
    const __m256i equal = _mm256_cmpeq_epi32(_mm256_load_si256(eight), wanted);
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(equal)));
}

POSTERN_AVX2 void compare(const burst_table& in, std::size_t used, const std::uint64_t* hashes,
                          const std::uint64_t* places, std::uint32_t* payloads) {
    const line* const lines = in.lines;
    const std::uint64_t salt = in.where.salt;
    for (std::size_t i = 0; i < used; ++i) {
        const line& at = lines[places[i]];
        const fingerprint print = fingerprint_of(hashes[i], salt);
        const __m256i wanted = _mm256_set1_epi32(static_cast<int>(print.low));
        const auto* const halves = reinterpret_cast<const __m256i*>(&at);
        // What stands behind the keys of the line is cut off.
        const std::uint32_t equal = equal_to(wanted, halves) | equal_to(wanted, halves + 1) << 8U;
        payloads[i] = found_at(at, print, _bzhi_u32(equal, at.count())).payload;
    }
}

}  // namespace

const burst_steps avx2_steps{plain::find_buckets, plain::find_lines, compare, false};

}  // namespace postern::recipients
#endif
