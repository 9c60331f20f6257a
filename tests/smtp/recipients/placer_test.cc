// Placing one partition: everything has a place, nothing two, and what can't be told apart is said.
#include "smtp/recipients/placer.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace postern::recipients {
namespace {

struct partition {
    format::header shape;
    std::vector<std::uint8_t> pilots;
    std::vector<line> lines;

    partition(std::uint64_t keys, std::uint32_t line_count, std::uint64_t salt = 77) {
        choose_partitions(keys, shape);
        shape.lines_per_partition = line_count;
        shape.salt = salt;
        pilots.resize(std::size_t{1} << shape.bucket_shift);
        lines.resize(line_count);
    }
    placed place(const std::vector<keyed_entry>& entries) {
        std::fill(lines.begin(), lines.end(), line{});
        return placer.place(entries, placement(shape), pilots, lines);
    }
    /// The payload kept for a hash; -1 if there is none, -2 if there are several.
    int find(std::uint64_t hash) const {
        const placement where(shape);
        const std::uint64_t bucket = where.bucket_of(hash);
        const line& at = lines[where.line_of(hash, bucket, pilots[bucket])];
        const fingerprint print = fingerprint_of(hash, shape.salt);
        int found = -1;
        for (std::uint32_t i = 0; i < at.count(); ++i) {
            if (at.fingerprints[i] == print.low && high_bits(at, i) == print.high) {
                found = found == -1 ? at.payloads[i] : -2;
            }
        }
        return found;
    }
    partition_placer placer;
};

/// Another hash with the same fingerprint under the salt: only bits below the fingerprint's differ after mixing.
std::uint64_t same_print(std::uint64_t hash, std::uint64_t salt, std::uint64_t change) {
    constexpr std::uint64_t factor = 0x9E3779B97F4A7C15U;
    std::uint64_t inverse = factor;  // Newton's iteration, each step doubles the right bits
    for (int i = 0; i < 6; ++i) {
        inverse *= 2 - factor * inverse;
    }
    return ((((hash ^ salt) * factor) ^ change) * inverse) ^ salt;
}

TEST(placer, places_every_key_once) {
    std::mt19937_64 random(4);
    for (const std::size_t count : {0U, 1U, 2U, 9U, 10U, 30U, 100U, 1000U, 20000U, 40950U}) {
        std::vector<keyed_entry> entries;
        for (std::size_t i = 0; i < count; ++i) {
            entries.push_back({random(), static_cast<std::uint16_t>(i)});
        }
        partition p(count, choose_lines(count, 0));
        unsigned attempt = 0;
        while (p.place(entries) != placed::whole) {
            ASSERT_LT(++attempt, 4U) << count << " keys";
            p = partition(count, choose_lines(count, attempt));
        }
        std::size_t in_lines = 0;
        for (const line& at : p.lines) {
            in_lines += at.count();
        }
        EXPECT_EQ(in_lines, count);
        for (const keyed_entry& entry : entries) {
            ASSERT_EQ(p.find(entry.hash), entry.payload);
        }
    }
}

TEST(placer, keeps_equal_fingerprints_in_different_lines) {
    std::mt19937_64 random(5);
    std::vector<keyed_entry> entries;
    for (std::uint16_t i = 0; i < 500; ++i) {
        const std::uint64_t hash = random();
        const std::uint64_t twin = same_print(hash, 77, 1U << (i % 20U));
        ASSERT_EQ(fingerprint_of(hash, 77).low, fingerprint_of(twin, 77).low);
        ASSERT_EQ(fingerprint_of(hash, 77).high, fingerprint_of(twin, 77).high);
        entries.push_back({hash, i});
        entries.push_back({twin, static_cast<std::uint16_t>(1000 + i)});
    }
    partition p(entries.size(), choose_lines(entries.size(), 0));
    ASSERT_EQ(p.place(entries), placed::whole);
    for (const keyed_entry& entry : entries) {
        ASSERT_EQ(p.find(entry.hash), entry.payload);
    }
}

TEST(placer, says_when_there_is_no_room) {
    std::vector<keyed_entry> entries;
    for (std::uint16_t i = 0; i < 11; ++i) {
        entries.push_back({i * 0x123456789ABCDEFU, i});
    }
    partition p(entries.size(), 1);
    EXPECT_EQ(p.place(entries), placed::no_room);
    const std::uint64_t hash = 12345;
    partition one(2, 1);
    EXPECT_EQ(one.place({{hash, 1}, {same_print(hash, 77, 1), 2}}), placed::no_room);
    partition other_salt(2, 1, 78);
    EXPECT_EQ(other_salt.place({{hash, 1}, {same_print(hash, 77, 1), 2}}), placed::whole);
}

TEST(placer, names_a_hash_that_two_keys_have) {
    std::mt19937_64 random(6);
    std::vector<keyed_entry> entries;
    for (std::uint16_t i = 0; i < 1000; ++i) {
        entries.push_back({random(), i});
    }
    entries.push_back({entries[500].hash, 1});
    partition p(entries.size(), choose_lines(entries.size(), 0));
    ASSERT_EQ(p.place(entries), placed::same_hash);
    EXPECT_EQ(p.placer.shared_hash(), entries[500].hash);
}

TEST(placer, gives_a_large_table_partitions_of_one_size) {
    format::header shape;
    choose_partitions(100000000, shape);
    EXPECT_EQ(shape.bucket_shift, 12U);
    EXPECT_EQ(shape.partitions, 100000000 / 10 / 4096 + 1);
    choose_partitions(0, shape);
    EXPECT_EQ(shape.partitions, 1U);
    EXPECT_EQ(shape.bucket_shift, 0U);
    for (unsigned attempt = 0; attempt < 16; ++attempt) {
        EXPECT_GT(choose_lines(0, attempt + 1), choose_lines(0, attempt));
        EXPECT_GT(choose_lines(40960, attempt + 1), choose_lines(40960, attempt));
    }
}

TEST(line, appends_and_drops_the_last) {
    line at{};
    const line empty{};
    std::mt19937_64 random(7);
    std::vector<line> before;
    for (std::uint32_t i = 0; i < line::capacity; ++i) {
        before.push_back(at);
        const fingerprint print = fingerprint_of(random(), 1);
        append(at, print, static_cast<std::uint16_t>(i + 1));
        EXPECT_EQ(at.count(), i + 1);
        EXPECT_EQ(match_low(at, print.low), 1U << i);
        EXPECT_EQ(high_bits(at, i), print.high);
    }
    for (std::uint32_t i = line::capacity; i-- > 0;) {
        drop_last(at);
        EXPECT_EQ(std::memcmp(&at, &before[i], sizeof at), 0);
    }
    EXPECT_EQ(std::memcmp(&at, &empty, sizeof at), 0);
}

TEST(line, an_empty_place_matches_nothing) {
    line at{};
    EXPECT_EQ(match_low(at, 0), 0U);
    append(at, {5, 3}, 1);
    EXPECT_EQ(match_low(at, 0), 0U);
    EXPECT_EQ(match_low(at, 5), 1U);
}

TEST(line, the_payload_keeps_its_fields) {
    for (unsigned kind = 0; kind <= 5; ++kind) {
        for (unsigned flags = 0; flags < 4; ++flags) {
            const auto payload =
                make_payload(static_cast<mailbox_kind>(kind), (flags & 1U) != 0, (flags & 2U) != 0, 0x12345678);
            EXPECT_EQ(payload_kind(payload), static_cast<mailbox_kind>(kind));
            EXPECT_EQ(payload_grace(payload), (flags & 1U) != 0);
            EXPECT_EQ(payload_internal_only(payload), (flags & 2U) != 0);
            EXPECT_EQ(payload_domain(payload), 0x12345678 & domain_check_mask);
        }
    }
}

// The bound on false accepts rests on this: each part of a stranger's fingerprint is as good as random.
TEST(line, fingerprints_of_hashes_are_even_in_every_part) {
    constexpr std::size_t draws = 1U << 18U;
    std::array<std::vector<unsigned>, 3> seen;
    seen.fill(std::vector<unsigned>(4096, 0));
    for (std::size_t i = 0; i < draws; ++i) {
        const fingerprint print = fingerprint_of(siphash13({1, 2}, "user" + std::to_string(i)), 99);
        const std::uint64_t all = (std::uint64_t{print.high} << 32U) | print.low;
        ++seen[0][all & 4095U];
        ++seen[1][(all >> 12U) & 4095U];
        ++seen[2][(all >> 22U) & 4095U];
    }
    for (const auto& part : seen) {
        // Chi-squared with 4095 degrees of freedom: mean 4095, deviation 90.5.
        double chi = 0;
        const double mean = static_cast<double>(draws) / 4096;
        for (const unsigned n : part) {
            chi += (n - mean) * (n - mean) / mean;
        }
        EXPECT_NEAR(chi, 4095, 6 * 90.5);
    }
}

}  // namespace
}  // namespace postern::recipients
