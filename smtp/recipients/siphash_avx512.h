// SipHash-1-3 in the eight lanes of one register, with the rotate that AVX-512 has. To be included by sources of
// AVX-512 alone; all in it is inlined into functions with its instructions.
//
// Texts are read 32 octets at a time, by masked loads that touch nothing behind a text, and turned so that word w of
// all lanes stands in one register. Lanes whose text has ended stand still under a mask.
#pragma once

#include "smtp/recipients/cpu.h"
#include "smtp/recipients/siphash_variants.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's header has registers that are undefined on purpose, and GCC warns of them here.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#define POSTERN_AVX512 __attribute__((target(POSTERN_AVX512_TARGET), always_inline)) static inline

namespace postern::recipients::avx512 {

struct eight_lanes {
    __m512i v0, v1, v2, v3;
};

POSTERN_AVX512 void round(eight_lanes& s) {
    s.v0 = _mm512_add_epi64(s.v0, s.v1);
    s.v2 = _mm512_add_epi64(s.v2, s.v3);
    s.v1 = _mm512_xor_si512(_mm512_rol_epi64(s.v1, 13), s.v0);
    s.v3 = _mm512_xor_si512(_mm512_rol_epi64(s.v3, 16), s.v2);
    s.v0 = _mm512_rol_epi64(s.v0, 32);
    s.v2 = _mm512_add_epi64(s.v2, s.v1);
    s.v0 = _mm512_add_epi64(s.v0, s.v3);
    s.v1 = _mm512_xor_si512(_mm512_rol_epi64(s.v1, 17), s.v2);
    s.v3 = _mm512_xor_si512(_mm512_rol_epi64(s.v3, 21), s.v0);
    s.v2 = _mm512_rol_epi64(s.v2, 32);
}

POSTERN_AVX512 void take(eight_lanes& s, __m512i word) {
    s.v3 = _mm512_xor_si512(s.v3, word);
    round(s);
    s.v0 = _mm512_xor_si512(s.v0, word);
}

/// As `take`, but only the lanes set in `active` go on.
POSTERN_AVX512 void take_some(eight_lanes& s, __m512i word, __mmask8 active) {
    const eight_lanes before = s;
    take(s, word);
    s.v0 = _mm512_mask_blend_epi64(active, before.v0, s.v0);
    s.v1 = _mm512_mask_blend_epi64(active, before.v1, s.v1);
    s.v2 = _mm512_mask_blend_epi64(active, before.v2, s.v2);
    s.v3 = _mm512_mask_blend_epi64(active, before.v3, s.v3);
}

/// 32 octets of a text from `offset` on, zeros behind its end.
POSTERN_AVX512 __m256i load(std::string_view text, std::size_t offset) {
    const std::size_t at = text.size() > offset ? offset : text.size();
    const std::size_t left = text.size() - at;
    return _mm256_maskz_loadu_epi8(_bzhi_u32(0xFFFFFFFFU, static_cast<std::uint32_t>(left < 32 ? left : 32)),
                                   text.data() + at);
}
/// The first 32, of a text of at most 31.
POSTERN_AVX512 __m256i load_first(std::string_view text) {
    return _mm256_maskz_loadu_epi8(_bzhi_u32(0xFFFFFFFFU, static_cast<std::uint32_t>(text.size())), text.data());
}

struct four_words {
    __m512i w0, w1, w2, w3;
};

/// Turns 32 octets of each lane, lanes n and n + 4 side by side in `rows`, into words of all lanes.
POSTERN_AVX512 four_words turn(__m512i rows0, __m512i rows1, __m512i rows2, __m512i rows3) {
    // Words 0 and 2, then 1 and 3, of lanes {0, 1} and {4, 5}, then {2, 3} and {6, 7}.
    const __m512i even01 = _mm512_unpacklo_epi64(rows0, rows1);
    const __m512i odd01 = _mm512_unpackhi_epi64(rows0, rows1);
    const __m512i even23 = _mm512_unpacklo_epi64(rows2, rows3);
    const __m512i odd23 = _mm512_unpackhi_epi64(rows2, rows3);
    const __m512i first = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
    const __m512i second = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
    return {_mm512_permutex2var_epi64(even01, first, even23), _mm512_permutex2var_epi64(odd01, first, odd23),
            _mm512_permutex2var_epi64(even01, second, even23), _mm512_permutex2var_epi64(odd01, second, odd23)};
}

POSTERN_AVX512 __m512i pair(__m256i a, __m256i b) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
}

POSTERN_AVX512 four_words load_words(const std::string_view* texts, std::size_t offset) {
    return turn(
        pair(load(texts[0], offset), load(texts[4], offset)), pair(load(texts[1], offset), load(texts[5], offset)),
        pair(load(texts[2], offset), load(texts[6], offset)), pair(load(texts[3], offset), load(texts[7], offset)));
}
POSTERN_AVX512 four_words load_first_words(const std::string_view* texts) {
    return turn(pair(load_first(texts[0]), load_first(texts[4])), pair(load_first(texts[1]), load_first(texts[5])),
                pair(load_first(texts[2]), load_first(texts[6])), pair(load_first(texts[3]), load_first(texts[7])));
}

