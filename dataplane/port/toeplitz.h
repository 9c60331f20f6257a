// The Toeplitz hash, as NICs compute it for receive-side scaling, over as much input as a TCP/IPv6 tuple has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace postern::port {

class toeplitz {
public:
    static constexpr std::size_t most_input = 36;  ///< octets: two IPv6 addresses, two ports
    static constexpr std::size_t key_octets = most_input + 4;

    /// Longer keys of NICs are for longer input: what is behind the first `key_octets` plays no part here.
    explicit toeplitz(std::span<const std::uint8_t, key_octets> key) noexcept;

    /// At most `most_input` octets.
    std::uint32_t of(std::span<const std::uint8_t> input) const noexcept {
        std::uint32_t hash = 0;
        for (std::size_t i = 0; i < input.size(); ++i) {
            hash ^= _parts[2 * i][input[i] >> 4U] ^ _parts[2 * i + 1][input[i] & 15U];
        }
        return hash;
    }

private:
    /// What each value of each half octet of the input adds. 4.5 KiB, so that it stays in the first-level cache.
    std::array<std::array<std::uint32_t, 16>, 2 * most_input> _parts{};
};

}  // namespace postern::port
