// The reader against files that are not what the builder wrote: each is refused with what and where.
#include <cstring>
#include <functional>
#include <random>

#include "smtp/recipients/format.h"
#include "smtp/recipients/line.h"
#include "smtp/recipients/octets.h"
#include "tests/smtp/recipients/table_fixture.h"

namespace postern::recipients::testing {
namespace {

using format::section_name;

std::string base_octets(std::size_t keys = 300) {
    const temporary_folder folder;
    const auto built = build_base(folder / "base", 1, two_domains(), source_of(many(keys)));
    EXPECT_TRUE(built);
    return octets_of(folder / "base");
}

std::string overlay_octets() {
    const temporary_folder folder;
    EXPECT_TRUE(build_base(folder / "base", 1, two_domains(), source_of(many(300))));
    const domain_section domains = two_domains();
    const std::vector<std::string> removed = {"user1@example.com", "user5@example.com", "user9@example.com"};
    EXPECT_TRUE(build_overlay(folder / "overlay", 2, folder / "base", &domains, views_of(many(20, "new")), removed));
    return octets_of(folder / "overlay");
}

format::header header_of(const std::string& octets) {
    const auto header = format::decode(std::as_bytes(std::span(octets)), octets.size());
    EXPECT_TRUE(header) << (header ? "" : header.error());
    return *header;
}

/// Puts a changed header in place with the right checksum.
void put_header(std::string& octets, const format::header& header) {
    const auto encoded = format::encode(header);
    std::memcpy(octets.data(), encoded.data(), encoded.size());
}

/// Makes section and header checksums right again after a change.
void mend(std::string& octets) {
    format::header header = header_of(octets);
    for (format::section& s : header.sections) {
        s.checksum = format::checksum(std::as_bytes(std::span(octets)).subspan(s.offset, s.octets));
    }
    put_header(octets, header);
}

std::string refusal_of(const std::string& octets) {
    const auto loaded = load_octets(octets);
    EXPECT_FALSE(loaded);
    return loaded ? "" : loaded.error();
}

void expect_refusal(const std::string& octets, const std::string& reason) {
    EXPECT_NE(refusal_of(octets).find(reason), std::string::npos) << refusal_of(octets);
}

TEST(table_file, whole_files_are_taken) {
    EXPECT_TRUE(load_octets(base_octets()));
    EXPECT_TRUE(load_octets(overlay_octets()));
}

TEST(table_file, is_refused_at_every_shorter_or_greater_size) {
    for (const std::string& whole : {base_octets(), overlay_octets()}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const auto loaded = load_octets(std::string_view(whole).substr(0, size));
            ASSERT_FALSE(loaded) << size;
            ASSERT_NE(loaded.error().find("header: "), std::string::npos) << loaded.error();
        }
        expect_refusal(whole + '\0', "the file has");
        expect_refusal(whole + whole, "the file has");
    }
}

TEST(table_file, truncated_at_every_section_boundary_is_refused_with_the_reason) {
    for (const std::string& whole : {base_octets(), overlay_octets()}) {
        for (const format::section& s : header_of(whole).sections) {
            for (const std::uint64_t at : {s.offset, s.offset + s.octets}) {
                if (at < whole.size()) {
                    const std::string reason = refusal_of(whole.substr(0, at));
                    EXPECT_TRUE(reason.find("truncated") != std::string::npos ||
                                reason.find("in a file of") != std::string::npos)
                        << reason;
                }
            }
        }
    }
}

TEST(table_file, with_any_bit_of_the_header_flipped_is_refused) {
    for (const std::string& whole : {base_octets(), overlay_octets()}) {
        for (std::size_t at = 0; at < format::header_octets; ++at) {
            for (unsigned bit = 0; bit < 8; ++bit) {
                std::string changed = whole;
                changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
                const auto loaded = load_octets(changed);
                ASSERT_FALSE(loaded) << "octet " << at << " bit " << bit;
                ASSERT_FALSE(loaded.error().empty());
            }
        }
    }
}

TEST(table_file, with_any_octet_of_the_body_changed_is_refused_with_the_section) {
    for (const std::string& whole : {base_octets(), overlay_octets()}) {
        for (std::size_t at = format::header_octets; at < whole.size(); ++at) {
            std::string changed = whole;
            changed[at] = static_cast<char>(changed[at] + 1);
            const auto loaded = load_octets(changed);
            ASSERT_FALSE(loaded) << "octet " << at;
            ASSERT_TRUE(loaded.error().find("section") != std::string::npos) << loaded.error();
        }
    }
}

TEST(table_file, that_is_something_else_is_told) {
    expect_refusal("", "not a table file");
    expect_refusal("alice@example.com\n", "not a table file");
    expect_refusal(std::string(100000, 'x'), "not a table file");
    expect_refusal(base_octets().substr(0, 100), "truncated at octet 100");
    std::string newer = base_octets();
    newer[8] = 2;
    expect_refusal(newer, "format version 2, this program reads version 1");
}

TEST(table_file, a_header_that_contradicts_itself_is_refused_though_its_checksum_is_right) {
    const std::string whole = base_octets();
    using change = std::function<void(format::header&)>;
    const std::vector<std::pair<change, std::string>> cases = {
        {[](auto& h) { h.kind = static_cast<format::file_kind>(2); }, "unknown kind 2"},
        {[](auto& h) { h.base_generation = 1; }, "a base names a base generation"},
        {[](auto& h) { h.removals = 1; }, "a base names a base generation or removals"},
        {[](auto& h) { h.has_domains = false; }, "a base that carries no domains"},
        {[](auto& h) { h.kind = format::file_kind::overlay, h.has_domains = false; }, "domains in an overlay"},
        {[](auto& h) { h.domains = 5U << 20U; }, "more than"},
        {[](auto& h) { h.partitions = 0; }, "impossible number of partitions 0"},
        {[](auto& h) { h.partitions = ~0ULL; }, "impossible number of partitions"},
        {[](auto& h) { h.partitions = 2; }, "pilots of"},
        {[](auto& h) { h.bucket_shift = 64; }, "impossible partition of 2^64"},
        {[](auto& h) { h.bucket_shift = 24; }, "pilots of"},
        {[](auto& h) { h.lines_per_partition = 0; }, "impossible number of lines a partition 0"},
        {[](auto& h) { h.lines_per_partition = ~0U; }, "impossible number of lines"},
        {[](auto& h) { ++h.lines_per_partition; }, "lines of"},
        {[](auto& h) { h.addresses = ~0ULL; }, "do not fit"},
        {[](auto& h) { h.addresses -= 1; }, "the header says 299"},
        {[](auto& h) { h.domains -= 1; }, "the header says 2 and 2"},
        {[](auto& h) { h.routes += 1; }, "the header says 3 and 3"},
        {[](auto& h) { h.key_id ^= 1; }, "the key id"},
        {[](auto& h) { h.key.k1 ^= 1; }, "the key id"},
        {[](auto& h) { h.file_octets += 64; }, "sections end"},
        {[](auto& h) { h.at(section_name::domains).octets = ~0ULL; }, "domains section of"},
        {[](auto& h) { h.at(section_name::domains).offset += 64; }, "expected at"},
        {[](auto& h) { h.at(section_name::pilots).offset = 0; }, "pilots section at octet 0"},
        {[](auto& h) { h.at(section_name::pilots).octets += 1; }, "pilots of"},
        {[](auto& h) { h.at(section_name::lines).octets -= 64; }, "lines of"},
        {[](auto& h) { h.at(section_name::removals).octets = 8; }, "removals of"},
        {[](auto& h) { h.at(section_name::pilots).checksum ^= 1; }, "pilots section"},
    };
    for (const auto& [break_it, reason] : cases) {
        format::header header = header_of(whole);
        break_it(header);
        std::string changed = whole;
        put_header(changed, header);
        expect_refusal(changed, reason);
    }
}

TEST(table_file, malformed_lines_are_refused_though_their_checksum_is_right) {
    const std::string whole = base_octets();
    const std::size_t lines = header_of(whole).at(section_name::lines).offset;
    const auto changed_line = [&](const std::function<void(line&)>& change) {
        std::string changed = whole;
        line at{};
        std::memcpy(&at, changed.data() + lines, sizeof at);
        change(at);
        std::memcpy(changed.data() + lines, &at, sizeof at);
        mend(changed);
        return changed;
    };
    for (std::uint32_t count = 11; count < 16; ++count) {
        expect_refusal(changed_line([&](line& at) { at.tail = (at.tail & ~0xFU) | count; }), "line 0 is malformed");
    }
    expect_refusal(changed_line([](line& at) { at.tail |= 1U << 24U; }), "line 0 is malformed");
    expect_refusal(changed_line([](line& at) { at.payloads[0] |= 7U; }), "line 0 is malformed");
    expect_refusal(changed_line([](line& at) { at.tail -= 1; }), "");
    expect_refusal(changed_line([](line& at) { at = {}; }), "the header says 300");
}

TEST(table_file, malformed_removals_are_refused_though_their_checksum_is_right) {
    const std::string whole = overlay_octets();
    const std::size_t removals = header_of(whole).at(section_name::removals).offset;
    std::string changed = whole;
    std::memcpy(changed.data() + removals, whole.data() + removals + 8, 8);  // twice the same
    mend(changed);
    expect_refusal(changed, "removals section: slot 1");
}

TEST(table_file, a_removal_that_the_base_does_not_have_is_refused) {
    const temporary_folder folder;
    ASSERT_TRUE(build_base(folder / "base", 1, two_domains(), source_of(many(300))));
    const std::vector<std::string> removed = {"user1@example.com"};
    ASSERT_TRUE(build_overlay(folder / "overlay", 2, folder / "base", nullptr, {}, removed));
    const auto base = load(folder / "base");
    ASSERT_TRUE(base);
    std::string octets = octets_of(folder / "overlay");
    const std::size_t removals = header_of(octets).at(section_name::removals).offset;
    for (const std::uint64_t slot : {std::uint64_t{1000000}, ~std::uint64_t{0}, ~std::uint64_t{0} - 1}) {
        store_le(octets.data() + removals, slot);
        mend(octets);
        const auto overlay = load_octets(octets);
        ASSERT_TRUE(overlay) << overlay.error();
        const auto made = make_snapshot(2, *base, *overlay);
        ASSERT_FALSE(made);
        EXPECT_NE(made.error().find("removes slot"), std::string::npos) << made.error();
    }
}

TEST(table_file, random_changes_with_right_checksums_are_refused_or_harmless) {
    std::mt19937 random(12);
    const std::string whole = base_octets(100);
    std::size_t taken = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string changed = whole;
        for (int i = 0; i < 4; ++i) {
            const std::size_t from = format::header_octets;
            changed[from + random() % (changed.size() - from)] = static_cast<char>(random());
        }
        mend(changed);
        const auto loaded = load_octets(changed);
        if (!loaded) {
            continue;
        }
        ++taken;
        const auto in = make_snapshot(1, *loaded, nullptr);
        ASSERT_TRUE(in);
        for (int i = 0; i < 20; ++i) {
            ask(**in, "user" + std::to_string(i) + "@example.com");
        }
    }
    EXPECT_GT(taken, 100U);
}

