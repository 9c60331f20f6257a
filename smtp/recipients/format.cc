#include "smtp/recipients/format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "smtp/recipients/line.h"
#include "smtp/recipients/octets.h"

namespace postern::recipients::format {
namespace {

constexpr std::size_t sections_at = 112;
constexpr std::size_t section_octets = 24;
constexpr std::size_t flags_at = sections_at + section_count * section_octets;
constexpr std::size_t zeros_at = flags_at + 4;
constexpr std::uint32_t has_domains_flag = 1;
constexpr std::size_t checksum_at = header_octets - 8;

constexpr std::uint64_t align(std::uint64_t offset) noexcept {
    return (offset + alignment - 1) / alignment * alignment;
}

tl::unexpected<std::string> refuse(std::string text) {
    return tl::unexpected("header: " + std::move(text));
}

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

header read_fields(const std::byte* at) noexcept {
    header h;
    h.kind = static_cast<file_kind>(load_le<std::uint32_t>(at + 12));
    h.generation = load_le<std::uint64_t>(at + 16);
    h.base_generation = load_le<std::uint64_t>(at + 24);
    h.key.k0 = load_le<std::uint64_t>(at + 32);
    h.key.k1 = load_le<std::uint64_t>(at + 40);
    h.key_id = load_le<std::uint64_t>(at + 48);
    h.salt = load_le<std::uint64_t>(at + 56);
    h.file_octets = load_le<std::uint64_t>(at + 64);
    h.addresses = load_le<std::uint64_t>(at + 72);
    h.removals = load_le<std::uint64_t>(at + 80);
    h.partitions = load_le<std::uint64_t>(at + 88);
    h.bucket_shift = load_le<std::uint32_t>(at + 96);
    h.lines_per_partition = load_le<std::uint32_t>(at + 100);
    h.domains = load_le<std::uint32_t>(at + 104);
    h.routes = load_le<std::uint32_t>(at + 108);
    for (std::size_t i = 0; i < section_count; ++i) {
        const std::byte* const from = at + sections_at + i * section_octets;
        h.sections[i] = {load_le<std::uint64_t>(from), load_le<std::uint64_t>(from + 8),
                         load_le<std::uint64_t>(from + 16)};
    }
    h.has_domains = load_le<std::uint32_t>(at + flags_at) == has_domains_flag;
    return h;
}

tl::expected<void, std::string> check_kind(const header& h) {
    switch (h.kind) {
        case file_kind::base:
            if (h.base_generation != 0 || h.removals != 0) {
                return refuse("a base names a base generation or removals");
            }
            if (!h.has_domains) {
                return refuse("a base that carries no domains");
            }
            break;
        case file_kind::overlay:
            break;
        default:
            return refuse("unknown kind " + number(static_cast<std::uint32_t>(h.kind)));
    }
    if (!h.has_domains && (h.domains != 0 || h.routes != 0 || h.at(section_name::domains).octets != 0)) {
        return refuse("domains in an overlay that carries none");
    }
    if (h.domains > max_domains || h.routes > max_routes) {
        return refuse("more than " + number(max_domains) + " domains or routes");
    }
    return {};
}

/// Shape and counts, bounded first so that no product overflows: partitions < 2^30, lines < 2^56.
tl::expected<void, std::string> check_shape(const header& h) {
    if (h.partitions == 0 || h.partitions >= (1ULL << 30U)) {
        return refuse("impossible number of partitions " + number(h.partitions));
    }
    if (h.bucket_shift > max_bucket_shift) {
        return refuse("impossible partition of 2^" + number(h.bucket_shift) + " buckets");
    }
    if (h.lines_per_partition == 0 || h.lines_per_partition >= (1U << 26U)) {
        return refuse("impossible number of lines a partition " + number(h.lines_per_partition));
    }
    if (h.addresses > h.lines() * line::capacity) {
        return refuse(number(h.addresses) + " addresses do not fit into " + number(h.lines()) + " lines");
    }
    if (h.at(section_name::pilots).octets != h.buckets()) {
        return refuse("pilots of " + number(h.at(section_name::pilots).octets) + " octets for " + number(h.buckets()) +
                      " buckets");
    }
    if (h.at(section_name::lines).octets != h.lines() * sizeof(line)) {
        return refuse("lines of " + number(h.at(section_name::lines).octets) + " octets for " + number(h.lines()) +
                      " lines");
    }
    if (h.removals >= (1ULL << 56U) || h.at(section_name::removals).octets != h.removals * 8) {
        return refuse("removals of " + number(h.at(section_name::removals).octets) + " octets for " +
                      number(h.removals) + " slots");
    }
    return {};
}

tl::expected<void, std::string> check_sections(const header& h, std::uint64_t file_octets) {
    std::uint64_t end = header_octets;
    for (std::size_t i = 0; i < section_count; ++i) {
        const section& s = h.sections[i];
        const char* const name = to_string(static_cast<section_name>(i));
        if (s.octets > file_octets) {
            return refuse(std::string(name) + " section of " + number(s.octets) + " octets in a file of " +
                          number(file_octets));
        }
        if (s.offset != align(end)) {
            return refuse(std::string(name) + " section at octet " + number(s.offset) + ", expected at " +
                          number(align(end)));
        }
        end = s.offset + s.octets;
    }
    if (end != h.file_octets) {
        return refuse("sections end at octet " + number(end) + ", the file should have " + number(h.file_octets));
    }
    if (h.file_octets != file_octets) {
        return refuse("the file has " + number(file_octets) + " octets, it should have " + number(h.file_octets) +
                      (file_octets < h.file_octets ? " (truncated)" : ""));
    }
    return {};
}

}  // namespace

const char* to_string(section_name name) noexcept {
    switch (name) {
        case section_name::domains:
            return "domains";
        case section_name::removals:
            return "removals";
        case section_name::pilots:
            return "pilots";
        case section_name::lines:
            return "lines";
    }
    return "unknown";
}

std::uint64_t key_id_of(const hash_key& key) noexcept {
    return siphash13(key, "postern table key id");
}

std::uint64_t checksum(std::span<const std::byte> octets) noexcept {
    return XXH3_64bits(octets.data(), octets.size());
}

std::uint64_t checksum(std::span<const std::byte> octets, process::pauses& with) {
    const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(::XXH3_createState(),
                                                                                &::XXH3_freeState);
    if (!state) {
        throw std::bad_alloc();
    }
    ::XXH3_64bits_reset(state.get());
    while (!octets.empty()) {
        const auto piece = octets.first(std::min(octets.size(), piece_octets));
        ::XXH3_64bits_update(state.get(), piece.data(), piece.size());
        octets = octets.subspan(piece.size());
        with.rest();
    }
    return ::XXH3_64bits_digest(state.get());
}

void lay_out(header& value) noexcept {
    std::uint64_t end = header_octets;
    for (section& s : value.sections) {
        s.offset = align(end);
        end = s.offset + s.octets;
    }
    value.file_octets = end;
}

std::array<std::byte, header_octets> encode(const header& value) noexcept {
    std::array<std::byte, header_octets> octets{};
    std::byte* const at = octets.data();
    std::memcpy(at, magic.data(), magic.size());
    store_le(at + 8, version);
    store_le(at + 12, static_cast<std::uint32_t>(value.kind));
    store_le(at + 16, value.generation);
    store_le(at + 24, value.base_generation);
    store_le(at + 32, value.key.k0);
    store_le(at + 40, value.key.k1);
    store_le(at + 48, value.key_id);
    store_le(at + 56, value.salt);
    store_le(at + 64, value.file_octets);
    store_le(at + 72, value.addresses);
    store_le(at + 80, value.removals);
    store_le(at + 88, value.partitions);
    store_le(at + 96, value.bucket_shift);
    store_le(at + 100, value.lines_per_partition);
    store_le(at + 104, value.domains);
    store_le(at + 108, value.routes);
    for (std::size_t i = 0; i < section_count; ++i) {
        std::byte* const to = at + sections_at + i * section_octets;
        store_le(to, value.sections[i].offset);
        store_le(to + 8, value.sections[i].octets);
        store_le(to + 16, value.sections[i].checksum);
    }
    store_le(at + flags_at, value.has_domains ? has_domains_flag : 0U);
    store_le(at + checksum_at, checksum({at, checksum_at}));
    return octets;
}

tl::expected<header, std::string> decode(std::span<const std::byte> octets, std::uint64_t file_octets) {
    if (octets.size() < header_octets) {
        if (octets.size() < magic.size() || std::memcmp(octets.data(), magic.data(), magic.size()) != 0) {
            return refuse("not a table file: it has " + number(octets.size()) + " octets and not the magic of one");
        }
        return refuse("truncated at octet " + number(octets.size()) + " of " + number(header_octets));
    }
    const std::byte* const at = octets.data();
    if (std::memcmp(at, magic.data(), magic.size()) != 0) {
        return refuse("not a table file: the magic octets at its start are missing");
    }
    if (const auto found = load_le<std::uint32_t>(at + 8); found != version) {
        return refuse("format version " + number(found) + ", this program reads version " + number(version));
    }
    if (load_le<std::uint64_t>(at + checksum_at) != checksum({at, checksum_at})) {
        return refuse("checksum mismatch: octets 0 to 247 were changed");
    }
    if (std::any_of(at + zeros_at, at + checksum_at, [](std::byte b) { return b != std::byte{0}; })) {
        return refuse("the octets reserved for later are not zero");
    }
    if (const auto flags = load_le<std::uint32_t>(at + flags_at); flags > has_domains_flag) {
        return refuse("unknown flags " + number(flags));
    }
    const header h = read_fields(at);
    for (const auto& checked : {check_kind(h), check_shape(h), check_sections(h, file_octets)}) {
        if (!checked) {
            return tl::unexpected(checked.error());
        }
    }
    if (h.key_id != key_id_of(h.key)) {
        return refuse("the key id is not that of the key");
    }
    return h;
}

}  // namespace postern::recipients::format
