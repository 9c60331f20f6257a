#include "dataplane/shard/siphash_pairs.h"

#include <cstddef>

#if defined(__x86_64__)
#include <immintrin.h>

#define POSTERN_AVX2 __attribute__((target("avx2"), always_inline)) static inline
#endif

namespace postern::shard {
namespace {

void one_by_one(const siphash_key& key, std::span<const word_pair> in, std::uint64_t* out) noexcept {
    for (std::size_t i = 0; i < in.size(); ++i) {
        out[i] = siphash13(key, in[i].first, in[i].second);
    }
}

#if defined(__x86_64__)

/// siphash_detail::state of four messages.
struct four_states {
    __m256i v0, v1, v2, v3;
};

POSTERN_AVX2 __m256i in_all(std::uint64_t word) {
    return _mm256_set1_epi64x(static_cast<long long>(word));
}
template <int N>
POSTERN_AVX2 __m256i rotate(__m256i x) {
    return _mm256_or_si256(_mm256_slli_epi64(x, N), _mm256_srli_epi64(x, 64 - N));
}
POSTERN_AVX2 __m256i rotate_half(__m256i x) {
    return _mm256_shuffle_epi32(x, _MM_SHUFFLE(2, 3, 0, 1));
}

POSTERN_AVX2 void round(four_states& s) {
    s.v0 = _mm256_add_epi64(s.v0, s.v1);
    s.v2 = _mm256_add_epi64(s.v2, s.v3);
    s.v1 = _mm256_xor_si256(rotate<13>(s.v1), s.v0);
    s.v3 = _mm256_xor_si256(rotate<16>(s.v3), s.v2);
    s.v0 = rotate_half(s.v0);
    s.v2 = _mm256_add_epi64(s.v2, s.v1);
    s.v0 = _mm256_add_epi64(s.v0, s.v3);
    s.v1 = _mm256_xor_si256(rotate<17>(s.v1), s.v2);
    s.v3 = _mm256_xor_si256(rotate<21>(s.v3), s.v0);
    s.v2 = rotate_half(s.v2);
}
POSTERN_AVX2 void take(four_states& s, __m256i word) {
    s.v3 = _mm256_xor_si256(s.v3, word);
    round(s);
    s.v0 = _mm256_xor_si256(s.v0, word);
}

__attribute__((target("avx2"))) void four_at_a_time(const siphash_key& key, std::span<const word_pair> in,
                                                    std::uint64_t* out) noexcept {
    const siphash_detail::state began = siphash_detail::begin(key);
    std::size_t i = 0;
    for (; i + 4 <= in.size(); i += 4) {
        const auto* const at = reinterpret_cast<const __m256i*>(&in[i]);
        const __m256i low = _mm256_loadu_si256(at);
        const __m256i high = _mm256_loadu_si256(at + 1);
        four_states s{in_all(began.v0), in_all(began.v1), in_all(began.v2), in_all(began.v3)};
        take(s, _mm256_unpacklo_epi64(low, high));  // of messages 0, 2, 1, 3
        take(s, _mm256_unpackhi_epi64(low, high));
        take(s, in_all(siphash_detail::length_word(2)));
        s.v2 = _mm256_xor_si256(s.v2, in_all(0xff));
        round(s);
        round(s);
        round(s);
        const __m256i hashes = _mm256_xor_si256(_mm256_xor_si256(s.v0, s.v1), _mm256_xor_si256(s.v2, s.v3));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                            _mm256_permute4x64_epi64(hashes, _MM_SHUFFLE(3, 1, 2, 0)));
    }
    one_by_one(key, in.subspan(i), out + i);
}

const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;

#endif

}  // namespace

void siphash13_pairs(const siphash_key& key, std::span<const word_pair> in, std::uint64_t* out) noexcept {
#if defined(__x86_64__)
    if (has_avx2) {
        four_at_a_time(key, in, out);
        return;
    }
#endif
    one_by_one(key, in, out);
}

}  // namespace postern::shard
