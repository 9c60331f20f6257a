#include "perf/rig/client_names.h"

#include <gtest/gtest.h>

#include <set>

namespace postern::perf::rig {
namespace {

TEST(client_names, give_every_place_ends_of_its_own_and_find_it_again) {
    constexpr std::uint32_t places = 100'000;
    constexpr std::uint32_t sources = 3;
    ASSERT_TRUE(client_names::fit(places, sources));
    const client_names names(places, sources);
    std::set<std::pair<std::uint32_t, std::uint16_t>> seen;
    std::array<std::uint32_t, sources> of_source{};
    for (std::uint32_t place = 0; place < places; ++place) {
        const client_names::name ends = names.name_of(place, 0);
        ASSERT_LT(ends.source, sources);
        ASSERT_GE(ends.port, client_names::first_port);
        ASSERT_TRUE(seen.emplace(ends.source, ends.port).second) << place;
        ASSERT_EQ(names.place_of(ends), place);
        ++of_source[ends.source];
    }
    for (const std::uint32_t count : of_source) {
        EXPECT_NEAR(count, places / sources, 1) << "connections are spread evenly over the sources";
    }
}

TEST(client_names, give_a_place_other_ends_each_time_until_none_are_left) {
    const client_names names(10'000, 1);
    std::set<std::uint16_t> ports;
    for (std::uint32_t generation = 0; generation < 6; ++generation) {
        const client_names::name ends = names.name_of(9'999, generation);
        EXPECT_EQ(names.place_of(ends), 9'999U);
        EXPECT_TRUE(ports.insert(ends.port).second);
    }
    EXPECT_EQ(names.name_of(9'999, 6), names.name_of(9'999, 0));
}

TEST(client_names, use_each_port_of_a_source_once) {
    const client_names names(client_names::ports, 1);
    EXPECT_EQ(names.name_of(0, 0).port, 1024);
    EXPECT_EQ(names.name_of(client_names::ports - 1, 7).port, 65'535);
    EXPECT_TRUE(client_names::fit(client_names::ports, 1));
    EXPECT_FALSE(client_names::fit(client_names::ports + 1, 1));
    EXPECT_TRUE(client_names::fit(2'000'000, 32));
    EXPECT_FALSE(client_names::fit(0, 1));
}

TEST(client_names, take_more_ends_than_a_number_of_32_bits_counts) {
    constexpr std::uint32_t places = 1'000'000;
    constexpr std::uint32_t sources = 1U << 20U;
    ASSERT_TRUE(client_names::fit(places, sources));
    const client_names names(places, sources);
    for (const std::uint32_t place : {0U, 1U, 777'777U, places - 1}) {
        for (const std::uint32_t generation : {0U, 1U, 4'293U, 4'294U, 100'000U}) {
            const client_names::name ends = names.name_of(place, generation);
            EXPECT_LT(ends.source, sources);
            EXPECT_GE(ends.port, client_names::first_port);
            EXPECT_EQ(names.place_of(ends), place);
        }
        EXPECT_NE(names.name_of(place, 0), names.name_of(place, 4'293));
    }
}

TEST(client_names, find_a_place_for_ends_that_are_nobodys) {
    const client_names names(100, 2);
    for (const client_names::name ends : {client_names::name{7, 80}, client_names::name{UINT32_MAX, 0}}) {
        EXPECT_LT(names.place_of(ends), 100U);
    }
}

}  // namespace
}  // namespace postern::perf::rig
