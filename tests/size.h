// Two sizes of a test: small in `./dev test`, and in `./dev test --all`, which sets POSTERN_FULL, that of its
// requirement.
#pragma once

#include <cstdlib>

namespace postern::tests {

inline bool full_size() noexcept {
    return std::getenv("POSTERN_FULL") != nullptr;
}

template <class Number>
Number sized(Number small, Number full) noexcept {
    return full_size() ? full : small;
}

}  // namespace postern::tests
