#include "smtp/recipients/table.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "board/process/files.h"
#include "smtp/recipients/builder.h"
#include "smtp/recipients/domain_codec.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/recipients/table_image.h"

namespace postern::recipients {
namespace {

using format::section_name;

std::string hexadecimal(std::uint64_t value) {
    constexpr const char* digits = "0123456789abcdef";
    std::string text(16, '0');
    for (std::size_t i = 16; i-- > 0; value >>= 4U) {
        text[i] = digits[value & 15U];
    }
    return text;
}

/// Reads exactly `into.size()` octets from the file's start.
tl::expected<void, std::string> read_whole(int fd, const std::string& name, std::span<std::byte> into,
                                           process::pauses& with) {
    std::size_t done = 0;
    while (done < into.size()) {
        const std::size_t piece = std::min(into.size() - done, format::piece_octets);
        const ssize_t n = ::pread(fd, into.data() + done, piece, static_cast<off_t>(done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return tl::unexpected(process::errno_text("read", name, errno));
        }
        if (n == 0) {
            return tl::unexpected(name + ": it became shorter while it was read, at octet " + std::to_string(done));
        }
        done += static_cast<std::size_t>(n);
        with.rest();
    }
    return {};
}

}  // namespace

removal_set::removal_set(const std::vector<std::uint64_t>& slots)
    : _mask(std::bit_ceil(slots.size() * 2 + 1) - 1), _places(_mask + 1) {
    for (const std::uint64_t slot : slots) {
        std::uint64_t at = place(slot);
        while (_places[at] != 0) {
            at = (at + 1) & _mask;
        }
        _places[at] = slot + 1;
    }
}

std::span<const std::byte> table_image::octets_of(section_name name) const noexcept {
    const format::section& s = _header.at(name);
    return _memory.octets().subspan(s.offset, s.octets);
}

tl::expected<std::shared_ptr<const table>, std::string> table_image::adopt(pages memory, process::pauses& with) {
    const auto image = std::make_shared<table_image>();
    image->_memory = std::move(memory);
    const auto octets = image->_memory.octets();
    auto header = format::decode(octets, octets.size());
    if (!header) {
        return tl::unexpected(header.error());
    }
    image->_header = *header;
    image->_where = placement(*header);
    image->_pilots = reinterpret_cast<const std::uint8_t*>(image->octets_of(section_name::pilots).data());
    image->_lines = reinterpret_cast<const line*>(image->octets_of(section_name::lines).data());
    auto checked = image->check_checksums(with);
    if (checked) {
        checked = image->read_domains();
    }
    if (checked) {
        checked = image->read_removals();
    }
    if (checked) {
        checked = image->check_lines(with);
    }
    if (!checked) {
        return tl::unexpected(checked.error());
    }
    table_facts& facts = image->_facts;
    facts.generation = header->generation;
    facts.base_generation = header->base_generation;
    facts.is_overlay = header->kind == format::file_kind::overlay;
    facts.has_domains = header->has_domains;
    facts.addresses = header->addresses;
    facts.removals = header->removals;
    facts.domains = header->domains;
    facts.file_octets = header->file_octets;
    facts.key_id = header->key_id;
    image->_memory.seal();
    return image;
}

tl::expected<void, std::string> table_image::check_checksums(process::pauses& with) const {
    std::uint64_t end = format::header_octets;
    for (std::size_t i = 0; i < format::section_count; ++i) {
        const auto name = static_cast<section_name>(i);
        const format::section& s = _header.at(name);
        const auto gap = _memory.octets().subspan(end, s.offset - end);
        if (std::any_of(gap.begin(), gap.end(), [](std::byte b) { return b != std::byte{0}; })) {
            return tl::unexpected("the octets between the sections, from " + std::to_string(end) + " to " +
                                  std::to_string(s.offset) + ", are not zero");
        }
        if (const std::uint64_t found = format::checksum(octets_of(name), with); found != s.checksum) {
            return tl::unexpected(std::string(to_string(name)) + " section, octets " + std::to_string(s.offset) +
                                  " to " + std::to_string(s.offset + s.octets) + ": checksum " + hexadecimal(found) +
                                  ", the header says " + hexadecimal(s.checksum));
        }
        end = s.offset + s.octets;
    }
    return {};
}

tl::expected<void, std::string> table_image::read_domains() {
    if (!_header.has_domains) {
        return {};
    }
    auto section = decode_domains(octets_of(section_name::domains));
    if (!section) {
        return tl::unexpected("domains section: " + section.error());
    }
    if (section->domains.size() != _header.domains || section->routes.size() != _header.routes) {
        return tl::unexpected("domains section: " + std::to_string(section->domains.size()) + " domains and " +
                              std::to_string(section->routes.size()) + " routes, the header says " +
                              std::to_string(_header.domains) + " and " + std::to_string(_header.routes));
    }
    _domains = std::make_shared<const domain_index>(*std::move(section), _header.key.k0);
    return {};
}

tl::expected<void, std::string> table_image::read_removals() {
    const auto octets = octets_of(section_name::removals);
    _removed_slots.resize(_header.removals);
    if (!octets.empty()) {
        std::memcpy(_removed_slots.data(), octets.data(), octets.size());
    }
    for (std::size_t i = 1; i < _removed_slots.size(); ++i) {
        if (_removed_slots[i] <= _removed_slots[i - 1]) {
            return tl::unexpected("removals section: slot " + std::to_string(i) + " is not above the one before it");
        }
    }
    _removed = removal_set(_removed_slots);
    return {};
}

tl::expected<void, std::string> table_image::check_lines(process::pauses& with) const {
    std::uint64_t keys = 0;
    const std::uint64_t lines = _header.lines();
    constexpr std::uint64_t piece = format::piece_octets / sizeof(line);
    for (std::uint64_t i = 0; i < lines; ++i) {
        if (i % piece == piece - 1) {
            with.rest();
        }
        const line& at = _lines[i];
        const std::uint32_t count = at.count();
        bool good = count <= line::capacity && (at.tail >> 24U) == 0;
        for (std::uint32_t k = 0; good && k < line::capacity; ++k) {
            good = k < count ? payload_kind(at.payloads[k]) <= mailbox_kind::unclassified
                             : (at.fingerprints[k] | at.payloads[k] | high_bits(at, k)) == 0;
        }
        if (!good) {
            return tl::unexpected("lines section: line " + std::to_string(i) + " is malformed");
        }
        keys += count;
    }
    if (keys != _header.addresses) {
        return tl::unexpected("lines section: it has " + std::to_string(keys) + " addresses, the header says " +
                              std::to_string(_header.addresses));
    }
    return {};
}

tl::expected<std::shared_ptr<const table>, std::string> table::load(std::span<const std::byte> octets) {
    // The header is judged before memory is asked for.
    if (auto header = format::decode(octets, octets.size()); !header) {
        return tl::unexpected(header.error());
    }
    auto memory = pages::map(octets.size());
    if (!memory) {
        return tl::unexpected(process::errno_text("get memory for", "the table", memory.error()));
    }
    std::memcpy(memory->writable().data(), octets.data(), octets.size());
    process::pauses none;
    return table_image::adopt(*std::move(memory), none);
}

namespace {

tl::expected<std::shared_ptr<const table>, std::string> load_from(int fd, const std::string& name,
                                                                  page_size size_of_pages, process::pauses& with) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) {
        return tl::unexpected(process::errno_text("look at", name, errno));
    }
    if (!S_ISREG(about.st_mode)) {
        return tl::unexpected(name + ": not a regular file");
    }
    const auto size = static_cast<std::uint64_t>(about.st_size);
    std::array<std::byte, format::header_octets> head{};
    const auto front = std::span(head).first(std::min<std::uint64_t>(size, head.size()));
    if (auto read = read_whole(fd, name, front, with); !read) {
        return tl::unexpected(read.error());
    }
    if (auto header = format::decode(front, size); !header) {
        return tl::unexpected(name + ": " + header.error());
    }
    auto memory = pages::map(size, size_of_pages);
    if (!memory) {
        return tl::unexpected(process::errno_text("get memory for", name, memory.error()));
    }
    if (auto read = read_whole(fd, name, memory->writable(), with); !read) {
        return tl::unexpected(read.error());
    }
    auto loaded = table_image::adopt(*std::move(memory), with);
    if (!loaded) {
        return tl::unexpected(name + ": " + loaded.error());
    }
    return loaded;
}

}  // namespace

