// One line of the table: ten keys of a bucket that is a cache line, and how a query is compared with them.
//
//   at  size
//    0    40  ten fingerprints, low 32 bits each
//   40    20  ten payloads, 16 bits: kind 0-2, grace 3, internal only 4, low 11 bits of the domain's id 5-15
//   60     4  bits 0-3 keys in the line, 4-23 the fingerprints' two high bits, 24-31 zero
//
// With 34 bits a stranger passes for a member in 10 of 2^34 lookups of a full line: under 2^-30, and under 2^-28 with
// an overlay and a subaddress form to be asked as well.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "smtp/recipients/domains.h"
#include "smtp/recipients/octets.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace postern::recipients {

struct alignas(64) line {
    static constexpr std::uint32_t capacity = 10;

    std::array<std::uint32_t, capacity> fingerprints;
    std::array<std::uint16_t, capacity> payloads;
    std::uint32_t tail;

    std::uint32_t count() const noexcept { return tail & 0xFU; }
};
static_assert(sizeof(line) == 64);

/// A fingerprint of 34 bits.
struct fingerprint {
    std::uint32_t low = 0;
    std::uint32_t high = 0;  ///< 2 bits
};

inline constexpr std::uint64_t fingerprint_factor = 0x9E3779B97F4A7C15U;

inline fingerprint fingerprint_of(std::uint64_t hash, std::uint64_t salt) noexcept {
    const std::uint64_t mixed = (hash ^ salt) * fingerprint_factor;
    return {static_cast<std::uint32_t>(mixed >> 32U), static_cast<std::uint32_t>(mixed >> 30U) & 3U};
}

/// The factors of `choose_line`.
struct line_choice {
    static constexpr std::uint64_t by_pilot = 0xD6E8FEB86659FD93U;
    static constexpr std::uint64_t by_hash = 0xA0761D6478BD642FU;
};

/// Which of a partition's lines a pilot chooses for a key.
inline std::uint64_t choose_line(std::uint64_t hash, std::uint8_t pilot, std::uint32_t lines) noexcept {
    const std::uint64_t turned = hash ^ ((pilot + 1ULL) * line_choice::by_pilot);
    return multiply_high(multiply_fold(turned, line_choice::by_hash), lines);
}

/// Bit i is set if fingerprint i's low half is `low` and the line has more than i keys.
inline std::uint32_t match_low(const line& in, std::uint32_t low) noexcept {
    const std::uint32_t used = (1U << in.count()) - 1U;
#if defined(__SSE2__)
    const auto* const at = reinterpret_cast<const __m128i*>(&in);
    const __m128i wanted = _mm_set1_epi32(static_cast<int>(low));
    const __m128i first = _mm_cmpeq_epi32(_mm_load_si128(at), wanted);
    const __m128i second = _mm_cmpeq_epi32(_mm_load_si128(at + 1), wanted);
    const __m128i third = _mm_cmpeq_epi32(_mm_load_si128(at + 2), wanted);
    const __m128i packed = _mm_packs_epi16(_mm_packs_epi32(first, second), _mm_packs_epi32(third, third));
    return static_cast<std::uint32_t>(_mm_movemask_epi8(packed)) & used & 0x3FFU;
#else
    std::uint32_t mask = 0;
    for (std::uint32_t i = 0; i < line::capacity; ++i) {
        mask |= static_cast<std::uint32_t>(in.fingerprints[i] == low) << i;
    }
    return mask & used;
#endif
}

inline std::uint32_t high_bits(const line& in, std::uint32_t position) noexcept {
    return (in.tail >> (4U + 2U * position)) & 3U;
}

/// Set in `found::payload` if there is none; payloads have 16 bits.
inline constexpr std::uint32_t no_payload = 0x10000;

struct found {
    std::uint32_t payload = no_payload;
    std::uint32_t position = 0;  ///< of no meaning if there is no payload
};

/// The key of which `match_low` gave the mask, if its high bits match too. No branch: half of the recipients may be
/// listed, in no order that could be foreseen.
inline found found_at(const line& in, fingerprint print, std::uint32_t mask) noexcept {
    // Nothing matched: position 10, where the tail's first octets stand for a payload and its zeros for high bits.
    const auto position = static_cast<std::uint32_t>(std::countr_zero(mask | (1U << line::capacity)));
    const auto* const payloads = reinterpret_cast<const char*>(&in) + offsetof(line, payloads);
    const std::uint32_t payload = load_le<std::uint16_t>(payloads + std::size_t{2} * position);
    const bool missed = (static_cast<std::uint32_t>(mask == 0) | (high_bits(in, position) ^ print.high)) != 0;
    return {payload | (missed ? no_payload : 0U), position};
}

/// The key with a fingerprint; the builder puts no two with one low half into a line.
inline found find(const line& in, fingerprint print) noexcept {
    return found_at(in, print, match_low(in, print.low));
}

/// Adds a key behind the line's others. Precondition: count() < capacity.
inline void append(line& to, fingerprint print, std::uint16_t payload) noexcept {
    const std::uint32_t position = to.count();
    to.fingerprints[position] = print.low;
    to.payloads[position] = payload;
    to.tail = (to.tail + 1U) | (print.high << (4U + 2U * position));
}

/// Takes the last key off again. Precondition: count() > 0.
inline void drop_last(line& from) noexcept {
    const std::uint32_t position = from.count() - 1U;
    from.fingerprints[position] = 0;
    from.payloads[position] = 0;
    from.tail = (from.tail - 1U) & ~(3U << (4U + 2U * position));
}

inline constexpr std::uint32_t domain_check_mask = 0x7FFU;

constexpr std::uint16_t make_payload(mailbox_kind kind, bool grace, bool internal_only, std::uint32_t domain) noexcept {
    return static_cast<std::uint16_t>(static_cast<std::uint32_t>(kind) | (grace ? 8U : 0U) |
                                      (internal_only ? 16U : 0U) | ((domain & domain_check_mask) << 5U));
}
constexpr mailbox_kind payload_kind(std::uint32_t payload) noexcept {
    return static_cast<mailbox_kind>(payload & 7U);
}
constexpr bool payload_grace(std::uint32_t payload) noexcept {
    return (payload & 8U) != 0;
}
constexpr bool payload_internal_only(std::uint32_t payload) noexcept {
    return (payload & 16U) != 0;
}
constexpr std::uint32_t payload_domain(std::uint32_t payload) noexcept {
    return payload >> 5U;
}

}  // namespace postern::recipients
