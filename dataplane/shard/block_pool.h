// The octets a shard's connections borrow while something is unsent or unconsumed: blocks of three sizes with one cap.
//
// The cap charges blocks held, not octets in them, so that a thousand connections with one octet each cost what they
// pin. Free blocks are kept for reuse up to a bound, the last one given back first, while it is still in the cache; so
// a steady state allocates nothing. Slabs lie in huge pages and are all kept, since every connection has one while its
// reply waits for the ACK. One shard, one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <vector>

#include "board/process/huge_chunk.h"

namespace postern::shard {

class block_pool {
public:
    static constexpr std::size_t slab_room = 232;         ///< with its head 256: a reply that waits for its ACK
    static constexpr std::size_t small_room = 2016;       ///< with its head 2 KiB: replies of a turn, a partial line
    static constexpr std::size_t large_room = 16 * 1024;  ///< a full `reserve`, a relay chunk

    /// Octets at `data() + begin` up to `data() + end`; `next` is the owner's.
    struct block {
        block* next = nullptr;
        std::uint32_t begin = 0;
        std::uint32_t end = 0;
        std::uint32_t room = 0;

        char* data() noexcept { return reinterpret_cast<char*>(this + 1); }
        std::size_t size() const noexcept { return end - begin; }
        std::span<const char> content() noexcept { return {data() + begin, size()}; }
        std::span<char> tail() noexcept { return {data() + end, room - end}; }
    };

    /// At most `limit` octets of blocks are lent at a time.
    explicit block_pool(std::size_t limit) noexcept : _limit(limit) {}
    block_pool(const block_pool&) = delete;
    block_pool& operator=(const block_pool&) = delete;
    ~block_pool();

    /// An empty block with room for `n` (at most large_room), or nullptr: the cap is reached or memory is out.
    block* borrow(std::size_t n) noexcept;
    /// An empty block with room for slab_room, for octets that lie a while; nullptr as above.
    block* borrow_slab() noexcept {
        free_list& list = _free[slabs];
        if (list.first == nullptr || _lent + sizeof(block) + slab_room > _limit) {
            return lend(slabs, slab_room);
        }
        _lent += sizeof(block) + slab_room;
        block* const b = list.first;
        list.first = b->next;
        --list.size;
        return ::new (b) block{.room = slab_room};
    }
    void give_back(block* b) noexcept {
        if (b->room != slab_room) {
            give_back_block(b);
            return;
        }
        _lent -= sizeof(block) + slab_room;
        put(_free[slabs], b);
    }
    /// Whether the cap leaves a block with room for `n`.
    bool can_lend(std::size_t n) const noexcept {
        return _lent + sizeof(block) + (n > small_room ? large_room : small_room) <= _limit;
    }

    std::size_t lent() const noexcept { return _lent; }
    std::size_t limit() const noexcept { return _limit; }

private:
    struct free_list {
        block* first = nullptr;
        std::size_t size = 0;
    };
    static constexpr std::size_t most_free_octets = std::size_t{4} * 1024 * 1024;  ///< kept of each size

    static constexpr std::size_t slabs = 2;  ///< the list of slabs

    static void put(free_list& list, block* b) noexcept {
        b->next = list.first;
        list.first = b;
        ++list.size;
    }
    void give_back_block(block* b) noexcept;
    block* lend(std::size_t list, std::size_t room) noexcept;
    void* new_slab() noexcept;

    std::size_t _limit;
    std::size_t _lent = 0;
    std::array<free_list, 3> _free;                        ///< small, large, slabs
    std::vector<process::huge_chunk> _chunks;              ///< of slabs
    std::size_t _chunk_used = process::huge_chunk_octets;  ///< octets of the last one
};

}  // namespace postern::shard
