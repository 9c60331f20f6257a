// One loaded table file: read whole, checked, copied to (huge) pages of its own, immutable from then on.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <tl/expected.hpp>

#include "board/process/pauses.h"
#include "smtp/recipients/domains.h"

namespace postern::recipients {

struct table_facts {
    std::uint64_t generation = 0;       ///< the header's own number
    std::uint64_t base_generation = 0;  ///< for an overlay: the base it belongs to; else 0
    bool is_overlay = false;
    bool has_domains = false;
    std::uint64_t addresses = 0;
    std::uint64_t removals = 0;
    std::uint32_t domains = 0;
    std::uint64_t file_octets = 0;
    std::uint64_t key_id = 0;  ///< tells whether an overlay fits a base; not the key
};

class table {
public:
    /// Reads and checks `octets` (a whole file): magic, version, sizes, every checksum, every bound. The error says
    /// what is wrong and where. Nothing of `octets` is referred to afterwards.
    static tl::expected<std::shared_ptr<const table>, std::string> load(std::span<const std::byte> octets);
    /// Reads the file open at descriptor `fd` (from its start) and loads it. `name` is for the error text. On huge
    /// pages where the system has any, unless `huge_pages` is false.
    static tl::expected<std::shared_ptr<const table>, std::string> load_file(int fd, const std::string& name,
                                                                             bool huge_pages = true);
    /// The same on huge pages, resting now and then.
    static tl::expected<std::shared_ptr<const table>, std::string> load_file(int fd, const std::string& name,
                                                                             process::pauses& with);

    virtual ~table() = default;
    const table_facts& facts() const noexcept { return _facts; }

protected:
    table_facts _facts;
};

struct snapshot;
/// Checks that `overlay` (may be null) belongs to `base` and puts the snapshot of the two together.
tl::expected<std::unique_ptr<const snapshot>, std::string> make_snapshot(std::uint64_t generation,
                                                                         std::shared_ptr<const table> base,
                                                                         std::shared_ptr<const table> overlay);

}  // namespace postern::recipients
