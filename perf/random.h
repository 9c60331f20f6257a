// Seeded random numbers of the load generator: xoshiro256** (Blackman, Vigna), its state filled by SplitMix64, so that
// one seed gives one sequence on every machine.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace postern::perf {

class random_source {
public:
    explicit random_source(std::uint64_t seed) noexcept {
        for (auto& word : _state) {
            seed += 0x9e3779b97f4a7c15U;
            std::uint64_t mixed = seed;
            mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
            mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
            word = mixed ^ (mixed >> 31U);
        }
    }

    std::uint64_t next() noexcept {
        const std::uint64_t result = std::rotl(_state[1] * 5U, 7) * 9U;
        const std::uint64_t shifted = _state[1] << 17U;
        _state[2] ^= _state[0];
        _state[3] ^= _state[1];
        _state[1] ^= _state[2];
        _state[0] ^= _state[3];
        _state[2] ^= shifted;
        _state[3] = std::rotl(_state[3], 45);
        return result;
    }

    /// 0 <= result < `bound` (> 0). The bias of the multiplication is below 2^-32 for the sizes of lists.
    std::uint64_t below(std::uint64_t bound) noexcept {
        __extension__ using wide = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<wide>(next()) * bound) >> 64U);
    }

    /// 0 <= result < 1.
    double unit() noexcept { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

private:
    std::array<std::uint64_t, 4> _state{};
};

}  // namespace postern::perf
