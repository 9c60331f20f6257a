// Places the keys of one partition: finds for each bucket the pilot with which its keys fit into the lines.
//
// Buckets are taken by falling size; each takes the first of 256 pilots that overfills no line and puts no two equal
// fingerprints into one. Partitions know nothing of each other, so several placers may work at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "smtp/recipients/format.h"
#include "smtp/recipients/line.h"
#include "smtp/recipients/table_image.h"

namespace postern::recipients {

/// Not initialised: a hundred million of them are touched only where they are written.
struct keyed_entry {
    std::uint64_t hash;
    std::uint16_t payload;
};

/// How many partitions and buckets a table of `keys` gets; `lines_per_partition` follows from the fullest partition.
void choose_partitions(std::uint64_t keys, format::header& shape) noexcept;

/// Lines for a partition of at most `keys` on attempt 0, 1, …; each attempt has more room.
std::uint32_t choose_lines(std::uint64_t keys, unsigned attempt) noexcept;

enum class placed : std::uint8_t {
    whole,
    no_room,    ///< some bucket fits with no pilot: the shape needs more lines, or the fingerprints another salt
    same_hash,  ///< two keys have one hash, no placement can tell them apart
};

class partition_placer {
public:
    /// `lines` are zero; `pilots` and `lines` are the partition's.
    placed place(std::span<const keyed_entry> entries, const placement& where, std::span<std::uint8_t> pilots,
                 std::span<line> lines);
    /// The hash, after `same_hash`.
    std::uint64_t shared_hash() const noexcept { return _shared_hash; }

private:
    struct bucket {
        std::uint32_t begin = 0;
        std::uint32_t size = 0;
    };
    void sort_into_buckets(std::span<const keyed_entry> entries, const placement& where, std::size_t buckets);
    void order_by_size();
    bool has_shared_hash(const bucket& keys) noexcept;
    bool place_bucket(const bucket& keys, std::uint64_t salt, std::uint8_t& pilot, std::span<line> lines) const;

    std::vector<keyed_entry> _entries;  ///< by bucket
    std::vector<bucket> _buckets;       ///< by place
    std::vector<std::uint32_t> _order;  ///< bucket numbers by falling size
    std::uint64_t _shared_hash = 0;
};

}  // namespace postern::recipients
