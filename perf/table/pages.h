// Memory for what is compared: a mapping on 2 MiB pages or expressly on normal ones, touched before it is used.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace postern::perf::table {

class mapping {
public:
    mapping(std::size_t octets, bool huge_pages) : _mapped((octets / huge + 2) * huge) {
        void* const at = ::mmap(nullptr, _mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) {
            throw std::bad_alloc();
        }
        _start = static_cast<std::byte*>(at);
        _octets = _mapped - huge;
        _at = _start + (huge - reinterpret_cast<std::uintptr_t>(at) % huge) % huge;
        ::madvise(_at, _octets, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
        constexpr std::size_t page = 4096;
        for (std::size_t offset = 0; offset < _octets; offset += page) {
            _at[offset] = std::byte{0};
        }
    }
    ~mapping() { ::munmap(_start, _mapped); }
    mapping(const mapping&) = delete;
    mapping& operator=(const mapping&) = delete;

    std::byte* data() const noexcept { return _at; }
    std::size_t octets() const noexcept { return _octets; }

private:
    static constexpr std::size_t huge = std::size_t{2} << 20U;
    std::size_t _mapped;
    std::size_t _octets = 0;
    std::byte* _start = nullptr;
    std::byte* _at = nullptr;
};

}  // namespace postern::perf::table
