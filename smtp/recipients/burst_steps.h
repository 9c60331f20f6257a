// The steps of many lookups, up to eight of them at a time: plain, with AVX2, and with AVX-512. A step reads what an
// earlier one had fetched and says where to look next; who calls asks memory for that, and does the next step later.
#pragma once

#include <cstddef>
#include <cstdint>

#include "smtp/recipients/line.h"
#include "smtp/recipients/siphash.h"
#include "smtp/recipients/table_image.h"

namespace postern::recipients {

/// What a step needs of a table.
struct burst_table {
    hash_key key;
    placement where;
    const std::uint8_t* pilots = nullptr;
    const line* lines = nullptr;

    burst_table() = default;
    explicit burst_table(const table& in) noexcept
        : key(table_image::of(in).header().key),
          where(table_image::of(in).where()),
          pilots(table_image::of(in).pilots()),
          lines(table_image::of(in).lines()) {}
};

/// `used` is 1 to 8, the same in all steps of a group. `hashes` and `places` have room for eight, all of them
/// initialised; a step may overwrite `places` behind `used` for the next one's use.
struct burst_steps {
    /// Buckets of hashes (siphash.h): each has one pilot.
    void (*find_buckets)(const burst_table& in, std::size_t used, const std::uint64_t* hashes, std::uint64_t* places);
    /// Makes lines of buckets; reads their pilots.
    void (*find_lines)(const burst_table& in, std::size_t used, const std::uint64_t* hashes, std::uint64_t* places);
    /// The payloads, or `no_payload` or more; reads the lines.
    void (*compare)(const burst_table& in, std::size_t used, const std::uint64_t* hashes, const std::uint64_t* places,
                    std::uint32_t* payloads);
    /// A burst asks for all its lines behind each other. False: for eight at a time, with the work on others between
    /// them, on CPUs that drop what they are asked for beyond some sixteen.
    bool lines_together;
};

/// For any CPU.
namespace plain {
void find_buckets(const burst_table& in, std::size_t used, const std::uint64_t* hashes, std::uint64_t* places);
void find_lines(const burst_table& in, std::size_t used, const std::uint64_t* hashes, std::uint64_t* places);
void compare(const burst_table& in, std::size_t used, const std::uint64_t* hashes, const std::uint64_t* places,
             std::uint32_t* payloads);
}  // namespace plain

inline constexpr burst_steps plain_steps{plain::find_buckets, plain::find_lines, plain::compare, false};
#if defined(__x86_64__)
extern const burst_steps avx2_steps;    // of CPUs that `has_avx2` (cpu.h) says yes to
extern const burst_steps avx512_steps;  // likewise
#endif

/// The quickest that this CPU can do.
const burst_steps& quickest_steps() noexcept;

}  // namespace postern::recipients
