// The fast way of address_parser.h: the octets' classes become bit masks, the grammar becomes a few questions to them.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "smtp/recipients/address_parser.h"
#include "smtp/recipients/cpu.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace postern::recipients {

/// Bit i tells of octet i.
struct address_parser::octet_masks {
    std::uint64_t at = 0;
    std::uint64_t dot = 0;
    std::uint64_t hyphen = 0;
    std::uint64_t host = 0;   ///< letter, digit, hyphen, underscore
    std::uint64_t local = 0;  ///< those, `+` and `=`
};

#if defined(__SSE2__)
namespace {

constexpr std::size_t step = 16;
constexpr std::size_t most = 64;

inline __m128i between(__m128i octets, char low, char high) noexcept {
    // Signed: octets over 127 are below every bound.
    return _mm_and_si128(_mm_cmpgt_epi8(octets, _mm_set1_epi8(static_cast<char>(low - 1))),
                         _mm_cmplt_epi8(octets, _mm_set1_epi8(static_cast<char>(high + 1))));
}
inline __m128i equal(__m128i octets, char c) noexcept {
    return _mm_cmpeq_epi8(octets, _mm_set1_epi8(c));
}
inline __m128i load(const char* from) noexcept {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
inline std::uint64_t bits(__m128i mask) noexcept {
    return static_cast<std::uint32_t>(_mm_movemask_epi8(mask));
}

/// Classifies 16 octets and puts them down in lower case.
template <class Masks>
inline void classify(__m128i octets, std::size_t offset, char* out, Masks& into) noexcept {
    const __m128i letter = between(_mm_or_si128(octets, _mm_set1_epi8(0x20)), 'a', 'z');
    const __m128i lowered = _mm_or_si128(octets, _mm_and_si128(letter, _mm_set1_epi8(0x20)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + offset), lowered);
    const __m128i hyphen = equal(octets, '-');
    const __m128i host =
        _mm_or_si128(_mm_or_si128(letter, between(octets, '0', '9')), _mm_or_si128(hyphen, equal(octets, '_')));
    const __m128i local = _mm_or_si128(host, _mm_or_si128(equal(octets, '+'), equal(octets, '=')));
    into.at |= bits(equal(octets, '@')) << offset;
    into.dot |= bits(equal(octets, '.')) << offset;
    into.hyphen |= bits(hyphen) << offset;
    into.host |= bits(host) << offset;
    into.local |= bits(local) << offset;
}

#if defined(__x86_64__)
#define POSTERN_AVX512 __attribute__((target(POSTERN_AVX512_TARGET))) inline
#define POSTERN_AVX2 __attribute__((target(POSTERN_AVX2_TARGET), always_inline)) inline

/// A load waits for all lines that it spans, those of which its mask takes nothing too: half a register will do for
/// most addresses, and the line behind a short command is not in any cache.
POSTERN_AVX512 __m512i load_wide(const char* from, std::size_t size) noexcept {
    constexpr std::size_t half = most / 2;
    if (size <= half) {
        const __m256i octets = _mm256_maskz_loadu_epi8(~std::uint32_t{0} >> (half - size), from);
        return _mm512_maskz_inserti64x4(0x0f, _mm512_setzero_si512(), octets, 0);
    }
    return _mm512_maskz_loadu_epi8(~std::uint64_t{0} >> (most - size), from);
}

/// Classifies up to 64 octets in one go and puts them down in lower case; tells where `end` is.
template <class Masks>
POSTERN_AVX512 std::uint64_t classify_wide(const char* from, std::size_t size, char end, char* out,
                                           Masks& into) noexcept {
    const __m512i octets = load_wide(from, size);
    const auto equal_to = [&](char c) __attribute__((target(POSTERN_AVX512_TARGET))) {
        return _mm512_cmpeq_epi8_mask(octets, _mm512_set1_epi8(c));
    };
    const __m512i small = _mm512_or_si512(octets, _mm512_set1_epi8(0x20));
    const __mmask64 letter =
        _mm512_cmplt_epu8_mask(_mm512_sub_epi8(small, _mm512_set1_epi8('a')), _mm512_set1_epi8(26));
    const __mmask64 digit =
        _mm512_cmplt_epu8_mask(_mm512_sub_epi8(octets, _mm512_set1_epi8('0')), _mm512_set1_epi8(10));
    _mm512_storeu_si512(out, _mm512_mask_mov_epi8(octets, letter, small));
    into.at = equal_to('@');
    into.dot = equal_to('.');
    into.hyphen = equal_to('-');
    into.host = letter | digit | into.hyphen | equal_to('_');
    into.local = into.host | equal_to('+') | equal_to('=');
    return equal_to(end);
}

POSTERN_AVX2 __m256i between(__m256i octets, char low, char high) noexcept {
    return _mm256_and_si256(_mm256_cmpgt_epi8(octets, _mm256_set1_epi8(static_cast<char>(low - 1))),
                            _mm256_cmpgt_epi8(_mm256_set1_epi8(static_cast<char>(high + 1)), octets));
}
POSTERN_AVX2 __m256i equal(__m256i octets, char c) noexcept {
    return _mm256_cmpeq_epi8(octets, _mm256_set1_epi8(c));
}
POSTERN_AVX2 std::uint64_t bits(__m256i mask) noexcept {
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(mask));
}

/// The `size` octets, 16 to 31, at `from`, and zeros.
POSTERN_AVX2 __m256i load_padded(const char* from, std::size_t size) noexcept {
    // The last sixteen are moved down over those that the first sixteen have, too; a shuffle makes zeros of negatives.
    alignas(32) static constexpr std::array<std::int8_t, 2 * step> places{0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                                                          11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1,
                                                                          -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    const __m128i down = _mm_loadu_si128(reinterpret_cast<const __m128i*>(places.data() + (2 * step - size)));
    const __m128i second = _mm_shuffle_epi8(load(from + size - step), down);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(load(from)), second, 1);
}

/// As `classify`, of 32 octets; tells where `end` is.
template <class Masks>
POSTERN_AVX2 std::uint64_t classify_half(__m256i octets, std::size_t offset, char end, char* out,
                                         Masks& into) noexcept {
    const __m256i letter = between(_mm256_or_si256(octets, _mm256_set1_epi8(0x20)), 'a', 'z');
    const __m256i lowered = _mm256_or_si256(octets, _mm256_and_si256(letter, _mm256_set1_epi8(0x20)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + offset), lowered);
    const __m256i hyphen = equal(octets, '-');
    const __m256i host = _mm256_or_si256(_mm256_or_si256(letter, between(octets, '0', '9')),
                                         _mm256_or_si256(hyphen, equal(octets, '_')));
    const __m256i local = _mm256_or_si256(host, _mm256_or_si256(equal(octets, '+'), equal(octets, '=')));
    into.at |= bits(equal(octets, '@')) << offset;
    into.dot |= bits(equal(octets, '.')) << offset;
    into.hyphen |= bits(hyphen) << offset;
    into.host |= bits(host) << offset;
    into.local |= bits(local) << offset;
    return bits(equal(octets, end)) << offset;
}
#endif

}  // namespace

