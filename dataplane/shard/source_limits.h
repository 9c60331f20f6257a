// How many connections each source has, over all shards: IPv4 by address, IPv6 by /64.
//
// One table for the process, touched when a connection opens and when it is gone, never in between. It is striped: a
// source's stripe is chosen by its keyed hash and has a mutex and an open-addressed table of its own, so the counts are
// exact on any number of shards, and two shards meet only if their clients' sources share one of 64 stripes. A table
// grows by doubling and holds only sources with at least one connection, so the connections' own limit bounds it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "board/process/spsc_ring.h"
#include "dataplane/shard/seam.h"
#include "dataplane/shard/siphash.h"

namespace postern::shard {

class source_limits {
public:
    explicit source_limits(const siphash_key& key = random_siphash_key());

    /// Counts one more connection of the source unless it has `limit` already. Any thread.
    bool enter(const endpoint& peer, std::uint32_t limit);
    /// Takes back one `enter` that succeeded.
    void leave(const endpoint& peer) noexcept;

    /// Connections of this peer's source.
    std::uint32_t count(const endpoint& peer) const;
    /// Sources with at least one connection.
    std::size_t sources() const;

    /// What counts as one source: the 128 bits of the address with those that do not matter cleared.
    struct source {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        friend constexpr bool operator==(source, source) = default;
    };
    static source source_of(const endpoint& peer) noexcept;

private:
    struct entry {
        source key;
        std::uint32_t count = 0;  ///< 0: the entry is free
    };
    struct alignas(process::cache_line) stripe {
        mutable std::mutex lock;
        std::vector<entry> entries;  ///< a power of two of them, at most 3/4 in use; linear probing
        std::size_t used = 0;
    };
    static constexpr unsigned stripe_bits = 6;

    stripe& stripe_of(std::uint64_t hash) const noexcept { return _stripes[hash >> (64 - stripe_bits)]; }
    std::uint64_t hash(source s) const noexcept { return siphash13(_key, s.high, s.low); }
    /// The entry of `s` or the free one where it would go.
    std::size_t find(const stripe& in, source s, std::uint64_t hashed) const noexcept;
    void grow(stripe& in) const;

    siphash_key _key;
    std::unique_ptr<std::array<stripe, std::size_t{1} << stripe_bits>> _storage;
    stripe* _stripes;
};

}  // namespace postern::shard
