// A crew of threads places what one thread places, in order, and may be left at any time.
#include "smtp/recipients/placing_crew.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace postern::recipients {
namespace {

class placing_crew_test : public ::testing::Test {
protected:
    static constexpr std::uint64_t keys = 400000;

    placing_crew_test() {
        choose_partitions(keys, _shape);
        _shape.salt = 5;
        const placement where(_shape);
        std::mt19937_64 random(11);
        for (std::uint64_t i = 0; i < keys; ++i) {
            _entries.push_back({random(), static_cast<std::uint16_t>(i)});
        }
        std::sort(_entries.begin(), _entries.end(), [](const auto& a, const auto& b) { return a.hash < b.hash; });
        _ends.assign(_shape.partitions, 0);
        for (const keyed_entry& entry : _entries) {
            ++_ends[where.bucket_of(entry.hash) >> _shape.bucket_shift];
        }
        const std::uint64_t fullest = *std::max_element(_ends.begin(), _ends.end());
        for (std::size_t p = 1; p < _ends.size(); ++p) {
            _ends[p] += _ends[p - 1];
        }
        _shape.lines_per_partition = choose_lines(fullest, 0);
        _pilots.resize(_shape.buckets());
    }

    placing_crew::work work() { return {placement(_shape), _entries, _ends, _pilots}; }

    /// All lines, one partition behind the other.
    std::vector<line> place_all(unsigned threads) {
        std::fill(_pilots.begin(), _pilots.end(), std::uint8_t{0xEE});
        placing_crew crew(work(), threads);
        std::vector<line> all;
        for (std::size_t p = 0; p < _ends.size(); ++p) {
            const placing_crew::partition& one = crew.next();
            EXPECT_EQ(one.how, placed::whole);
            all.insert(all.end(), one.lines.begin(), one.lines.end());
        }
        return all;
    }

    format::header _shape;
    std::vector<keyed_entry> _entries;
    std::vector<std::uint64_t> _ends;
    std::vector<std::uint8_t> _pilots;
};

TEST_F(placing_crew_test, gives_what_one_thread_gives) {
    ASSERT_GT(_ends.size(), 5U);
    const std::vector<line> alone = place_all(1);
    const std::vector<std::uint8_t> pilots = _pilots;
    for (const unsigned threads : {2U, 3U, 40U}) {
        const std::vector<line> together = place_all(threads);
        ASSERT_EQ(together.size(), alone.size());
        EXPECT_EQ(std::memcmp(together.data(), alone.data(), alone.size() * sizeof(line)), 0) << threads;
        EXPECT_EQ(_pilots, pilots) << threads;
    }
}

TEST_F(placing_crew_test, ends_with_partitions_left) {
    for (std::size_t given = 0; given < 4; ++given) {
        placing_crew crew(work(), 3);
        for (std::size_t p = 0; p < given; ++p) {
            EXPECT_EQ(crew.next().how, placed::whole);
        }
    }
}

TEST_F(placing_crew_test, names_a_shared_hash_in_its_partition) {
    const std::uint64_t twin = _entries[_ends[1] + 7].hash;
    _entries[_ends[1] + 8].hash = twin;
    placing_crew crew(work(), 2);
    EXPECT_EQ(crew.next().how, placed::whole);
    EXPECT_EQ(crew.next().how, placed::whole);
    const placing_crew::partition& third = crew.next();
    EXPECT_EQ(third.how, placed::same_hash);
    EXPECT_EQ(third.shared_hash, twin);
}

}  // namespace
}  // namespace postern::recipients
