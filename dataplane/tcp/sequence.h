// Comparison of sequence numbers and timestamps, which wrap. RFC 9293 3.4, RFC 7323 5.2.
#pragma once

#include <cstdint>

namespace postern::tcp {

constexpr bool seq_lt(std::uint32_t a, std::uint32_t b) noexcept {
    return static_cast<std::int32_t>(a - b) < 0;
}
constexpr bool seq_le(std::uint32_t a, std::uint32_t b) noexcept {
    return static_cast<std::int32_t>(a - b) <= 0;
}
constexpr bool seq_gt(std::uint32_t a, std::uint32_t b) noexcept {
    return seq_lt(b, a);
}
constexpr bool seq_ge(std::uint32_t a, std::uint32_t b) noexcept {
    return seq_le(b, a);
}
constexpr std::uint32_t seq_max(std::uint32_t a, std::uint32_t b) noexcept {
    return seq_lt(a, b) ? b : a;
}
constexpr std::uint32_t seq_min(std::uint32_t a, std::uint32_t b) noexcept {
    return seq_lt(a, b) ? a : b;
}

/// Sequence numbers from `begin` up to, not including, `end`.
struct seq_range {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    friend constexpr bool operator==(seq_range, seq_range) = default;
};

}  // namespace postern::tcp
