// The one implementation of `table`: a file's octets in pages of its own, and where a key lies in them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "smtp/recipients/domain_index.h"
#include "smtp/recipients/format.h"
#include "smtp/recipients/line.h"
#include "smtp/recipients/pages.h"
#include "smtp/recipients/table.h"

namespace postern::recipients {

/// Where keys lie: the header's shape, with no pointer to anything.
struct placement {
    std::uint64_t buckets = 1;
    std::uint32_t bucket_shift = 0;
    std::uint32_t lines_per_partition = 1;
    std::uint64_t salt = 0;

    explicit placement(const format::header& from) noexcept
        : buckets(from.buckets()),
          bucket_shift(from.bucket_shift),
          lines_per_partition(from.lines_per_partition),
          salt(from.salt) {}
    placement() = default;

    std::uint64_t bucket_of(std::uint64_t hash) const noexcept { return multiply_high(hash, buckets); }
    std::uint64_t line_of(std::uint64_t hash, std::uint64_t bucket, std::uint8_t pilot) const noexcept {
        return (bucket >> bucket_shift) * lines_per_partition + choose_line(hash, pilot, lines_per_partition);
    }
};

/// Slots of the base that an overlay takes out: open addressing, one cache line a question.
class removal_set {
public:
    removal_set() = default;
    /// `slots` has none twice.
    explicit removal_set(const std::vector<std::uint64_t>& slots);
    bool contains(std::uint64_t slot) const noexcept {
        for (std::uint64_t at = place(slot);; at = (at + 1) & _mask) {
            if (_places[at] == slot + 1) {
                return true;
            }
            if (_places[at] == 0) {
                return false;
            }
        }
    }

private:
    std::uint64_t place(std::uint64_t slot) const noexcept { return ((slot * 0x9E3779B97F4A7C15U) >> 32U) & _mask; }
    std::uint64_t _mask = 0;
    std::vector<std::uint64_t> _places{0};  ///< slot + 1; 0: free
};

class table_image final : public table {
public:
    static const table_image& of(const table& value) noexcept { return static_cast<const table_image&>(value); }

    /// Takes pages that hold a whole file (and nothing behind it).
    static tl::expected<std::shared_ptr<const table>, std::string> adopt(pages memory, process::pauses& with);

    const format::header& header() const noexcept { return _header; }
    const placement& where() const noexcept { return _where; }
    const std::uint8_t* pilots() const noexcept { return _pilots; }
    const line* lines() const noexcept { return _lines; }
    /// Null in an overlay that leaves the base's in force.
    const std::shared_ptr<const domain_index>& domains() const noexcept { return _domains; }
    /// Ascending.
    const std::vector<std::uint64_t>& removed_slots() const noexcept { return _removed_slots; }
    const removal_set& removed() const noexcept { return _removed; }

private:
    tl::expected<void, std::string> check_checksums(process::pauses& with) const;
    tl::expected<void, std::string> read_domains();
    tl::expected<void, std::string> read_removals();
    tl::expected<void, std::string> check_lines(process::pauses& with) const;
    std::span<const std::byte> octets_of(format::section_name name) const noexcept;

    pages _memory;
    format::header _header;
    placement _where;
    const std::uint8_t* _pilots = nullptr;
    const line* _lines = nullptr;
    std::shared_ptr<const domain_index> _domains;
    std::vector<std::uint64_t> _removed_slots;
    removal_set _removed;
};

}  // namespace postern::recipients