tl::expected<std::shared_ptr<const table>, std::string> table::load_file(int fd, const std::string& name,
                                                                         bool huge_pages) {
    process::pauses none;
    return load_from(fd, name, huge_pages ? page_size::huge : page_size::normal, none);
}

tl::expected<std::shared_ptr<const table>, std::string> table::load_file(int fd, const std::string& name,
                                                                         process::pauses& with) {
    return load_from(fd, name, page_size::huge, with);
}

tl::expected<std::unique_ptr<const snapshot>, std::string> make_snapshot(std::uint64_t generation,
                                                                         std::shared_ptr<const table> base,
                                                                         std::shared_ptr<const table> overlay) {
    if (base == nullptr || base->facts().is_overlay) {
        return tl::unexpected(std::string(base == nullptr ? "there is no base" : "the base is an overlay"));
    }
    const table_image& under = table_image::of(*base);
    auto domains = under.domains();
    if (overlay != nullptr) {
        const table_facts& facts = overlay->facts();
        const table_image& over = table_image::of(*overlay);
        if (!facts.is_overlay) {
            return tl::unexpected(std::string("the overlay is a base"));
        }
        if (facts.key_id != base->facts().key_id || facts.base_generation != base->facts().generation) {
            return tl::unexpected("the overlay (generation " + std::to_string(facts.generation) +
                                  ") is over the base of generation " + std::to_string(facts.base_generation) +
                                  " with key id " + hexadecimal(facts.key_id) + ", this base is generation " +
                                  std::to_string(base->facts().generation) + " with key id " +
                                  hexadecimal(base->facts().key_id));
        }
        for (const std::uint64_t slot : over.removed_slots()) {
            const std::uint64_t at = slot / line::capacity;
            if (at >= under.header().lines() || slot % line::capacity >= under.lines()[at].count()) {
                return tl::unexpected("the overlay removes slot " + std::to_string(slot) + ", which the base has not");
            }
        }
        if (over.domains() != nullptr) {
            domains = over.domains();
        }
    }
    auto made = std::make_unique<snapshot>();
    made->generation = generation;
    made->base = std::move(base);
    made->overlay = std::move(overlay);
    made->domains = std::move(domains);
    return made;
}

}  // namespace postern::recipients
