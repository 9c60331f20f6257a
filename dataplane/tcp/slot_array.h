// Slots of a fixed number, whose memory is taken from the kernel only as they are first used, in huge pages if it can.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <new>
#include <system_error>
#include <type_traits>

namespace postern::tcp {

template <class T>
class slot_array {
    static_assert(std::is_trivially_destructible_v<T>);

public:
    /// Throws std::system_error if the address space is not there.
    explicit slot_array(std::size_t n) : _octets(n * sizeof(T)) {
        void* const at =
            ::mmap(nullptr, _octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) {
            throw std::system_error(errno, std::generic_category(), "cannot map the connections' memory");
        }
        ::madvise(at, _octets, MADV_HUGEPAGE);  // where it is refused, small pages serve
        _at = static_cast<T*>(at);
    }
    slot_array(const slot_array&) = delete;
    slot_array& operator=(const slot_array&) = delete;
    ~slot_array() { ::munmap(_at, _octets); }

    /// The slot's first use.
    T& make(std::size_t i) noexcept { return *::new (_at + i) T; }
    T& operator[](std::size_t i) noexcept { return _at[i]; }
    const T& operator[](std::size_t i) const noexcept { return _at[i]; }
    std::size_t index(const T& t) const noexcept { return static_cast<std::size_t>(&t - _at); }

private:
    std::size_t _octets;
    T* _at = nullptr;
};

}  // namespace postern::tcp
