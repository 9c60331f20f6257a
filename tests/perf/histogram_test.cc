#include "perf/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "perf/random.h"

namespace postern::perf {
namespace {

constexpr double quantiles[] = {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0};

std::uint64_t exact_quantile(const std::vector<std::uint64_t>& sorted, double q) {
    const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
    return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

/// Every quantile is at or above the exact one and at most 1/128 above it.
void expect_close(std::vector<std::uint64_t> values) {
    const auto counted = std::make_unique<histogram>();
    for (const auto value : values) {
        counted->add(value);
    }
    std::sort(values.begin(), values.end());
    for (const double q : quantiles) {
        const std::uint64_t exact = exact_quantile(values, q);
        EXPECT_GE(counted->quantile(q), exact) << q;
        EXPECT_LE(counted->quantile(q), exact + exact / 128) << q;
    }
    EXPECT_EQ(counted->quantile(1.0), values.back());
    EXPECT_EQ(counted->least(), values.front());
}

TEST(histogram, is_all_zero_when_empty) {
    const histogram empty;
    EXPECT_EQ(empty.count(), 0U);
    EXPECT_EQ(empty.quantile(0.5), 0U);
    EXPECT_EQ(empty.least(), 0U);
    EXPECT_EQ(empty.most(), 0U);
    EXPECT_EQ(empty.mean(), 0.0);
}

TEST(histogram, gives_small_values_exactly) {
    histogram counted;
    for (std::uint64_t value = 0; value < 128; ++value) {
        counted.add(value);
    }
    EXPECT_EQ(counted.quantile(0.5), 63U);
    EXPECT_EQ(counted.quantile(1.0), 127U);
    EXPECT_DOUBLE_EQ(counted.mean(), 63.5);
}

TEST(histogram, stays_close_to_exact_quantiles_of_uniform_values) {
    random_source random(1);
    std::vector<std::uint64_t> values(100'000);
    std::generate(values.begin(), values.end(), [&] { return random.below(10'000'000); });
    expect_close(std::move(values));
}

TEST(histogram, stays_close_to_exact_quantiles_over_nine_decades) {
    random_source random(2);
    std::vector<std::uint64_t> values(100'000);
    std::generate(values.begin(), values.end(),
                  [&] { return static_cast<std::uint64_t>(std::pow(10.0, 1.0 + random.unit() * 9.0)); });
    expect_close(std::move(values));
}

TEST(histogram, keeps_the_edges_of_octaves_apart) {
    for (unsigned bit = 7; bit < 40; ++bit) {
        const std::uint64_t edge = std::uint64_t{1} << bit;
        expect_close({edge - 1, edge, edge + 1});
    }
}

TEST(histogram, counts_what_is_too_large_as_the_largest) {
    histogram counted;
    counted.add(UINT64_MAX);
    EXPECT_EQ(counted.most(), histogram::largest);
    EXPECT_EQ(counted.quantile(0.5), histogram::largest);
}

TEST(histogram, of_two_threads_adds_up_to_that_of_one) {
    const auto both = std::make_unique<histogram>();
    const auto one = std::make_unique<histogram>();
    const auto two = std::make_unique<histogram>();
    random_source random(3);
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t value = random.below(1'000'000);
        both->add(value);
        (i % 3 == 0 ? *one : *two).add(value);
    }
    one->add(*two);
    EXPECT_EQ(one->count(), both->count());
    EXPECT_EQ(one->least(), both->least());
    EXPECT_EQ(one->most(), both->most());
    EXPECT_EQ(one->mean(), both->mean());
    for (const double q : quantiles) {
        EXPECT_EQ(one->quantile(q), both->quantile(q));
    }
}

TEST(histogram, is_what_was_added_since_a_copy_of_it) {
    const auto all = std::make_unique<histogram>();
    for (std::uint64_t value = 0; value < 1000; ++value) {
        all->add(value * 1000);
    }
    const auto before = std::make_unique<histogram>(*all);
    EXPECT_TRUE(all->since(*before).empty());
    std::vector<std::uint64_t> later;
    random_source random(4);
    for (int i = 0; i < 1000; ++i) {
        later.push_back(random.below(10'000'000));
        all->add(later.back());
    }
    histogram since;
    since.add(all->since(*before));
    std::sort(later.begin(), later.end());
    EXPECT_EQ(since.count(), 1000U);
    for (const double q : quantiles) {
        const std::uint64_t exact = exact_quantile(later, q);
        EXPECT_GE(since.quantile(q), exact) << q;
        EXPECT_LE(since.quantile(q), exact + exact / 128) << q;
    }
}

}  // namespace
}  // namespace postern::perf
