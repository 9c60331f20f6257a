// SipHash-1-3 in eight lanes as two interleaved sets of four: the second hides the first one's latency.
#include "smtp/recipients/siphash_variants.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#define POSTERN_AVX2 __attribute__((target("avx2"), always_inline)) static inline

namespace postern::recipients {
namespace {

/// Up to eight texts laid out for SIMD: word w of lane l is `words[w][l]`.
struct alignas(64) hash_block {
    static constexpr std::size_t max_words = max_hashed_text / 8 + 1;

    // Not initialised: a lane's words are written before they are read, an unused lane has no words.
    std::array<std::array<std::uint64_t, hash_lanes_count>, max_words> words;
    std::array<std::uint64_t, hash_lanes_count> counts;
    std::uint64_t least;  ///< words that every used lane has
    std::uint64_t most;   ///< the most that any has

    hash_block(const std::string_view* texts, std::size_t used) noexcept {  // NOLINT
        counts.fill(0);
        least = max_words;
        most = 0;
        for (std::size_t lane = 0; lane < used; ++lane) {
            set(lane, texts[lane]);
            least = std::min(least, counts[lane]);
            most = std::max(most, counts[lane]);
        }
    }

private:
    void set(std::size_t lane, std::string_view text) noexcept {
        std::size_t w = 0;
        for (; w < text.size() / 8; ++w) {
            words[w][lane] = load_le<std::uint64_t>(text.data() + w * 8);
        }
        words[w++][lane] = last_word(text);
        counts[lane] = w;
    }
};

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

__attribute__((target("avx2"))) void hash_avx2(const hash_key& key, const std::string_view* texts, std::size_t used,
                                               std::uint64_t* out) {
    const hash_block block(texts, used);
    four_lanes a;
    four_lanes b;
    start(a, key);
    start(b, key);
    std::uint64_t w = 0;
    for (; w < block.least; ++w) {
        const auto* const words = reinterpret_cast<const __m256i*>(block.words[w].data());
        take(a, _mm256_load_si256(words));
        take(b, _mm256_load_si256(words + 1));
    }
    const auto* const counts = reinterpret_cast<const __m256i*>(block.counts.data());
    for (; w < block.most; ++w) {
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
    alignas(64) std::array<std::uint64_t, hash_lanes_count> all;  // NOLINT: filled below
    _mm256_store_si256(reinterpret_cast<__m256i*>(all.data()), digest(a));
    _mm256_store_si256(reinterpret_cast<__m256i*>(all.data()) + 1, digest(b));
    std::copy_n(all.begin(), used, out);
}

}  // namespace postern::recipients
#endif
