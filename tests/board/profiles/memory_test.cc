// What board/profiles takes for the memory of a port, against what the port takes.
#include <gtest/gtest.h>

#include "board/profiles/edge_part.h"
#include "board/profiles/profile.h"
#include "dataplane/port/buffers.h"

namespace postern::profiles {
namespace {

std::uint32_t needed(const edge_part& of, std::uint32_t shards) {
    const auto descriptors = static_cast<std::uint16_t>(of.descriptors);
    return port::memory_needed_mib({descriptors, descriptors, shards, of.twin}, static_cast<std::uint16_t>(of.mtu));
}

TEST(memory, what_is_wanted_is_enough_and_no_more_than_half_too_much) {
    for (const std::uint32_t shards : {1U, 2U, 4U, 8U, 16U}) {
        for (const std::uint32_t descriptors : {64U, 256U, 1024U, 4096U}) {
            for (const std::uint32_t mtu : {576U, 1500U, 9000U}) {
                for (const bool twin : {false, true}) {
                    edge_part part;
                    part.descriptors = descriptors;
                    part.mtu = mtu;
                    part.twin = twin;
                    EXPECT_GE(memory_wanted(part, shards), needed(part, shards))
                        << shards << ' ' << descriptors << ' ' << mtu;
                    EXPECT_LE(memory_wanted(part, shards), needed(part, shards) * 3 / 2 + 32)
                        << shards << ' ' << descriptors << ' ' << mtu;
                }
            }
        }
    }
}

TEST(memory, every_profile_gives_enough_for_as_many_shards_as_it_makes) {
    const auto all = read_profiles(POSTERN_SOURCE_DIR "/board/profiles");
    ASSERT_TRUE(all);
    for (const profile& each : *all) {
        for (std::uint32_t shards = 1; shards <= each.most_queues; ++shards) {
            edge_part part;
            part.descriptors = each.descriptors;
            part.twin = true;
            EXPECT_GE(each.base_mib + each.queue_mib * shards, needed(part, shards)) << each.name << ' ' << shards;
        }
    }
}

}  // namespace
}  // namespace postern::profiles
