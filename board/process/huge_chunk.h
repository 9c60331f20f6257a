// Memory in chunks of 2 MiB, on huge pages where the kernel gives them: for what is touched at random by the hundred
// thousand, where a miss in the TLB would cost as much as one in the cache.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace postern::process {

inline constexpr std::size_t huge_chunk_octets = std::size_t{2} << 20U;

struct free_chunk {
    void operator()(void* at) const noexcept { std::free(at); }
};
/// 2 MiB, not initialised, gone with the pointer.
using huge_chunk = std::unique_ptr<std::byte, free_chunk>;

/// Null: memory is out.
inline huge_chunk make_huge_chunk() noexcept {
    huge_chunk out(static_cast<std::byte*>(std::aligned_alloc(huge_chunk_octets, huge_chunk_octets)));
    if (out) {
        ::madvise(out.get(), huge_chunk_octets, MADV_HUGEPAGE);  // where it is refused, small pages serve
    }
    return out;
}

}  // namespace postern::process
