// Slots of a fixed number, whose memory is taken from the kernel only as they are first used, in huge pages if it can:
// all zero before that.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <system_error>
#include <type_traits>

namespace postern::tcp {

template <class T>
class slot_array {
    static_assert(std::is_trivially_destructible_v<T>);

public:
    /// Throws std::system_error if the address space is not there.
    explicit slot_array(std::size_t n) : _mapped(n * sizeof(T) + huge_page) {
        _mapping = ::mmap(nullptr, _mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (_mapping == MAP_FAILED) {
            throw std::system_error(errno, std::generic_category(), "cannot map the connections' memory");
        }
        // From a whole huge page on; where they are refused, small pages serve.
        void* at = _mapping;
        std::size_t left = _mapped;
        _at = static_cast<T*>(std::align(huge_page, n * sizeof(T), at, left));
        ::madvise(_at, n * sizeof(T), MADV_HUGEPAGE);
    }
    slot_array(const slot_array&) = delete;
    slot_array& operator=(const slot_array&) = delete;
    ~slot_array() { ::munmap(_mapping, _mapped); }

    /// The slot's first use.
    T& make(std::size_t i) noexcept { return *::new (_at + i) T; }
    T& operator[](std::size_t i) noexcept { return _at[i]; }
    const T& operator[](std::size_t i) const noexcept { return _at[i]; }
    std::size_t index(const T& t) const noexcept { return static_cast<std::size_t>(&t - _at); }

private:
    static constexpr std::size_t huge_page = std::size_t{2} << 20U;

    std::size_t _mapped;
    void* _mapping = nullptr;
    T* _at = nullptr;
};

}  // namespace postern::tcp
