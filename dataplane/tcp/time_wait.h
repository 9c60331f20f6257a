// Connections in TIME-WAIT: 32 octets each, index included, in a ring in the order of their end. RFC 9293 3.3.2, 3.6.1.
//
// Known by their 64-bit keyed hash alone: two pairs of ends that share one are a chance of 2^-64. All stay equally
// long, so the oldest is the first to expire, and the one that goes when the ring is full.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/shard/seam.h"
#include "dataplane/tcp/connection_table.h"
#include "dataplane/tcp/slot_array.h"

namespace postern::tcp {

class time_wait_table {
public:
    struct entry {
        std::uint64_t hash = 0;
        std::uint32_t snd_nxt = 0;    ///< behind our FIN
        std::uint32_t rcv_nxt = 0;    ///< behind the peer's
        std::uint32_t ts_recent = 0;  ///< the peer's last timestamp
        std::uint32_t has_timestamps : 1 = 0;
        std::uint32_t alive : 1 = 0;
        std::uint32_t expires : 30 = 0;  ///< in units of 16 ms, modulo
    };
    static_assert(sizeof(entry) + sizeof(std::uint64_t) <= 32, "with its 8 octets of index");

    /// At most `most` entries, each for `stay`.
    time_wait_table(std::size_t most, shard::instant stay)
        : _most(most < 1 ? 1 : most),
          _stay(stay),
          _ring(_most),
          _index_mask(std::bit_ceil(_most + _most / 3 + 8) - 1),
          _index(_index_mask + 1) {}

    void prefetch(std::uint64_t hash) const noexcept { __builtin_prefetch(&_index[home(hash)]); }

    /// Adds an entry, or starts its time anew if it is there. True: the oldest had to go for it.
    bool add(entry e, shard::instant now) noexcept;
    entry* find(std::uint64_t hash) noexcept;
    void erase(std::uint64_t hash) noexcept;
    /// Takes out what has stayed its time. Cheap if there is nothing.
    void expire(shard::instant now) noexcept;

    /// Entries that are there.
    std::size_t size() const noexcept { return _alive; }

private:
    static std::uint32_t units(shard::instant t) noexcept {
        return static_cast<std::uint32_t>(t.count() >> 24) & 0x3fffffff;
    }
    std::size_t home(std::uint64_t hash) const noexcept { return static_cast<std::size_t>(hash) & _index_mask; }
    /// Where in the index the entry is, or the free place for it.
    std::size_t place(std::uint64_t hash) const noexcept;
    void unlink(std::size_t at) noexcept;
    void drop_first() noexcept;

    std::size_t _most;
    shard::instant _stay;
    slot_array<entry> _ring;
    std::size_t _first = 0;  ///< of the ring
    std::size_t _used = 0;   ///< of the ring, dead ones included
    std::size_t _alive = 0;
    std::size_t _index_mask;
    slot_array<std::uint32_t> _index;  ///< place in the ring and one; 0: free
};

}  // namespace postern::tcp