[[gnu::always_inline]] inline bool address_parser::plain_by(const octet_masks& is, std::size_t size,
                                                            normal_address& out) noexcept {
    const std::uint64_t all = size == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1;
    const std::uint64_t ats = is.at & all;
    const std::uint64_t in_local = (ats & (~ats + 1)) - 1;  // before the first @, or all
    const std::uint64_t in_domain = all & ~in_local & ~ats;
    const std::uint64_t alien = (in_local & ~(is.local | is.dot)) | (in_domain & ~(is.host | is.dot));
    // Neither a dot nor (in the domain) a hyphen may stand beside a dot, the @ or an end.
    const std::uint64_t ends = is.dot | ats;
    const std::uint64_t beside = ends << 1U | ends >> 1U | 1U | std::uint64_t{1} << (size - 1);
    const std::uint64_t misplaced = beside & all & (is.dot | (is.hyphen & in_domain));
    const bool one_at = ats != 0 && (ats & (ats - 1)) == 0;
    if (!one_at || (alien | misplaced) != 0 || in_local == 0 || in_domain == 0) {
        return false;
    }
    out._size = static_cast<std::uint16_t>(size);
    out._local_size = static_cast<std::uint16_t>(std::countr_zero(ats));
    out._literal = false;
    out._tagged = (in_local & is.local & ~is.host) != 0;
    return true;
}

