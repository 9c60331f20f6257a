// Bursts of look-ups in the table by itself: every size, both overlapped and not, every variant of the steps.
#include "smtp/recipients/burst.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/recipients/burst_steps.h"
#include "smtp/recipients/cpu.h"
#include "smtp/recipients/line.h"
#include "tests/smtp/recipients/table_fixture.h"

namespace postern::recipients {
namespace {

using testing::many;
using testing::snapshot_of;
using testing::two_domains;

class lookup_burst_test : public ::testing::Test {
protected:
    static constexpr std::size_t keys = 30000;

    /// Query `number`: a listed address if even, else a stranger of many lengths. And what is right.
    std::string text_of(std::size_t number) const {
        return number % 2 == 0 ? _list[number * 7 % keys].text
                               : std::string(1 + number % 70, 'x') + std::to_string(number) + "@example.com";
    }
    std::uint32_t expected(std::size_t number) const {
        if (number % 2 != 0) {
            return no_payload;
        }
        const auto& e = _list[number * 7 % keys];
        return make_payload(e.kind, e.grace, e.internal_only, e.domain);
    }

    std::vector<testing::entry> _list = many(keys);
    std::unique_ptr<const snapshot> _in = snapshot_of(_list, two_domains());
};

/// Texts and the views of them.
struct asked {
    std::vector<std::string> texts;
    std::vector<std::string_view> views;
    void add(std::string text) { texts.push_back(std::move(text)); }
    std::span<const std::string_view> all() {
        views.assign(texts.begin(), texts.end());
        return views;
    }
};

TEST_F(lookup_burst_test, answers_every_size_in_order) {
    for (std::size_t size = 0; size <= lookup_burst::capacity; ++size) {
        asked burst;
        for (std::size_t i = 0; i < size; ++i) {
            burst.add(text_of(size * 100 + i));
        }
        lookup_burst one;
        one.prepare(*_in->base, burst.all());
        const auto payloads = one.resolve();
        ASSERT_EQ(payloads.size(), size);
        for (std::size_t i = 0; i < size; ++i) {
            ASSERT_EQ(std::min(payloads[i], no_payload), expected(size * 100 + i))
                << burst.texts[i] << ", " << i << " of " << size;
        }
    }
}

TEST_F(lookup_burst_test, may_be_prepared_while_an_earlier_one_is_compared) {
    std::mt19937_64 random(7);
    std::array<lookup_burst, 2> bursts;
    std::vector<std::size_t> before;
    for (std::size_t turn = 0; turn < 400; ++turn) {
        asked burst;
        std::vector<std::size_t> numbers;
        for (std::size_t size = random() % (lookup_burst::capacity + 1); size > 0; --size) {
            numbers.push_back(random() % keys);
            burst.add(text_of(numbers.back()));
        }
        bursts[turn % 2].prepare(*_in->base, burst.all(), turn == 0 ? nullptr : &bursts[1 - turn % 2]);
        if (turn > 0) {
            const auto payloads = bursts[1 - turn % 2].resolve();
            ASSERT_EQ(payloads.size(), before.size());
            for (std::size_t i = 0; i < before.size(); ++i) {
                ASSERT_EQ(payloads[i] < no_payload, expected(before[i]) < no_payload) << text_of(before[i]);
            }
        }
        before = numbers;
    }
}

TEST_F(lookup_burst_test, needs_the_texts_only_until_they_are_prepared) {
    asked burst;
    for (std::size_t i = 0; i < 20; ++i) {
        burst.add(text_of(i));
    }
    lookup_burst one;
    one.prepare(*_in->base, burst.all());
    for (std::string& text : burst.texts) {
        std::fill(text.begin(), text.end(), '?');
    }
    const auto payloads = one.resolve();
    for (std::size_t i = 0; i < 20; ++i) {
        EXPECT_EQ(payloads[i] < no_payload, i % 2 == 0) << i;
    }
}

/// The steps that this CPU can take, but for the plain ones.
std::vector<const burst_steps*> other_steps() {
    std::vector<const burst_steps*> out;
#if defined(__x86_64__)
    if (has_avx2()) {
        out.push_back(&avx2_steps);
    }
    if (has_avx512()) {
        out.push_back(&avx512_steps);
    }
#endif
    return out;
}

using eight = std::array<std::uint64_t, hash_lanes_count>;

TEST_F(lookup_burst_test, all_steps_find_the_places_that_plain_ones_find) {
    // Shapes that no list of a test reaches: partitions, buckets up to the last that fit, and more than fit.
    std::mt19937_64 random(3);
    std::vector<std::uint8_t> pilots(1U << 20U);
    std::generate(pilots.begin(), pilots.end(), [&random] { return static_cast<std::uint8_t>(random()); });
    burst_table in(*_in->base);
    in.pilots = pilots.data();
    for (int round = 0; round < 20000; ++round) {
        in.where.bucket_shift = static_cast<std::uint32_t>(random() % 15);
        in.where.buckets = 1 + random() % pilots.size();
        in.where.lines_per_partition = 1 + static_cast<std::uint32_t>(random() % (1U << (1 + random() % 26)));
        eight hashes{};
        std::generate(hashes.begin(), hashes.end(), random);
        eight plain{};
        plain_steps.find_buckets(in, hashes.size(), hashes.data(), plain.data());
        for (const burst_steps* const steps : other_steps()) {
            eight places{};
            steps->find_buckets(in, hashes.size(), hashes.data(), places.data());
            ASSERT_EQ(places, plain);
            steps->find_lines(in, hashes.size(), hashes.data(), places.data());
            eight lines = plain;
            plain_steps.find_lines(in, hashes.size(), hashes.data(), lines.data());
            ASSERT_EQ(places, lines);
        }
    }
    for (std::uint64_t buckets :
         {std::uint64_t{1}, std::uint64_t{4095}, std::uint64_t{0xFFFFFFFF}, std::uint64_t{1} << 33U}) {
        in.where.buckets = buckets;
        eight hashes{0, 1, ~std::uint64_t{0}};
        std::generate(hashes.begin() + 3, hashes.end(), random);
        for (const burst_steps* const steps : other_steps()) {
            eight places{};
            steps->find_buckets(in, hashes.size(), hashes.data(), places.data());
            for (std::size_t i = 0; i < hashes.size(); ++i) {
                ASSERT_EQ(places[i], in.where.bucket_of(hashes[i])) << buckets;
            }
        }
    }
}

TEST_F(lookup_burst_test, all_steps_compare_as_the_plain_one_does) {
    std::mt19937_64 random(5);
    burst_table in(*_in->base);
    for (std::uint32_t keys = 0; keys <= line::capacity; ++keys) {
        // Of each key its own hash, one with other high bits, and one more that is in no line.
        for (std::uint32_t asked = 0; asked <= line::capacity; ++asked) {
            eight hashes{};
            std::generate(hashes.begin(), hashes.end(), random);
            std::array<line, hash_lanes_count> lines{};
            in.lines = lines.data();
            eight places{};
            std::array<std::uint32_t, hash_lanes_count> wanted{};
            for (std::uint32_t lane = 0; lane < hash_lanes_count; ++lane) {
                places[lane] = lane;
                wanted[lane] = no_payload;
                for (std::uint32_t key = 0; key < keys; ++key) {
                    fingerprint print{static_cast<std::uint32_t>(random()), lane & 3U};
                    const auto payload = static_cast<std::uint16_t>(random());
                    if (key == asked) {
                        print = fingerprint_of(hashes[lane], in.where.salt);
                        print.high ^= lane % 2;
                        wanted[lane] = lane % 2 == 0 ? payload : no_payload;
                    }
                    append(lines[lane], print, payload);
                }
                if (keys < line::capacity) {
                    // Left there by chance, and no key of the line.
                    lines[lane].fingerprints[keys] = fingerprint_of(hashes[lane], in.where.salt).low;
                }
            }
            std::vector<const burst_steps*> all = other_steps();
            all.push_back(&plain_steps);
            for (const burst_steps* const steps : all) {
                for (std::size_t used = 1; used <= hash_lanes_count; ++used) {
                    std::array<std::uint32_t, hash_lanes_count> payloads{};
                    steps->compare(in, used, hashes.data(), places.data(), payloads.data());
                    for (std::size_t lane = 0; lane < used; ++lane) {
                        ASSERT_EQ(std::min(payloads[lane], no_payload), wanted[lane])
                            << keys << ' ' << asked << ' ' << lane << " of " << used;
                    }
                    ASSERT_TRUE(std::all_of(payloads.begin() + static_cast<std::ptrdiff_t>(used), payloads.end(),
                                            [](std::uint32_t untouched) { return untouched == 0; }));
                }
            }
        }
    }
}

}  // namespace
}  // namespace postern::recipients
