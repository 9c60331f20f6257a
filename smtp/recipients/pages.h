// Memory of a table: its own mapping, on 2 MiB pages where the system has any, touched before use, read-only once
// filled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tl/expected.hpp>

namespace postern::recipients {

enum class page_size : std::uint8_t {
    huge,             ///< reserved ones if there are any, else transparent ones
    huge_unreserved,  ///< transparent ones: for work in passing, which leaves the reserved to tables in force
    normal,           ///< expressly: for what is hardly filled, or to measure what the others are worth
};

class pages {
public:
    /// At least `octets` octets of zeros, aligned to a page. The error is an errno.
    static tl::expected<pages, int> map(std::size_t octets, page_size size = page_size::huge) noexcept;

    pages() = default;
    pages(pages&& other) noexcept;
    pages& operator=(pages&& other) noexcept;
    pages(const pages&) = delete;
    pages& operator=(const pages&) = delete;
    ~pages();

    std::span<std::byte> writable() noexcept { return {_at, _octets}; }
    std::span<const std::byte> octets() const noexcept { return {_at, _octets}; }
    /// From now on a write is a fault. Best effort: a kernel that refuses leaves them writable.
    void seal() noexcept;
    /// True if the pages came from the reserved huge pages (else transparent ones are asked for).
    bool reserved_huge() const noexcept { return _reserved_huge; }

private:
    std::byte* _at = nullptr;
    std::size_t _octets = 0;  ///< as asked for
    std::byte* _mapping = nullptr;
    std::size_t _mapped = 0;
    bool _reserved_huge = false;
};

}  // namespace postern::recipients