TEST(table_file, is_read_from_a_descriptor_wherever_it_stands) {
    const temporary_folder folder;
    ASSERT_TRUE(build_base(folder / "base", 1, two_domains(), source_of(many(300))));
    const process::descriptor file(::open((folder / "base").c_str(), O_RDONLY | O_CLOEXEC));
    ::lseek(file.get(), 100, SEEK_SET);
    EXPECT_TRUE(table::load_file(file.get(), "base"));
}

TEST(table_file, read_with_pauses_is_checked_to_its_last_octet) {
    const temporary_folder folder;
    std::string octets = base_octets(50'000);
    ASSERT_GT(octets.size(), 2 * format::piece_octets);
    const auto load_with_pauses = [&] {
        std::ofstream(folder / "base") << octets;
        const process::descriptor file(::open((folder / "base").c_str(), O_RDONLY | O_CLOEXEC));
        process::pauses with(1);
        auto loaded = table::load_file(file.get(), "base", with);
        EXPECT_GT(with.taken(), 0U);
        return loaded;
    };
    const auto loaded = load_with_pauses();
    ASSERT_TRUE(loaded) << loaded.error();
    EXPECT_EQ((*loaded)->facts().addresses, 50'000U);
    octets.back() = static_cast<char>(octets.back() ^ 1);
    const auto spoilt = load_with_pauses();
    ASSERT_FALSE(spoilt);
    EXPECT_NE(spoilt.error().find("base: lines section"), std::string::npos) << spoilt.error();
}

TEST(table_file, errors_of_files_name_the_file) {
    const temporary_folder folder;
    const auto folder_itself =
        table::load_file(process::descriptor(::open((folder / "").c_str(), O_RDONLY)).get(), "F");
    ASSERT_FALSE(folder_itself);
    EXPECT_EQ(folder_itself.error(), "F: not a regular file");
    const auto closed = table::load_file(-1, "closed");
    ASSERT_FALSE(closed);
    EXPECT_NE(closed.error().find("closed"), std::string::npos);
    std::ofstream(folder / "short") << base_octets().substr(0, 1000);
    const auto cut = load(folder / "short");
    ASSERT_FALSE(cut);
    EXPECT_NE(cut.error().find("short: header: "), std::string::npos) << cut.error();
}

TEST(table_file, a_sparse_file_of_great_size_asks_for_no_memory) {
    const temporary_folder folder;
    std::ofstream(folder / "sparse") << base_octets();
    std::filesystem::resize_file(folder / "sparse", std::uintmax_t{1} << 40U);
    const auto loaded = load(folder / "sparse");
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().find("the file has 1099511627776 octets"), std::string::npos) << loaded.error();
}

}  // namespace
}  // namespace postern::recipients::testing
