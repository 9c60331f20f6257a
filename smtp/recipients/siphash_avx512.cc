// SipHash-1-3 in the eight lanes of one register, with the rotate that AVX-512 has.
#include "smtp/recipients/siphash_variants.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define POSTERN_AVX512 __attribute__((target("avx512f"), always_inline)) static inline

namespace postern::recipients {
namespace {

struct eight_lanes {
    __m512i v0, v1, v2, v3;
};

// The zero-masked form of the rotate: the plain one reads an undefined register in GCC 12's header and warns.
template <int N>
POSTERN_AVX512 __m512i rotate(__m512i x) {
    return _mm512_maskz_rol_epi64(0xFF, x, N);
}

POSTERN_AVX512 void round(eight_lanes& s) {
    s.v0 = _mm512_add_epi64(s.v0, s.v1);
    s.v2 = _mm512_add_epi64(s.v2, s.v3);
    s.v1 = _mm512_xor_si512(rotate<13>(s.v1), s.v0);
    s.v3 = _mm512_xor_si512(rotate<16>(s.v3), s.v2);
    s.v0 = rotate<32>(s.v0);
    s.v2 = _mm512_add_epi64(s.v2, s.v1);
    s.v0 = _mm512_add_epi64(s.v0, s.v3);
    s.v1 = _mm512_xor_si512(rotate<17>(s.v1), s.v2);
    s.v3 = _mm512_xor_si512(rotate<21>(s.v3), s.v0);
    s.v2 = rotate<32>(s.v2);
}

POSTERN_AVX512 void take(eight_lanes& s, __m512i word) {
    s.v3 = _mm512_xor_si512(s.v3, word);
    round(s);
    s.v0 = _mm512_xor_si512(s.v0, word);
}

}  // namespace

__attribute__((target("avx512f"))) void hash_avx512(const hash_key& key, const hash_block& block, std::size_t used,
                                                    std::uint64_t* out) {
    eight_lanes s{_mm512_set1_epi64(static_cast<long long>(sip_start[0] ^ key.k0)),
                  _mm512_set1_epi64(static_cast<long long>(sip_start[1] ^ key.k1)),
                  _mm512_set1_epi64(static_cast<long long>(sip_start[2] ^ key.k0)),
                  _mm512_set1_epi64(static_cast<long long>(sip_start[3] ^ key.k1))};
    const word_range range(block, used);
    std::uint64_t w = 0;
    for (; w < range.least; ++w) {
        take(s, _mm512_load_si512(block.words[w].data()));
    }
    const __m512i counts = _mm512_load_si512(block.counts.data());
    for (; w < range.most; ++w) {
        const __mmask8 active = _mm512_cmpgt_epi64_mask(counts, _mm512_set1_epi64(static_cast<long long>(w)));
        const eight_lanes before = s;
        take(s, _mm512_load_si512(block.words[w].data()));
        s.v0 = _mm512_mask_blend_epi64(active, before.v0, s.v0);
        s.v1 = _mm512_mask_blend_epi64(active, before.v1, s.v1);
        s.v2 = _mm512_mask_blend_epi64(active, before.v2, s.v2);
        s.v3 = _mm512_mask_blend_epi64(active, before.v3, s.v3);
    }
    s.v2 = _mm512_xor_si512(s.v2, _mm512_set1_epi64(0xFF));
    for (int i = 0; i < 3; ++i) {
        round(s);
    }
    _mm512_storeu_si512(out, _mm512_xor_si512(_mm512_xor_si512(s.v0, s.v1), _mm512_xor_si512(s.v2, s.v3)));
}

}  // namespace postern::recipients
#endif
