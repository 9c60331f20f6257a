// Blocks of one size, named by index, given back in any order; the last one given back is the next one taken.
//
// Grows by chunks up to a fixed number of blocks and never shrinks, so that nothing is allocated in a steady state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

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

    T& operator[](std::uint32_t index) noexcept { return _chunks[index / chunk_size]->blocks[index % chunk_size]; }

    std::size_t taken() const noexcept { return _size - _free.size(); }

private:
    static constexpr std::uint32_t chunk_size = 64;
    struct chunk {
        T blocks[chunk_size];  // NOLINT(modernize-avoid-c-arrays): left uninitialised
    };

    bool grow() {
        if (_size >= _most) {
            return false;
        }
        const std::uint32_t more = _most - _size < chunk_size ? _most - _size : chunk_size;
        _chunks.push_back(std::unique_ptr<chunk>(new chunk));
        _free.reserve(_size + more);
        for (std::uint32_t i = 0; i < more; ++i) {
            _free.push_back(_size + more - 1 - i);
        }
        _size += more;
        return true;
    }

    std::uint32_t _most;
    std::uint32_t _size = 0;
    std::vector<std::unique_ptr<chunk>> _chunks;
    std::vector<std::uint32_t> _free;
};

}  // namespace postern::session
