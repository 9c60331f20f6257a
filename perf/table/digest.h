// 128-bit digests of addresses, for tables of keys of one length: XXH3, the fastest there is.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string_view>

namespace postern::perf::table {

struct digest {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    friend bool operator==(const digest&, const digest&) = default;
};

inline digest digest_of(std::string_view text) noexcept {
    const XXH128_hash_t value = XXH3_128bits(text.data(), text.size());
    return {value.low64, value.high64};
}

}  // namespace postern::perf::table
