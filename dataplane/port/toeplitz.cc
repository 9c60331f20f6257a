#include "dataplane/port/toeplitz.h"

namespace postern::port {

toeplitz::toeplitz(std::span<const std::uint8_t, key_octets> key) noexcept {
    // The 32 bits of the key that begin at a bit.
    const auto window = [&](std::size_t bit) {
        std::uint64_t octets = 0;
        for (std::size_t i = 0; i < 5; ++i) {
            const std::size_t at = bit / 8 + i;
            octets = octets << 8U | (at < key.size() ? key[at] : 0U);
        }
        return static_cast<std::uint32_t>(octets >> (8 - bit % 8));
    };
    for (std::size_t half = 0; half < _parts.size(); ++half) {
        for (unsigned value = 0; value < 16; ++value) {
            for (unsigned bit = 0; bit < 4; ++bit) {
                if ((value & (8U >> bit)) != 0) {
                    _parts[half][value] ^= window(half * 4 + bit);
                }
            }
        }
    }
}

}  // namespace postern::port
