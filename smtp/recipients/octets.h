// Little-endian numbers in octets, as the table file has them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace postern::recipients {

static_assert(std::endian::native == std::endian::little, "lines are used as they stand in the file");

template <class T>
T load_le(const void* at) noexcept {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

template <class T>
void store_le(void* at, T value) noexcept {
    std::memcpy(at, &value, sizeof value);
}

/// The high half of a 128-bit product: maps a hash evenly to [0, b).
inline std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<wide>(a) * b) >> 64U);
}

/// Both halves of a 128-bit product folded: every bit of `a` reaches every bit of the result.
inline std::uint64_t multiply_fold(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using wide = unsigned __int128;
    const wide product = static_cast<wide>(a) * b;
    return static_cast<std::uint64_t>(product >> 64U) ^ static_cast<std::uint64_t>(product);
}

/// Asks for the cache line at `at`; waits for nothing.
inline void prefetch(const void* at) noexcept {
    __builtin_prefetch(at, 0, 3);
}

/// The same for each line that an object lies in.
template <class T>
void prefetch_object(const T& of) noexcept {
    const auto* const first = reinterpret_cast<const char*>(&of);
    for (std::size_t at = 0; at < sizeof of; at += 64) {
        prefetch(first + at);
    }
    prefetch(first + sizeof of - 1);
}

/// As `prefetch`, but only as far as the L2 cache, which waits for more lines at once than the L1 cache does (measured:
/// 15 against more than 24). For what is far away.
inline void prefetch_far(const void* at) noexcept {
    __builtin_prefetch(at, 0, 2);
}

}  // namespace postern::recipients
