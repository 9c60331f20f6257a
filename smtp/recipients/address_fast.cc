// The fast way of address_parser.h: the octets' classes become bit masks, the grammar becomes a few questions to them.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "smtp/recipients/address_parser.h"

#if defined(__SSE2__)
#include <emmintrin.h>
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

std::size_t address_parser::plain_mailbox_before(char end, std::string_view text, normal_address& out) noexcept {
    octet_masks is;
    std::uint64_t ends = 0;
    for (std::size_t offset = 0; ends == 0; offset += step) {
        // The last octets are looked at together with some before them, so that nothing behind the text is read.
        if (offset + step > most || text.size() < step) {
            return 0;
        }
        const std::size_t at = std::min(offset, text.size() - step);
        const __m128i octets = load(text.data() + at);
        classify(octets, at, out._text.data(), is);
        ends |= bits(equal(octets, end)) << at;
        if (ends == 0 && at + step == text.size()) {
            return 0;
        }
    }
    const auto size = static_cast<std::size_t>(std::countr_zero(ends));
    return size >= 3 && plain_by(is, size, out) ? size : 0;
}
#else
bool address_parser::plain_mailbox(std::string_view, normal_address&) noexcept {
    return false;
}
std::size_t address_parser::plain_mailbox_before(char, std::string_view, normal_address&) noexcept {
    return 0;
}
#endif

}  // namespace postern::recipients
