// What a table is asked in the benchmarks: random addresses of 25 octets, listed ones and strangers, and the answers
// that are right.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern::perf::table {

inline constexpr std::string_view domain_name = "example.com";
inline constexpr std::size_t local_octets = 13;
inline constexpr std::size_t address_octets = local_octets + 1 + domain_name.size();
static_assert(address_octets == 25);

using address_text = std::array<char, address_octets>;

/// A bijection, so that different numbers give different addresses.
constexpr std::uint64_t scramble(std::uint64_t x) noexcept {
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31U);
}

/// The address of a number; a list of `keys` addresses has those of 0 to keys - 1.
inline address_text text_of(std::uint64_t number) noexcept {
    constexpr std::string_view digits = "abcdefghijklmnopqrstuvwxyz234567";
    address_text text;  // NOLINT: filled below
    std::uint64_t rest = scramble(number);
    for (std::size_t i = 0; i < local_octets; ++i, rest >>= 5U) {
        text[i] = digits[rest & 31U];
    }
    text[local_octets] = '@';
    domain_name.copy(text.data() + local_octets + 1, domain_name.size());
    return text;
}

inline std::string_view view(const address_text& text) noexcept {
    return {text.data(), text.size()};
}

/// As many queries as stay in the L1 cache, so that only the tables are waited for.
struct query_block {
    static constexpr std::size_t size = 256;

    struct alignas(32) slot {
        address_text text;
    };
    std::array<slot, size> slots;
    std::array<std::string_view, size> texts;
    std::array<bool, size> listed;

    /// The `number`th block: `listed_percent` of it are of the list of `keys` addresses, the others never are.
    void draw(std::uint64_t number, std::uint64_t keys, unsigned listed_percent) noexcept {
        for (std::size_t i = 0; i < size; ++i) {
            const std::uint64_t random = scramble(number * size + i + 0x9E3779B97F4A7C15U);
            listed[i] = random % 100 < listed_percent;
            const std::uint64_t drawn = scramble(random);
            slots[i].text = text_of(listed[i] ? drawn % keys : keys + (drawn >> 8U));
            texts[i] = view(slots[i].text);
        }
    }
};

}  // namespace postern::perf::table
