// The steps of a burst's lookups, eight texts at a time: plain, and with AVX-512. For burst.cc only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "smtp/recipients/line.h"
#include "smtp/recipients/siphash.h"
#include "smtp/recipients/table_image.h"

namespace postern::recipients {

/// What a step needs of a table.
struct burst_table {
    hash_key key;
    placement where;
    const std::uint8_t* pilots;
    const line* lines;

    explicit burst_table(const table& in) noexcept
        : key(table_image::of(in).header().key),
          where(table_image::of(in).where()),
          pilots(table_image::of(in).pilots()),
          lines(table_image::of(in).lines()) {}
};

/// `hashes` and `places` have room for eight; what is behind `used` of them is of no meaning.
struct burst_steps {
    /// Hashes `used` texts (1 to 8) and asks for their pilots; `places` are their buckets.
    void (*ask_for_pilots)(const burst_table& in, const std::string_view* texts, std::size_t used,
                           std::uint64_t* hashes, std::uint64_t* places);
    /// Makes lines of buckets and asks for them.
    void (*ask_for_lines)(const burst_table& in, std::size_t used, const std::uint64_t* hashes, std::uint64_t* places);
    /// The payloads, or `no_payload`.
    void (*compare)(const burst_table& in, std::size_t used, const std::uint64_t* hashes, const std::uint64_t* places,
                    std::uint32_t* payloads);
};

extern const burst_steps plain_steps;
#if defined(__x86_64__)
extern const burst_steps avx512_steps;
#endif

}  // namespace postern::recipients
