#include "smtp/recipients/pages.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace postern::recipients {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20U;

}  // namespace

tl::expected<pages, int> pages::map(std::size_t octets, page_size size) noexcept {
    if (octets > SIZE_MAX - 2 * huge_page) {
        return tl::unexpected(ENOMEM);
    }
    pages result;
    result._octets = octets;
    const std::size_t rounded = (octets + huge_page - 1) / huge_page * huge_page;
    constexpr int access = PROT_READ | PROT_WRITE;
    constexpr int kind = MAP_PRIVATE | MAP_ANONYMOUS;
    if (size == page_size::huge && octets >= huge_page) {
        // Reserves the whole at once, so that no later touch can fail for want of a huge page.
        void* const reserved = ::mmap(nullptr, rounded, access, kind | MAP_HUGETLB, -1, 0);
        if (reserved != MAP_FAILED) {
            result._mapping = result._at = static_cast<std::byte*>(reserved);
            result._mapped = rounded;
            result._reserved_huge = true;
            return result;
        }
    }
    // One huge page more than needed, to begin at a multiple of its size: transparent pages need that.
    const std::size_t whole = octets >= huge_page ? rounded + huge_page : octets + 1;
    void* const mapped = ::mmap(nullptr, whole, access, kind, -1, 0);
    if (mapped == MAP_FAILED) {
        return tl::unexpected(errno);
    }
    result._mapping = result._at = static_cast<std::byte*>(mapped);
    result._mapped = whole;
    if (octets >= huge_page) {
        const auto address = reinterpret_cast<std::uintptr_t>(mapped);
        result._at += (huge_page - address % huge_page) % huge_page;
        ::madvise(result._at, rounded, size == page_size::normal ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    }
    return result;
}

pages::pages(pages&& other) noexcept
    : _at(std::exchange(other._at, nullptr)),
      _octets(std::exchange(other._octets, 0)),
      _mapping(std::exchange(other._mapping, nullptr)),
      _mapped(std::exchange(other._mapped, 0)),
      _reserved_huge(other._reserved_huge) {}

pages& pages::operator=(pages&& other) noexcept {
    std::swap(_at, other._at);
    std::swap(_octets, other._octets);
    std::swap(_mapping, other._mapping);
    std::swap(_mapped, other._mapped);
    std::swap(_reserved_huge, other._reserved_huge);
    return *this;
}

pages::~pages() {
    if (_mapping != nullptr) {
        ::munmap(_mapping, _mapped);
    }
}

void pages::seal() noexcept {
    if (_mapping != nullptr) {
        ::mprotect(_mapping, _mapped, PROT_READ);
    }
}

}  // namespace postern::recipients