/// Where texts end, for all lanes.
struct ends {
    __m512i last;     ///< number of the last word, which has the length
    __m512i lengths;  ///< in the top octet
    std::uint64_t least;
    std::uint64_t most;
};

/// The sizes of eight texts. A view is two words; which of them is the size is the library's choice.
POSTERN_AVX512 __m512i sizes_of(const std::string_view* texts) {
    static_assert(sizeof(std::string_view) == 16);
    std::array<std::uint64_t, 2> words;  // NOLINT: filled below
    const std::string_view empty = std::string_view("x").substr(0, 0);
    std::memcpy(words.data(), &empty, sizeof words);
    const __m512i even = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);
    return _mm512_permutex2var_epi64(_mm512_loadu_si512(texts), words[0] == 0 ? even : odd,
                                     _mm512_loadu_si512(texts + 4));
}

POSTERN_AVX512 ends ends_of(const std::string_view* texts) {
    const __m512i lengths = sizes_of(texts);
    const __m512i last = _mm512_srli_epi64(lengths, 3);
    return {last, _mm512_slli_epi64(lengths, 56), _mm512_reduce_min_epu64(last), _mm512_reduce_max_epu64(last)};
}

POSTERN_AVX512 void take_word(eight_lanes& s, __m512i word, const ends& at, std::uint64_t number) {
    if (number > at.most) {
        return;
    }
    if (number < at.least) {
        take(s, word);
        return;
    }
    const __m512i here = _mm512_set1_epi64(static_cast<long long>(number));
    word = _mm512_mask_or_epi64(word, _mm512_cmpeq_epi64_mask(at.last, here), word, at.lengths);
    if (at.least == at.most) {
        take(s, word);
    } else {
        take_some(s, word, _mm512_cmpge_epi64_mask(at.last, here));
    }
}

POSTERN_AVX512 void take_words(eight_lanes& s, const four_words& words, const ends& at, std::uint64_t first) {
    take_word(s, words.w0, at, first);
    take_word(s, words.w1, at, first + 1);
    take_word(s, words.w2, at, first + 2);
    take_word(s, words.w3, at, first + 3);
}

POSTERN_AVX512 eight_lanes start(const hash_key& key) {
    return {_mm512_set1_epi64(static_cast<long long>(sip_start[0] ^ key.k0)),
            _mm512_set1_epi64(static_cast<long long>(sip_start[1] ^ key.k1)),
            _mm512_set1_epi64(static_cast<long long>(sip_start[2] ^ key.k0)),
            _mm512_set1_epi64(static_cast<long long>(sip_start[3] ^ key.k1))};
}

POSTERN_AVX512 __m512i finish(eight_lanes& s) {
    s.v2 = _mm512_xor_si512(s.v2, _mm512_set1_epi64(0xFF));
    for (int i = 0; i < 3; ++i) {
        round(s);
    }
    return _mm512_xor_si512(_mm512_xor_si512(s.v0, s.v1), _mm512_xor_si512(s.v2, s.v3));
}

/// Texts of any lengths. Not inlined, to leave the registers to the others.
__attribute__((target(POSTERN_AVX512_TARGET), noinline)) inline __m512i hash_any_eight(const hash_key& key,
                                                                                       const std::string_view* texts) {
    eight_lanes s = start(key);
    const ends at = ends_of(texts);
    for (std::uint64_t number = 0; number <= at.most; number += 4) {
        take_words(s, load_words(texts, number * 8), at, number);
    }
    return finish(s);
}

/// Eight texts; quickest if they end in the same word of the first four, as addresses of 24 to 31 octets do.
POSTERN_AVX512 __m512i hash_eight(const hash_key& key, const std::string_view* texts) {
    const __m512i lengths = sizes_of(texts);
    const std::uint64_t last = texts[0].size() / 8;
    if (last > 3 ||
        _mm512_cmpneq_epi64_mask(_mm512_srli_epi64(lengths, 3), _mm512_set1_epi64(static_cast<long long>(last))) != 0) {
        return hash_any_eight(key, texts);
    }
    eight_lanes s = start(key);
    const four_words words = load_first_words(texts);
    const __m512i tops = _mm512_slli_epi64(lengths, 56);
    take(s, last == 0 ? _mm512_or_si512(words.w0, tops) : words.w0);
    if (last > 0) {
        take(s, last == 1 ? _mm512_or_si512(words.w1, tops) : words.w1);
    }
    if (last > 1) {
        take(s, last == 2 ? _mm512_or_si512(words.w2, tops) : words.w2);
    }
    if (last > 2) {
        take(s, _mm512_or_si512(words.w3, tops));
    }
    return finish(s);
}

/// The lanes behind `used` (1 to 8) have the first text's hash: of its length, they cost nothing.
POSTERN_AVX512 __m512i hash_up_to_eight(const hash_key& key, const std::string_view* texts, std::size_t used) {
    if (used == hash_lanes_count) {
        return hash_eight(key, texts);
    }
    std::array<std::string_view, hash_lanes_count> lanes;
    for (std::size_t i = 0; i < hash_lanes_count; ++i) {
        lanes[i] = texts[i < used ? i : 0];
    }
    return hash_eight(key, lanes.data());
}

}  // namespace postern::recipients::avx512
#endif
