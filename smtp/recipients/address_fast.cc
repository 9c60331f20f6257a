// The fast way of address_parser.h: the octets' classes become bit masks, the grammar becomes a few questions to them.
#include <bit>
#include <cstdint>
#include <cstring>

#include "smtp/recipients/address_parser.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace postern::recipients {

#if defined(__SSE2__)
namespace {

constexpr std::size_t step = 16;
constexpr std::size_t most = 64;

/// Bit i tells of octet i.
struct masks {
    std::uint64_t at = 0;
    std::uint64_t dot = 0;
    std::uint64_t hyphen = 0;
    std::uint64_t host = 0;   ///< letter, digit, hyphen, underscore
    std::uint64_t local = 0;  ///< those, `+` and `=`
};

inline __m128i between(__m128i octets, char low, char high) noexcept {
    // Signed: octets over 127 are below every bound.
    return _mm_and_si128(_mm_cmpgt_epi8(octets, _mm_set1_epi8(static_cast<char>(low - 1))),
                         _mm_cmplt_epi8(octets, _mm_set1_epi8(static_cast<char>(high + 1))));
}
inline __m128i equal(__m128i octets, char c) noexcept {
    return _mm_cmpeq_epi8(octets, _mm_set1_epi8(c));
}
inline std::uint64_t bits(__m128i mask) noexcept {
    return static_cast<std::uint32_t>(_mm_movemask_epi8(mask));
}

/// Classifies 16 octets and puts them down in lower case.
inline void classify(__m128i octets, std::size_t offset, char* out, masks& into) noexcept {
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

bool address_parser::plain_mailbox(std::string_view text, normal_address& out) noexcept {
    const std::size_t size = text.size();
    if (size < 3 || size > most) {
        return false;
    }
    masks is;
    char* const to = out._text.data();
    const auto load = [](const char* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); };
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
    if (is.at == 0) {
        return false;
    }
    const auto at = static_cast<unsigned>(std::countr_zero(is.at));
    const std::uint64_t all = size == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1;
    const std::uint64_t in_local = (std::uint64_t{1} << at) - 1;
    const std::uint64_t in_domain = all & ~in_local & ~(std::uint64_t{1} << at);
    const std::uint64_t alien = (in_local & ~(is.local | is.dot)) | (in_domain & ~(is.host | is.dot));
    // Neither a dot nor (in the domain) a hyphen may stand beside a dot, the @ or an end.
    const std::uint64_t beside = (is.dot | is.at) << 1U | (is.dot | is.at) >> 1U | 1U | std::uint64_t{1} << (size - 1);
    const std::uint64_t misplaced = beside & (is.dot | (is.hyphen & in_domain));
    if (alien != 0 || misplaced != 0 || in_local == 0 || in_domain == 0) {
        return false;
    }
    out._size = static_cast<std::uint16_t>(size);
    out._local_size = static_cast<std::uint16_t>(at);
    out._literal = false;
    return true;
}
#else
bool address_parser::plain_mailbox(std::string_view, normal_address&) noexcept {
    return false;
}
#endif

}  // namespace postern::recipients
