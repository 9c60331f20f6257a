// The steps of burst_steps.h with AVX-512: eight buckets by one multiplication, a line by one comparison.
#include "smtp/recipients/siphash_avx512.h"

#if defined(__x86_64__)
#include "smtp/recipients/burst_steps.h"

#define POSTERN_AVX512_FUNCTION __attribute__((target(POSTERN_AVX512_TARGET)))

namespace postern::recipients {
namespace {

/// So many are quicker one by one.
constexpr std::size_t few = 2;

POSTERN_AVX512 __m512i everywhere(std::uint64_t value) {
    return _mm512_set1_epi64(static_cast<long long>(value));
}

/// `multiply_high` for factors below 2^32.
POSTERN_AVX512 __m512i times_high(__m512i hashes, std::uint64_t factor) {
    const __m512i low = _mm512_srli_epi64(_mm512_mul_epu32(hashes, everywhere(factor)), 32);
    const __m512i high = _mm512_mul_epu32(_mm512_srli_epi64(hashes, 32), everywhere(factor));
    return _mm512_srli_epi64(_mm512_add_epi64(high, low), 32);
}

/// `multiply_fold`, by the four products of halves.
POSTERN_AVX512 __m512i times_folded(__m512i a, std::uint64_t factor) {
    const __m512i mask = everywhere(0xFFFFFFFFU);
    const __m512i a_high = _mm512_srli_epi64(a, 32);
    const __m512i low = _mm512_mul_epu32(a, everywhere(factor));
    const __m512i middle = _mm512_add_epi64(_mm512_mul_epu32(a_high, everywhere(factor)), _mm512_srli_epi64(low, 32));
    const __m512i other =
        _mm512_add_epi64(_mm512_mul_epu32(a, everywhere(factor >> 32U)), _mm512_and_si512(middle, mask));
    const __m512i high =
        _mm512_add_epi64(_mm512_mul_epu32(a_high, everywhere(factor >> 32U)),
                         _mm512_add_epi64(_mm512_srli_epi64(middle, 32), _mm512_srli_epi64(other, 32)));
    return _mm512_xor_si512(high, _mm512_or_si512(_mm512_slli_epi64(other, 32), _mm512_and_si512(low, mask)));
}

POSTERN_AVX512_FUNCTION void find_buckets(const burst_table& in, std::size_t used, const std::uint64_t* hashes,
                                          std::uint64_t* places) {
    if (used <= few || in.where.buckets >> 32U != 0) {
        plain::find_buckets(in, used, hashes, places);
        return;
    }
    _mm512_storeu_si512(places, times_high(_mm512_loadu_si512(hashes), in.where.buckets));
}

POSTERN_AVX512_FUNCTION void find_lines(const burst_table& in, std::size_t used, const std::uint64_t* hashes,
                                        std::uint64_t* places) {
    if (used <= few || in.where.buckets >> 32U != 0) {
        plain::find_lines(in, used, hashes, places);
        return;
    }
    std::uint64_t pilots = 0;
    for (std::size_t i = hash_lanes_count; i-- > 0;) {  // each lane has a bucket, used or not
        pilots = pilots << 8U | in.pilots[places[i]];
    }
    const __m512i pilot = _mm512_cvtepu8_epi64(_mm_cvtsi64_si128(static_cast<long long>(pilots)));
    const __m512i turned =
        _mm512_xor_si512(_mm512_loadu_si512(hashes),
                         _mm512_mullo_epi64(_mm512_add_epi64(pilot, everywhere(1)), everywhere(line_choice::by_pilot)));
    const __m512i chosen = times_high(times_folded(turned, line_choice::by_hash), in.where.lines_per_partition);
    const __m512i partition =
        _mm512_srl_epi64(_mm512_loadu_si512(places), _mm_cvtsi32_si128(static_cast<int>(in.where.bucket_shift)));
    _mm512_storeu_si512(
        places, _mm512_add_epi64(chosen, _mm512_mul_epu32(partition, everywhere(in.where.lines_per_partition))));
}

POSTERN_AVX512_FUNCTION void compare(const burst_table& in, std::size_t used, const std::uint64_t* hashes,
                                     const std::uint64_t* places, std::uint32_t* payloads) {
    const line* const lines = in.lines;
    const std::uint64_t salt = in.where.salt;
    for (std::size_t i = 0; i < used; ++i) {
        const line& at = lines[places[i]];
        const fingerprint print = fingerprint_of(hashes[i], salt);
        const __mmask16 equal =
            _mm512_cmpeq_epi32_mask(_mm512_load_si512(&at), _mm512_set1_epi32(static_cast<int>(print.low)));
        payloads[i] = found_at(at, print, _bzhi_u32(equal, at.count())).payload;
    }
}

}  // namespace

const burst_steps avx512_steps{find_buckets, find_lines, compare};

}  // namespace postern::recipients
#endif
