// Looks at the octets of a command line eight at a time: which kinds that may not be there are there.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace postern::protocol {

struct octet_kinds {
    bool control = false;  ///< NUL to 31, or 127
    bool high = false;     ///< over 127
};

inline octet_kinds kinds_of(std::string_view text) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101U;
    constexpr std::uint64_t tops = 0x8080808080808080U;
    std::uint64_t control = 0;
    std::uint64_t high = 0;
    const auto look = [&](std::uint64_t word) {
        const std::uint64_t low = word & ~tops;
        const std::uint64_t below_space = ~(low + (0x80U - 0x20U) * ones);  // top bit set where the low 7 bits are < 32
        const std::uint64_t not_del = (low ^ (0x7fU * ones)) + 0x7fU * ones;  // top bit clear where they are 127
        control |= (below_space | ~not_del) & ~word & tops;
        high |= word & tops;
    };
    const char* at = text.data();
    std::size_t left = text.size();
    for (; left >= sizeof(std::uint64_t); at += sizeof(std::uint64_t), left -= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        look(word);
    }
    if (left != 0) {
        std::uint64_t word = 0x2020202020202020U;  // spaces: neither kind
        std::memcpy(&word, at, left);
        look(word);
    }
    return {control != 0, high != 0};
}

}  // namespace postern::protocol
