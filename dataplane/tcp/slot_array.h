// Slots of a fixed number, whose memory is taken from the kernel only as they are first used, in huge pages if it can:
// all zero before that. Each may have room beside it that is somebody else's.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <system_error>
#include <type_traits>

namespace postern::tcp {

/// `room`: octets beside each slot, which nothing here touches.
template <class T, std::size_t room = 0>
class slot_array {
    static_assert(std::is_trivially_destructible_v<T> && room % alignof(T) == 0);

public:
    /// From one slot, or room, to the next.
    static constexpr std::size_t apart = sizeof(T) + room;

    /// Throws std::system_error if the address space is not there.
    explicit slot_array(std::size_t n) : _mapped(n * apart + huge_page) {
        _mapping = ::mmap(nullptr, _mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (_mapping == MAP_FAILED) {
            throw std::system_error(errno, std::generic_category(), "cannot map the connections' memory");
        }
        // From a whole huge page on; where they are refused, small pages serve.
        void* at = _mapping;
        std::size_t left = _mapped;
        _at = static_cast<std::byte*>(std::align(huge_page, n * apart, at, left));
        ::madvise(_at, n * apart, MADV_HUGEPAGE);
    }
    slot_array(const slot_array&) = delete;
    slot_array& operator=(const slot_array&) = delete;
    ~slot_array() { ::munmap(_mapping, _mapped); }

    /// The slot's first use.
    T& make(std::size_t i) noexcept { return *::new (_at + i * apart) T; }
    T& operator[](std::size_t i) noexcept { return *reinterpret_cast<T*>(_at + i * apart); }
    const T& operator[](std::size_t i) const noexcept { return *reinterpret_cast<const T*>(_at + i * apart); }
    /// The first slot's room.
    std::byte* rooms() noexcept { return _at + sizeof(T); }

private:
    static constexpr std::size_t huge_page = std::size_t{2} << 20U;

    std::size_t _mapped;
    void* _mapping = nullptr;
    std::byte* _at = nullptr;
};

}  // namespace postern::tcp
