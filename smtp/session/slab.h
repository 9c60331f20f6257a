// Blocks of one size, named by index, given back in any order; the last one given back is the next one taken.
//
// Grows by chunks up to a fixed number of blocks and never shrinks, so that nothing is allocated in a steady state.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "board/process/huge_chunk.h"

namespace postern::session {

inline constexpr std::uint32_t no_block = UINT32_MAX;

template <class T>
class slab {
public:
    explicit slab(std::uint32_t most) : _most(most) {}

    /// A block, with the content that its last user left; `no_block` if all are taken.
    std::uint32_t take() {
        if (_free.empty() && !grow()) {
            return no_block;
        }
        const std::uint32_t index = _free.back();
        _free.pop_back();
        return index;
    }

    /// Gives `index` back and sets it to `no_block`; nothing happens if it is that already.
    void give(std::uint32_t& index) noexcept {
        if (index != no_block) {
            _free.push_back(index);
            index = no_block;
        }
    }

    T& operator[](std::uint32_t index) noexcept {
        return reinterpret_cast<T*>(_chunks[index / chunk_size].get())[index % chunk_size];
    }

    std::size_t taken() const noexcept { return _size - _free.size(); }

private:
    static_assert(alignof(T) <= 64 && std::is_trivially_destructible_v<T>);
    /// A power of two of blocks in a chunk, so that finding one is a shift.
    static constexpr std::uint32_t chunk_size = std::bit_floor(process::huge_chunk_octets / sizeof(T));

    bool grow() {
        if (_size >= _most) {
            return false;
        }
        const std::uint32_t more = _most - _size < chunk_size ? _most - _size : chunk_size;
        process::huge_chunk more_room = process::make_huge_chunk();
        if (!more_room) {
            return false;
        }
        ::new (more_room.get()) T[chunk_size];  // each as its constructor leaves it
        _chunks.push_back(std::move(more_room));
        _free.reserve(_size + more);
        for (std::uint32_t i = 0; i < more; ++i) {
            _free.push_back(_size + more - 1 - i);
        }
        _size += more;
        return true;
    }

    std::uint32_t _most;
    std::uint32_t _size = 0;
    std::vector<process::huge_chunk> _chunks;
    std::vector<std::uint32_t> _free;
};

}  // namespace postern::session
