// A 64-bit digest that tells a changed thing from an unchanged one. Private to this folder.
#pragma once

#include <cstdint>
#include <string_view>

namespace postern::sync {

/// Never 0, which stands for "not known". Kept in the store: it must not change between versions (XXH3).
std::int64_t digest(std::string_view octets) noexcept;

}  // namespace postern::sync
