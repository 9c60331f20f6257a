// The table file: one immutable generation of recipients, or an overlay over one. Read by table.cc, written by
// table_writer.cc; nothing else knows the layout. All numbers are little endian, offsets count from the file's start.
//
//   header    256 octets, below
//   domains   settings and routes, records of domain_codec.h; empty in an overlay that leaves the base's in force
//   removals  overlay only: u64 slots of the base (line * 10 + position), ascending, no slot twice
//   pilots    one octet a bucket
//   lines     64 octets each: line.h
//
// The sections stand in this order, each at the next multiple of 64; the octets between are zero; the file ends with
// the last line. A header that says anything else is refused.
//
//   at   size
//     0     8  magic 89 'POSTERN'
//     8     4  format version, 1
//    12     4  kind: 0 base, 1 overlay
//    16     8  generation, as its publisher numbers it
//    24     8  overlay: the base's generation; base: 0
//    32    16  SipHash key (secret: the file is for the edge and control only)
//    48     8  key id (names the key without telling it; an overlay fits the base with the same id and generation)
//    56     8  salt of the fingerprints
//    64     8  octets of the whole file
//    72     8  addresses
//    80     8  removals
//    88     8  partitions
//    96     4  log2 of the buckets of a partition
//   100     4  lines of a partition
//   104     4  domains
//   108     4  routes
//   112    96  sections domains, removals, pilots, lines: {offset 8, octets 8, XXH3-64 8}
//   208     4  flags: 1 domains are carried (a base always does)
//   212    36  zero
//   248     8  XXH3-64 of octets 0 to 247
//
// Where a key lies: hash = SipHash-1-3(key, text); bucket = high half of hash * buckets; partition = bucket >> log2;
// line = partition * lines of a partition + choice(hash, pilot of bucket); then its 34-bit fingerprint is among the
// line's ten. Partitions are independent, so they can be built side by side.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>

#include "board/process/pauses.h"
#include "smtp/recipients/siphash.h"

namespace postern::recipients::format {

inline constexpr std::array<std::uint8_t, 8> magic{0x89, 'P', 'O', 'S', 'T', 'E', 'R', 'N'};
inline constexpr std::uint32_t version = 1;
inline constexpr std::size_t header_octets = 256;
inline constexpr std::size_t alignment = 64;
inline constexpr std::uint32_t max_bucket_shift = 24;
inline constexpr std::uint32_t max_domains = 1U << 20U;
inline constexpr std::uint32_t max_routes = 1U << 20U;

enum class file_kind : std::uint32_t { base = 0, overlay = 1 };

/// In the file's order.
enum class section_name : std::uint8_t { domains = 0, removals = 1, pilots = 2, lines = 3 };
inline constexpr std::size_t section_count = 4;

struct section {
    std::uint64_t offset = 0;
    std::uint64_t octets = 0;
    std::uint64_t checksum = 0;  ///< XXH3-64, seed 0
};

struct header {
    file_kind kind = file_kind::base;
    std::uint64_t generation = 0;
    std::uint64_t base_generation = 0;
    hash_key key;
    std::uint64_t key_id = 0;
    std::uint64_t salt = 0;
    std::uint64_t file_octets = 0;
    std::uint64_t addresses = 0;
    std::uint64_t removals = 0;
    std::uint64_t partitions = 1;
    std::uint32_t bucket_shift = 0;
    std::uint32_t lines_per_partition = 1;
    std::uint32_t domains = 0;
    std::uint32_t routes = 0;
    bool has_domains = true;
    std::array<section, section_count> sections{};

    section& at(section_name name) noexcept { return sections[static_cast<std::size_t>(name)]; }
    const section& at(section_name name) const noexcept { return sections[static_cast<std::size_t>(name)]; }
    std::uint64_t buckets() const noexcept { return partitions << bucket_shift; }
    std::uint64_t lines() const noexcept { return partitions * lines_per_partition; }
};

const char* to_string(section_name name) noexcept;

/// What tells that an overlay and a base share a key, without telling the key.
std::uint64_t key_id_of(const hash_key& key) noexcept;

std::uint64_t checksum(std::span<const std::byte> octets) noexcept;
/// The same in pieces of `piece_octets`, with a rest behind each.
std::uint64_t checksum(std::span<const std::byte> octets, process::pauses& with);
/// How much of a file is worked through at a time: some 10 us.
inline constexpr std::size_t piece_octets = std::size_t{64} * 1024;

/// Gives the sections their offsets from their sizes, and the file its size.
void lay_out(header& value) noexcept;

std::array<std::byte, header_octets> encode(const header& value) noexcept;

/// Checks all that the header alone can show: magic, version, checksum, and that counts, shape and sections agree with
/// each other and with a file of `file_octets`. The error names the field and its value.
tl::expected<header, std::string> decode(std::span<const std::byte> octets, std::uint64_t file_octets);

}  // namespace postern::recipients::format
