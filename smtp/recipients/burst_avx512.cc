// The steps of burst_steps.h with AVX-512: eight buckets by one multiplication, a line by one comparison, the payloads
// of eight lines at once where something is equal.
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

/// Of eight buckets, one octet each.
POSTERN_AVX512 __m128i pilots_of(const std::uint8_t* pilots, const std::uint64_t* places) {
    __m128i all = _mm_cvtsi32_si128(pilots[places[0]]);
    all = _mm_insert_epi8(all, pilots[places[1]], 1);
    all = _mm_insert_epi8(all, pilots[places[2]], 2);
    all = _mm_insert_epi8(all, pilots[places[3]], 3);
    all = _mm_insert_epi8(all, pilots[places[4]], 4);
    all = _mm_insert_epi8(all, pilots[places[5]], 5);
    all = _mm_insert_epi8(all, pilots[places[6]], 6);
    return _mm_insert_epi8(all, pilots[places[7]], 7);
}

POSTERN_AVX512_FUNCTION void find_lines(const burst_table& in, std::size_t used, const std::uint64_t* hashes,
                                        std::uint64_t* places) {
    if (used <= few || in.where.buckets >> 32U != 0) {
        plain::find_lines(in, used, hashes, places);
        return;
    }
    const __m512i pilot = _mm512_cvtepu8_epi64(pilots_of(in.pilots, places));  // each lane has one, used or not
    const __m512i turned =
        _mm512_xor_si512(_mm512_loadu_si512(hashes),
                         _mm512_mullo_epi64(_mm512_add_epi64(pilot, everywhere(1)), everywhere(line_choice::by_pilot)));
    const __m512i chosen = times_high(times_folded(turned, line_choice::by_hash), in.where.lines_per_partition);
    const __m512i partition =
        _mm512_srl_epi64(_mm512_loadu_si512(places), _mm_cvtsi32_si128(static_cast<int>(in.where.bucket_shift)));
    _mm512_storeu_si512(
        places, _mm512_add_epi64(chosen, _mm512_mul_epu32(partition, everywhere(in.where.lines_per_partition))));
}

/// Bit i is set if fingerprint i's low half is `low`; the line may have fewer keys.
POSTERN_AVX512 __mmask16 equal(const line& with, std::uint32_t low) {
    constexpr __mmask16 fingerprints = (1U << line::capacity) - 1;
    return _mm512_mask_cmpeq_epi32_mask(fingerprints, _mm512_load_si512(&with),
                                        _mm512_set1_epi32(static_cast<int>(low)));
}

/// The same for four lines, 16 bits each.
POSTERN_AVX512 std::uint64_t equal_in_four(const line* lines, const std::uint64_t* places, const std::uint32_t* lows) {
    const __mmask32 first = _mm512_kunpackw(equal(lines[places[1]], lows[1]), equal(lines[places[0]], lows[0]));
    const __mmask32 second = _mm512_kunpackw(equal(lines[places[3]], lows[3]), equal(lines[places[2]], lows[2]));
    return _mm512_kunpackd(second, first);
}

POSTERN_AVX512 __m256i each_of_eight(std::uint32_t value) {
    return _mm256_set1_epi32(static_cast<int>(value));
}

/// `found_at` for eight lines; `masks` may have bits behind a line's last key, of `highs` two bits count.
POSTERN_AVX512 __m256i payloads_of(const line* lines, __m512i places, __m256i masks, __m256i highs) {
    const __m512i offsets = _mm512_slli_epi64(places, 6);
    const auto* const at = reinterpret_cast<const char*>(lines);
    const __m256i tails = _mm512_i64gather_epi32(offsets, at + offsetof(line, tail), 1);
    const __m256i counts = _mm256_and_si256(tails, each_of_eight(0xF));
    masks = _mm256_andnot_si256(_mm256_sllv_epi32(each_of_eight(~0U), counts), masks);
    const __m256i none = each_of_eight(1U << line::capacity);  // as there
    const __m256i marked = _mm256_or_si256(masks, none);
    const __m256i lowest = _mm256_and_si256(marked, _mm256_sub_epi32(_mm256_setzero_si256(), marked));
    const __m256i positions = _mm256_sub_epi32(each_of_eight(31), _mm256_lzcnt_epi32(lowest));
    const __m256i doubled = _mm256_slli_epi32(positions, 1);
    const __m256i payloads = _mm512_i64gather_epi32(_mm512_add_epi64(offsets, _mm512_cvtepu32_epi64(doubled)),
                                                    at + offsetof(line, payloads), 1);
    const __m256i in_line = _mm256_srlv_epi32(tails, _mm256_add_epi32(doubled, each_of_eight(4)));
    const __m256i differ = _mm256_and_si256(_mm256_xor_si256(in_line, highs), each_of_eight(3));
    const __mmask8 missed = _mm256_test_epi32_mask(lowest, none) | _mm256_test_epi32_mask(differ, differ);
    const __m256i narrow = _mm256_and_si256(payloads, each_of_eight(0xFFFF));
    return _mm256_mask_or_epi32(narrow, missed, narrow, each_of_eight(no_payload));
}

POSTERN_AVX512_FUNCTION void compare(const burst_table& in, std::size_t used, const std::uint64_t* hashes,
                                     const std::uint64_t* places, std::uint32_t* payloads) {
    if (used < hash_lanes_count) {
        for (std::size_t i = 0; i < used; ++i) {
            const line& at = in.lines[places[i]];
            const fingerprint print = fingerprint_of(hashes[i], in.where.salt);
            payloads[i] = found_at(at, print, _bzhi_u32(equal(at, print.low), at.count())).payload;
        }
        return;
    }
    const __m512i mixed = _mm512_mullo_epi64(_mm512_xor_si512(_mm512_loadu_si512(hashes), everywhere(in.where.salt)),
                                             everywhere(fingerprint_factor));
    alignas(32) std::array<std::uint32_t, hash_lanes_count> lows;  // NOLINT: filled below
    _mm256_store_si256(reinterpret_cast<__m256i*>(lows.data()), _mm512_cvtepi64_epi32(_mm512_srli_epi64(mixed, 32)));
    const std::uint64_t first = equal_in_four(in.lines, places, lows.data());
    const std::uint64_t second = equal_in_four(in.lines, places + 4, lows.data() + 4);
    __m256i found = each_of_eight(no_payload);
    // Of eight strangers nothing is equal, but once in fifty million times.
    if ((first | second) != 0) {
        const __m128i masks = _mm_set_epi64x(static_cast<long long>(second), static_cast<long long>(first));
        found = payloads_of(in.lines, _mm512_loadu_si512(places), _mm256_cvtepu16_epi32(masks),
                            _mm512_cvtepi64_epi32(_mm512_srli_epi64(mixed, 30)));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(payloads), found);
}

}  // namespace

const burst_steps avx512_steps{find_buckets, find_lines, compare, true};

}  // namespace postern::recipients
#endif
