#include "dataplane/shard/block_pool.h"

#include <new>
#include <utility>

namespace postern::shard {
namespace {

constexpr std::size_t whole(std::size_t room) noexcept {
    return sizeof(block_pool::block) + room;
}
static_assert(whole(block_pool::small_room) <= 2048);
static_assert(whole(block_pool::slab_room) == 256, "whole cache lines, and a short reply in the first");

}  // namespace

block_pool::~block_pool() {
    for (free_list& list : std::span(_free).first(slabs)) {
        while (list.first != nullptr) {
            block* const b = list.first;
            list.first = b->next;
            ::operator delete(b);
        }
    }
}

block_pool::block* block_pool::borrow(std::size_t n) noexcept {
    if (n > large_room) {
        return nullptr;
    }
    return n > small_room ? lend(1, large_room) : lend(0, small_room);
}

block_pool::block* block_pool::lend(std::size_t which, std::size_t room) noexcept {
    if (_lent + whole(room) > _limit) {
        return nullptr;
    }
    free_list& list = _free[which];
    void* storage = list.first;
    if (storage != nullptr) {
        list.first = list.first->next;
        --list.size;
    } else {
        // A line more than a power of two: else the heads of a burst's blocks would share a few sets of the cache.
        constexpr std::size_t offset = 64;
        storage = which == slabs ? new_slab() : ::operator new(whole(room) + offset, std::nothrow);
        if (storage == nullptr) {
            return nullptr;
        }
    }
    _lent += whole(room);
    return ::new (storage) block{.room = static_cast<std::uint32_t>(room)};
}

void* block_pool::new_slab() noexcept {
    if (_chunk_used + whole(slab_room) > process::huge_chunk_octets) {
        process::huge_chunk more = process::make_huge_chunk();
        if (!more) {
            return nullptr;
        }
        _chunks.push_back(std::move(more));
        _chunk_used = 0;
    }
    std::byte* const at = _chunks.back().get() + _chunk_used;
    _chunk_used += whole(slab_room);
    return at;
}

void block_pool::give_back_block(block* b) noexcept {
    _lent -= whole(b->room);
    free_list& list = _free[b->room == large_room ? 1 : 0];
    if (list.size * whole(b->room) >= most_free_octets) {
        ::operator delete(b);
        return;
    }
    put(list, b);
}

}  // namespace postern::shard
