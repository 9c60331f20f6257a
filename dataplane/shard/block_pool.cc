#include "dataplane/shard/block_pool.h"

#include <new>

namespace postern::shard {
namespace {

constexpr std::size_t whole(std::size_t room) noexcept {
    return sizeof(block_pool::block) + room;
}
static_assert(whole(block_pool::small_room) <= 2048);

}  // namespace

block_pool::~block_pool() {
    for (free_list& list : _free) {
        while (list.first != nullptr) {
            block* const b = list.first;
            list.first = b->next;
            ::operator delete(b);
        }
    }
}

block_pool::block* block_pool::borrow(std::size_t n) noexcept {
    const bool large = n > small_room;
    const std::size_t room = large ? large_room : small_room;
    if (n > room || _lent + whole(room) > _limit) {
        return nullptr;
    }
    free_list& list = _free[large ? 1 : 0];
    void* storage = list.first;
    if (storage != nullptr) {
        list.first = list.first->next;
        --list.size;
    } else {
        storage = ::operator new(whole(room), std::nothrow);
        if (storage == nullptr) {
            return nullptr;
        }
    }
    _lent += whole(room);
    return ::new (storage) block{.room = static_cast<std::uint32_t>(room)};
}

void block_pool::give_back(block* b) noexcept {
    _lent -= whole(b->room);
    free_list& list = _free[b->room == large_room ? 1 : 0];
    if (list.size >= most_free_octets / whole(b->room)) {
        ::operator delete(b);
        return;
    }
    b->next = list.first;
    list.first = b;
    ++list.size;
}

}  // namespace postern::shard
