// Frames that a driver delivers in several buffers: one row of octets for who reads them. The driver is net_ring, whose
// ring the test fills itself.
#include <gtest/gtest.h>
#include <rte_eth_ring.h>
#include <rte_ring.h>

#include <numeric>
#include <vector>

#include "dataplane/port/queue.h"
#include "tests/dataplane/port/rig.h"

namespace postern::port {
namespace {

class chained_test : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        if (!rig::one().fault.empty()) {
            return;
        }
        ring = rte_ring_create("chained", 64, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
        ASSERT_NE(ring, nullptr);
        ASSERT_GE(rte_eth_from_ring(ring), 0);
        device_settings settings;
        settings.name = "net_ring_chained";
        settings.descriptors = 64;
        auto opened = device::open(settings);
        ASSERT_TRUE(opened) << opened.error();
        port = opened->release();
        parts = rte_pktmbuf_pool_create("parts", 255, 0, 0, 2176, SOCKET_ID_ANY);
        ASSERT_NE(parts, nullptr);
    }
    static void TearDownTestSuite() {
        delete port;
        rte_mempool_free(parts);
    }
    void SetUp() override {
        if (!rig::one().fault.empty()) {
            GTEST_SKIP() << rig::one().fault;
        }
        ASSERT_NE(port, nullptr);
    }
    /// A frame of octets 0, 1, 2, …, cut into parts of these sizes.
    static void arrive(const std::vector<std::uint16_t>& sizes) {
        rte_mbuf* head = nullptr;
        std::uint8_t next = 0;
        for (const std::uint16_t size : sizes) {
            rte_mbuf* const part = rte_pktmbuf_alloc(parts);
            auto* const octets = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(part, size));
            std::iota(octets, octets + size, next);
            next = static_cast<std::uint8_t>(next + size);
            if (head == nullptr) {
                head = part;
            } else {
                ASSERT_EQ(rte_pktmbuf_chain(head, part), 0);
            }
        }
        ASSERT_EQ(rte_ring_enqueue(ring, head), 0);
    }
    static std::vector<std::uint8_t> counted(std::size_t n) {
        std::vector<std::uint8_t> out(n);
        std::iota(out.begin(), out.end(), std::uint8_t{0});
        return out;
    }

    static inline rte_ring* ring = nullptr;
    static inline device* port = nullptr;
    static inline rte_mempool* parts = nullptr;
};

TEST_F(chained_test, parts_are_one_row_of_octets_and_all_buffers_go_back) {
    {
        queue q = port->queue_at(0);
        arrive({200, 700, 1});
        arrive({60});
        arrive({138, 1000});
        const auto frames = q.receive();
        ASSERT_EQ(frames.size(), 3U);
        const std::array<std::size_t, 3> sizes{901, 60, 1138};
        for (std::size_t i = 0; i < frames.size(); ++i) {
            const std::vector<std::uint8_t> got(frames[i].octets.begin(), frames[i].octets.end());
            EXPECT_EQ(got, counted(sizes[i])) << i;
        }
        EXPECT_EQ(q.counts().chained.value(), 2U);
        EXPECT_EQ(q.counts().chained_dropped.value(), 0U);
        q.release();
    }
    EXPECT_EQ(rte_mempool_in_use_count(parts), 0U);
}

TEST_F(chained_test, headers_stand_in_the_first_buffer_and_the_whole_is_no_longer_than_the_mtu) {
    {
        queue q = port->queue_at(0);
        arrive({137, 500});
        arrive({1000, 1000, 1000});
        arrive({60});
        const auto frames = q.receive();
        ASSERT_EQ(frames.size(), 1U);
        EXPECT_EQ(frames[0].octets.size(), 60U);
        EXPECT_EQ(q.counts().chained_dropped.value(), 2U);
        q.release();
    }
    EXPECT_EQ(rte_mempool_in_use_count(parts), 0U) << "what was dropped, too";
}

}  // namespace
}  // namespace postern::port
