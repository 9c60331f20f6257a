// Slots that wait for something, in order, each at most once: a mark of the connection says that it is in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace postern::tcp {

class slot_list {
public:
    /// For at most `most` slots: it never grows, so that putting one in is a store.
    explicit slot_list(std::size_t most) : _slots(std::make_unique_for_overwrite<std::uint32_t[]>(most)) {}

    void push(std::uint32_t slot) noexcept { _slots[_size++] = slot; }
    void clear() noexcept { _size = 0; }
    bool empty() const noexcept { return _size == 0; }
    const std::uint32_t* begin() const noexcept { return _slots.get(); }
    const std::uint32_t* end() const noexcept { return _slots.get() + _size; }
    void swap(slot_list& other) noexcept {
        _slots.swap(other._slots);
        std::swap(_size, other._size);
    }

private:
    std::unique_ptr<std::uint32_t[]> _slots;
    std::size_t _size = 0;
};

}  // namespace postern::tcp
