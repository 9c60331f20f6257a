// SipHash-1-3 of many messages of two words with one key, four at a time where the processor can: what the addresses of
// a burst's segments are.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/shard/siphash.h"

namespace postern::shard {

struct word_pair {
    std::uint64_t first;
    std::uint64_t second;
};

/// `out[i]` is `siphash13(key, in[i].first, in[i].second)`; it has room for as many as `in` has.
void siphash13_pairs(const siphash_key& key, std::span<const word_pair> in, std::uint64_t* out) noexcept;

}  // namespace postern::shard
