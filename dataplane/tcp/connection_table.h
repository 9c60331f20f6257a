// Which slot a pair of ends is in: open addressing with linear probing over 8-octet entries, eight to a cache line.
//
// An entry has 32 bits of the keyed hash (SipHash: the peer chooses the input) and the slot; the caller compares the
// ends themselves. A lookup is two stages, so that a burst's cache misses overlap:
//
//     table.prefetch(hash);                                     // for every segment of the burst
//     table.first(hash)                                         // then: the slot to prefetch
//     table.find(hash, [&](std::uint32_t slot) { … same ends? … })   // then: the answer
//
// The size is fixed by the cap on connections (load at most 3/4), so nothing grows in the mail path.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "dataplane/tcp/slot_array.h"

namespace postern::tcp {

class connection_table {
public:
    static constexpr std::uint32_t none = UINT32_MAX;

    /// For at most `most` slots, numbered below UINT32_MAX.
    explicit connection_table(std::size_t most) : _mask(std::bit_ceil(most + most / 3 + 8) - 1), _entries(_mask + 1) {}

    [[gnu::always_inline]] void prefetch(std::uint64_t hash) const noexcept {
        __builtin_prefetch(&_entries[home(tag(hash))]);
    }

    /// The first slot whose entry has this hash's bits, or `none`: right but for chance.
    std::uint32_t first(std::uint64_t hash) const noexcept {
        return find(hash, [](std::uint32_t) { return true; });
    }

    /// The slot for which `same` says yes, or `none`.
    template <class Same>
    std::uint32_t find(std::uint64_t hash, Same&& same) const noexcept {
        const std::uint32_t wanted = tag(hash);
        for (std::size_t i = home(wanted); _entries[i].slot_and_one != 0; i = next(i)) {
            if (_entries[i].tag == wanted && same(_entries[i].slot_and_one - 1)) {
                return _entries[i].slot_and_one - 1;
            }
        }
        return none;
    }

    /// `slot` must not be in the table, and the table not be full.
    void insert(std::uint64_t hash, std::uint32_t slot) noexcept {
        std::size_t i = home(tag(hash));
        while (_entries[i].slot_and_one != 0) {
            i = next(i);
        }
        _entries[i] = {tag(hash), slot + 1};
        ++_size;
    }

    /// Takes `slot` out, if it is there; entries behind it move up, so that no tombstones slow lookups down.
    void erase(std::uint64_t hash, std::uint32_t slot) noexcept {
        std::size_t i = home(tag(hash));
        while (_entries[i].slot_and_one != slot + 1) {
            if (_entries[i].slot_and_one == 0) {
                return;
            }
            i = next(i);
        }
        for (std::size_t j = next(i); _entries[j].slot_and_one != 0; j = next(j)) {
            const std::size_t wants = home(_entries[j].tag);
            if (((j - wants) & _mask) >= ((j - i) & _mask)) {
                _entries[i] = _entries[j];
                i = j;
            }
        }
        _entries[i] = {};
        --_size;
    }

    std::size_t size() const noexcept { return _size; }
    std::size_t octets() const noexcept { return (_mask + 1) * sizeof(entry); }

private:
    struct entry {
        std::uint32_t tag = 0;
        std::uint32_t slot_and_one = 0;  ///< 0: free
    };
    static_assert(sizeof(entry) == 8);

    static std::uint32_t tag(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash); }
    std::size_t home(std::uint32_t t) const noexcept { return t & _mask; }
    std::size_t next(std::size_t i) const noexcept { return (i + 1) & _mask; }

    std::size_t _mask;
    std::size_t _size = 0;
    slot_array<entry> _entries;  ///< fresh memory of the kernel's is all zero: all free
};

}  // namespace postern::tcp
