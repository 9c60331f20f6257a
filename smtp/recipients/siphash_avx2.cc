// SipHash-1-3 in eight lanes as two interleaved sets of four: the second hides the first one's latency.
#include "smtp/recipients/cpu.h"
#include "smtp/recipients/siphash_variants.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#define POSTERN_AVX2 __attribute__((target(POSTERN_AVX2_TARGET), always_inline)) static inline

namespace postern::recipients {
namespace {

/// Up to eight texts, and where each ends. The lanes behind them have the first one's: of its length, they cost
/// nothing.
struct texts_in_lanes {
    std::array<const char*, hash_lanes_count> at;
    std::array<std::uint64_t, hash_lanes_count> last;       ///< number of the last word
    std::array<std::uint64_t, hash_lanes_count> last_word;  ///< itself
    std::uint64_t least;                                    ///< of `last`
    std::uint64_t most;

    texts_in_lanes(const std::string_view* texts, std::size_t used) noexcept {  // NOLINT: all of it is filled
        least = most = texts[0].size() / 8;
        for (std::size_t lane = 0; lane < hash_lanes_count; ++lane) {
            const std::string_view text = texts[lane < used ? lane : 0];
            at[lane] = text.data();
            last[lane] = text.size() / 8;
            last_word[lane] = recipients::last_word(text);
            least = std::min(least, last[lane]);
            most = std::max(most, last[lane]);
        }
    }

    /// Word `number` of a lane; behind its end the last one. No branch: lengths come in no order.
    std::uint64_t word(std::size_t lane, std::uint64_t number) const noexcept {
        const char* const end = reinterpret_cast<const char*>(&last_word[lane]);
        return load_le<std::uint64_t>(number < last[lane] ? at[lane] + number * 8 : end);
    }
    /// The same of a lane that does not end before it.
    std::uint64_t inner_word(std::size_t lane, std::uint64_t number) const noexcept {
        return load_le<std::uint64_t>(at[lane] + number * 8);
    }
};

struct four_lanes {
    __m256i v0, v1, v2, v3;
};

template <int N>
POSTERN_AVX2 __m256i rotate(__m256i x) {
    return _mm256_or_si256(_mm256_slli_epi64(x, N), _mm256_srli_epi64(x, 64 - N));
}
POSTERN_AVX2 __m256i rotate_two_octets(__m256i x) {
    const __m128i octets = _mm_setr_epi8(6, 7, 0, 1, 2, 3, 4, 5, 14, 15, 8, 9, 10, 11, 12, 13);
    return _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(octets));
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
    s.v3 = _mm256_xor_si256(rotate_two_octets(s.v3), s.v2);
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

POSTERN_AVX2 __m256i four(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
    return _mm256_set_epi64x(static_cast<long long>(d), static_cast<long long>(c), static_cast<long long>(b),
                             static_cast<long long>(a));
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

__attribute__((target(POSTERN_AVX2_TARGET))) void hash_avx2(const hash_key& key, const std::string_view* texts,
                                                            std::size_t used, std::uint64_t* out) {
    const texts_in_lanes in(texts, used);
    four_lanes a;
    four_lanes b;
    start(a, key);
    start(b, key);
    std::uint64_t n = 0;
    for (; n < in.least; ++n) {
        take(a, four(in.inner_word(0, n), in.inner_word(1, n), in.inner_word(2, n), in.inner_word(3, n)));
        take(b, four(in.inner_word(4, n), in.inner_word(5, n), in.inner_word(6, n), in.inner_word(7, n)));
    }
    if (in.least == in.most) {
        take(a, four(in.last_word[0], in.last_word[1], in.last_word[2], in.last_word[3]));
        take(b, four(in.last_word[4], in.last_word[5], in.last_word[6], in.last_word[7]));
        n = in.most + 1;
    }
    for (; n <= in.most; ++n) {
        const __m256i before = _mm256_set1_epi64x(static_cast<long long>(n) - 1);
        const auto* const last = reinterpret_cast<const __m256i*>(in.last.data());
        take_some(a, four(in.word(0, n), in.word(1, n), in.word(2, n), in.word(3, n)),
                  _mm256_cmpgt_epi64(_mm256_loadu_si256(last), before));
        take_some(b, four(in.word(4, n), in.word(5, n), in.word(6, n), in.word(7, n)),
                  _mm256_cmpgt_epi64(_mm256_loadu_si256(last + 1), before));
    }
    const __m256i end = _mm256_set1_epi64x(0xFF);
    a.v2 = _mm256_xor_si256(a.v2, end);
    b.v2 = _mm256_xor_si256(b.v2, end);
    for (int i = 0; i < 3; ++i) {
        round(a);
        round(b);
    }
    alignas(64) std::array<std::uint64_t, hash_lanes_count> all;  // NOLINT: filled below
    _mm256_store_si256(reinterpret_cast<__m256i*>(all.data()), digest(a));
    _mm256_store_si256(reinterpret_cast<__m256i*>(all.data()) + 1, digest(b));
    std::copy_n(all.begin(), used, out);
}

}  // namespace postern::recipients
#endif
