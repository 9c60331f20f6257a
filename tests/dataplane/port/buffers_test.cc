// A shard's pool is as large as everything that can hold its buffers at a time.
#include "dataplane/port/buffers.h"

#include <gtest/gtest.h>

#include "dataplane/port/queue.h"
#include "dataplane/port/twin.h"

namespace postern::port {
namespace {

TEST(buffers, a_shard_alone_needs_its_queues_its_turn_and_the_caches) {
    const std::uint32_t alone = buffers_needed({1024, 1024, 1, false});
    EXPECT_GE(alone, 2048U + most_held + 65 + 384);
    EXPECT_LT(alone, 2048U + 2000) << "and not much more";
}

TEST(buffers, every_ring_may_be_full_of_one_shards_buffers) {
    for (std::uint32_t shards = 2; shards <= 16; ++shards) {
        const std::uint32_t more =
            buffers_needed({512, 512, shards, false}) - buffers_needed({512, 512, shards - 1, false});
        EXPECT_GE(more, hand_over::room + most_held + pool_cache) << "its ring, its turn, its cache: " << shards;
        EXPECT_GE(buffers_needed({512, 512, shards, true}), buffers_needed({512, 512, shards, false}) + twin::room);
    }
}

TEST(buffers, have_room_for_the_mtu_and_are_paid_for_in_memory) {
    EXPECT_GE(buffer_octets(9000), 128U + 9000 + 18);
    EXPECT_EQ(buffer_octets(576), buffer_octets(1500)) << "drivers want 2 KiB";
    EXPECT_GT(memory_needed_mib({1024, 1024, 8, true}, 9000),
              std::uint64_t{8} * buffers_needed({1024, 1024, 8, true}) * buffer_octets(9000) / (1U << 20U));
    EXPECT_LT(memory_needed_mib({1024, 1024, 1, false}, 1500), 64U);
}

}  // namespace
}  // namespace postern::port
