// SipHash-1-3 in eight lanes as two interleaved sets of four: the second hides the first one's latency.
#include "smtp/recipients/siphash_variants.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define POSTERN_AVX2 __attribute__((target("avx2"), always_inline)) static inline

namespace postern::recipients {
namespace {

struct four_lanes {
    __m256i v0, v1, v2, v3;
};

template <int N>
POSTERN_AVX2 __m256i rotate(__m256i x) {
    return _mm256_or_si256(_mm256_slli_epi64(x, N), _mm256_srli_epi64(x, 64 - N));
}
POSTERN_AVX2 __m256i rotate_half(__m256i x) {
    return _mm256_shuffle_epi32(x, _MM_SHUFFLE(2, 3, 0, 1));
}

POSTERN_AVX2 void start(four_lanes& s, const hash_key& key) {
    s.v0 = _mm256_set1_epi64x(static_cast<long long>(sip_start[0] ^ key.k0));
    s.v1 = _mm256_set1_epi64x(static_cast<long long>(sip_start[1] ^ key.k1));
    s.v2 = _mm256_set1_epi64x(static_cast<long long>(sip_start[2] ^ key.k0));
    s.v3 = _mm256_set1_epi64x(static_cast<long long>(sip_start[3] ^ key.k1));
}

POSTERN_AVX2 void round(four_lanes& s) {
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

POSTERN_AVX2 void take(four_lanes& s, __m256i word) {
    s.v3 = _mm256_xor_si256(s.v3, word);
    round(s);
    s.v0 = _mm256_xor_si256(s.v0, word);
}

/// As `take`, but only the lanes set in `active` go on.
POSTERN_AVX2 void take_some(four_lanes& s, __m256i word, __m256i active) {
    const four_lanes before = s;
    take(s, word);
    s.v0 = _mm256_blendv_epi8(before.v0, s.v0, active);
    s.v1 = _mm256_blendv_epi8(before.v1, s.v1, active);
    s.v2 = _mm256_blendv_epi8(before.v2, s.v2, active);
    s.v3 = _mm256_blendv_epi8(before.v3, s.v3, active);
}

POSTERN_AVX2 __m256i digest(const four_lanes& s) {
    return _mm256_xor_si256(_mm256_xor_si256(s.v0, s.v1), _mm256_xor_si256(s.v2, s.v3));
}

}  // namespace

__attribute__((target("avx2"))) void hash_avx2(const hash_key& key, const hash_block& block, std::size_t used,
                                               std::uint64_t* out) {
    four_lanes a;
    four_lanes b;
    start(a, key);
    start(b, key);
    const word_range range(block, used);
    std::uint64_t w = 0;
    for (; w < range.least; ++w) {
        const auto* const words = reinterpret_cast<const __m256i*>(block.words[w].data());
        take(a, _mm256_load_si256(words));
        take(b, _mm256_load_si256(words + 1));
    }
    const auto* const counts = reinterpret_cast<const __m256i*>(block.counts.data());
    for (; w < range.most; ++w) {
        const auto* const words = reinterpret_cast<const __m256i*>(block.words[w].data());
        const __m256i now = _mm256_set1_epi64x(static_cast<long long>(w));
        take_some(a, _mm256_load_si256(words), _mm256_cmpgt_epi64(_mm256_load_si256(counts), now));
        take_some(b, _mm256_load_si256(words + 1), _mm256_cmpgt_epi64(_mm256_load_si256(counts + 1), now));
    }
    const __m256i end = _mm256_set1_epi64x(0xFF);
    a.v2 = _mm256_xor_si256(a.v2, end);
    b.v2 = _mm256_xor_si256(b.v2, end);
    for (int i = 0; i < 3; ++i) {
        round(a);
        round(b);
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), digest(a));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out) + 1, digest(b));
}

}  // namespace postern::recipients
#endif
