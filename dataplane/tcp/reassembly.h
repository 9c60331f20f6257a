// Octets of one connection that arrived before others, until the hole in front of them is filled. RFC 9293 3.10.7.4,
// RFC 2018.
//
// The receive window is cut into pages of a small block each, at fixed places of the sequence space, so that a window
// of one-octet segments pins no more blocks than one of full segments. What is there is a list of ranges, the one that
// changed last first: that is the order in which SACK wants them. The object itself lies in a small block too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/shard/block_pool.h"
#include "dataplane/tcp/sequence.h"

namespace postern::tcp {

class reassembly {
public:
    static constexpr std::uint32_t page_size = 2000;  ///< octets, within shard::block_pool::small_room
    static constexpr std::size_t most_pages = 192 * 1024 / page_size + 2;
    static constexpr std::size_t most_ranges = 32;

    /// In a block of `pool`, or nullptr. Sequence numbers count from `base` (at or before all that will be stored).
    static reassembly* make(shard::block_pool& pool, std::uint32_t base) noexcept;
    /// Gives all blocks back, its own too.
    void release(shard::block_pool& pool) noexcept;

    /// Copies octets that begin at `seq`. `next` is the first number that is missing; nothing at or before it is
    /// stored, and nothing beyond `next` + 192 KiB may be. False: nothing was stored for want of a block or of a free
    /// range.
    bool store(shard::block_pool& pool, std::uint32_t next, std::uint32_t seq, std::span<const char> octets) noexcept;

    /// The octets at `next` that lie together in one page; empty: there are none.
    std::span<const char> at(std::uint32_t next) const noexcept;
    /// Gives back what lies before `next`.
    void forget_before(shard::block_pool& pool, std::uint32_t next) noexcept;

    /// The peer's FIN, if it came early.
    void set_fin(std::uint32_t seq) noexcept {
        _fin = seq;
        _has_fin = true;
    }
    bool fin_at(std::uint32_t next) const noexcept { return _has_fin && _fin == next; }
    bool empty() const noexcept { return _count == 0 && !_has_fin; }

    /// The ranges, the one that changed last first.
    std::span<const seq_range> ranges() const noexcept { return {_ranges.data(), _count}; }
    /// Octets of blocks, the object's own included.
    std::size_t held() const noexcept;

    // The list of those of a shard that hold something, oldest first: the shard's.
    reassembly* older = nullptr;
    reassembly* newer = nullptr;
    std::uint32_t slot = 0;

private:
    using block = shard::block_pool::block;
    explicit reassembly(block* own, std::uint32_t base) noexcept : _own(own), _base(base) {}

    std::uint32_t page_of(std::uint32_t seq) const noexcept { return (seq - _base) / page_size; }
    bool borrow_pages(shard::block_pool& pool, std::uint32_t from, std::uint32_t to) noexcept;
    void insert(seq_range r) noexcept;

    block* _own;
    std::uint32_t _base;  ///< of page 0; moves on by whole turns of the pages
    std::uint32_t _fin = 0;
    bool _has_fin = false;
    std::size_t _count = 0;
    std::size_t _pages_held = 0;
    std::array<seq_range, most_ranges> _ranges{};
    std::array<block*, most_pages> _pages{};  ///< page n at n % most_pages
};

static_assert(sizeof(reassembly) <= shard::block_pool::small_room);

}  // namespace postern::tcp