bool address_parser::plain_mailbox(std::string_view text, normal_address& out) noexcept {
    const std::size_t size = text.size();
    if (size < 3 || size > most) {
        return false;
    }
    octet_masks is;
    char* const to = out._text.data();
    if (size < step) {
        alignas(16) std::array<char, step> padded{};
        std::memcpy(padded.data(), text.data(), size);
        classify(load(padded.data()), 0, to, is);
    } else {
        std::size_t offset = 0;
        for (; offset + step <= size; offset += step) {
            classify(load(text.data() + offset), offset, to, is);
        }
        if (offset < size) {
            classify(load(text.data() + size - step), size - step, to, is);
        }
    }
    return plain_by(is, size, out);
}

/// `plain_mailbox_before` for texts of 16 octets or more.
struct address_parser::finders_here {
    static std::size_t found(std::uint64_t ends, const octet_masks& is, normal_address& out) noexcept {
        const auto size = static_cast<std::size_t>(std::countr_zero(ends));
        return ends != 0 && size >= 3 && plain_by(is, size, out) ? size : 0;
    }
    static std::size_t by_sixteen(char end, std::string_view text, normal_address& out) noexcept {
        octet_masks is;
        std::uint64_t ends = 0;
        // The last octets are looked at together with some before them: nothing behind the text is read.
        const std::size_t last = std::min(text.size(), most) - step;
        for (std::size_t offset = 0; ends == 0 && offset < last + step; offset += step) {
            const std::size_t at = std::min(offset, last);
            const __m128i octets = load(text.data() + at);
            classify(octets, at, out._text.data(), is);
            ends = bits(equal(octets, end)) << at;
        }
        return found(ends, is, out);
    }
#if defined(__x86_64__)
    __attribute__((target(POSTERN_AVX2_TARGET))) static std::size_t by_halves(char end, std::string_view text,
                                                                              normal_address& out) noexcept {
        constexpr std::size_t half = most / 2;
        octet_masks is;
        if (text.size() < half) {
            const __m256i octets = load_padded(text.data(), text.size());
            const std::uint64_t ends = classify_half(octets, 0, end, out._text.data(), is);
            return found(ends, is, out);
        }
        const auto at = [&](std::size_t offset) __attribute__((target(POSTERN_AVX2_TARGET))) {
            const auto* const from = reinterpret_cast<const __m256i*>(text.data() + offset);
            return classify_half(_mm256_loadu_si256(from), offset, end, out._text.data(), is);
        };
        const std::uint64_t ends = at(0);
        return found(ends != 0 ? ends : at(std::min(text.size(), most) - half), is, out);
    }
    __attribute__((target(POSTERN_AVX512_TARGET))) static std::size_t at_once(char end, std::string_view text,
                                                                              normal_address& out) noexcept {
        octet_masks is;
        const std::uint64_t ends = classify_wide(text.data(), std::min(text.size(), most), end, out._text.data(), is);
        return found(ends, is, out);
    }
#endif
};

std::span<const address_parser::finder> address_parser::finders() noexcept {
#if defined(__x86_64__)
    static constexpr std::array all{finders_here::by_sixteen, finders_here::by_halves, finders_here::at_once};
    return std::span(all).first(has_avx512() ? 3 : has_avx2() ? 2 : 1);
#else
    static constexpr std::array all{finders_here::by_sixteen};
    return all;
#endif
}

std::size_t address_parser::plain_mailbox_before(char end, std::string_view text, normal_address& out) noexcept {
    static const finder quickest = finders().back();
    return text.size() < step ? 0 : quickest(end, text, out);
}
#else
bool address_parser::plain_mailbox(std::string_view, normal_address&) noexcept {
    return false;
}
std::size_t address_parser::plain_mailbox_before(char, std::string_view, normal_address&) noexcept {
    return 0;
}
std::span<const address_parser::finder> address_parser::finders() noexcept {
    return {};
}
#endif

}  // namespace postern::recipients
