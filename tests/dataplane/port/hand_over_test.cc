// Frames between shards' threads: none is lost, doubled or out of order, and no sleeper misses its wake-up. Also run
// under ThreadSanitizer. The buffers are no pool's: DPDK's own library is not instrumented.
#include "dataplane/port/hand_over.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "dataplane/port/sleeper.h"

namespace postern::port {
namespace {

using namespace std::chrono_literals;

TEST(hand_over, a_full_ring_takes_no_more_and_what_it_did_not_take_stays) {
    hand_over shards(2, 2);
    std::vector<rte_mbuf> frames(hand_over::room + 10);
    std::vector<rte_mbuf*> all;
    for (rte_mbuf& each : frames) {
        all.push_back(&each);
    }
    EXPECT_FALSE(shards.waiting(1));
    EXPECT_EQ(shards.give(0, 1, all.data(), static_cast<unsigned>(all.size())), hand_over::room);
    EXPECT_TRUE(shards.waiting(1));
    EXPECT_FALSE(shards.waiting(0));
    std::vector<rte_mbuf*> out(all.size());
    EXPECT_EQ(shards.take(1, out.data(), 32), 32U);
    EXPECT_EQ(shards.take(1, out.data() + 32, hand_over::room), hand_over::room - 32);
    out.resize(hand_over::room);
    all.resize(hand_over::room);
    EXPECT_EQ(out, all) << "in order";
}

TEST(hand_over, frames_to_be_sent_go_to_the_shard_with_the_queue) {
    hand_over shards(5, 2);
    EXPECT_TRUE(shards.has_queue(1));
    EXPECT_FALSE(shards.has_queue(2));
    EXPECT_EQ(shards.sender_of(3), 1U);
    std::array<rte_mbuf, 3> frames{};
    for (unsigned from = 2; from < 5; ++from) {
        rte_mbuf* const frame = &frames[from - 2];
        EXPECT_EQ(shards.give_to_send(from, &frame, 1), 1U);
    }
    std::array<rte_mbuf*, 4> out{};
    EXPECT_TRUE(shards.waiting(0) && shards.waiting(1));
    EXPECT_EQ(shards.take_to_send(0, out.data(), 4), 2U) << "of 2 and of 4";
    EXPECT_EQ(shards.take_to_send(1, out.data(), 4), 1U) << "of 3";
    EXPECT_EQ(out[0], &frames[1]);
}

TEST(hand_over, all_are_done_when_the_last_one_is) {
    hand_over shards(2, 1);
    EXPECT_FALSE(shards.all_done(0, true));
    shards.waker(0).announce();
    EXPECT_TRUE(shards.all_done(1, true));
    EXPECT_FALSE(shards.all_done(1, false)) << "a connection came after all";
    EXPECT_TRUE(shards.all_done(1, true));
}

/// A shard's loop as packet_loop has it: turns, and when one found nothing, a sleep that only a wake-up ends.
class sleepy_shard {
public:
    sleepy_shard(hand_over& shards, unsigned number) : _shards(shards), _number(number) {}

    void run(std::uint64_t frames) {
        while (_seen < frames && !_given_up) {
            if (turn()) {
                continue;
            }
            _shards.waker(_number).announce();
            if (!turn()) {
                const auto before = std::chrono::steady_clock::now();
                _sleeper.sleep(5s);
                if (std::chrono::steady_clock::now() - before >= 5s) {
                    _given_up = true;  // everything was given long ago
                }
                ++_sleeps;
            }
            _shards.waker(_number).woken();
        }
    }
    bool turn() {
        std::array<rte_mbuf*, 32> frames{};
        const unsigned n = _shards.take(_number, frames.data(), 32);
        for (unsigned i = 0; i < n; ++i) {
            // Plain fields, written by the giver: only the ring orders the two.
            const unsigned from = frames[i]->port;
            _wrong += frames[i]->pkt_len != _next[from];
            _next[from] = frames[i]->pkt_len + 1;
        }
        _seen += n;
        return n > 0;
    }
    std::uint64_t wrong() const { return _wrong; }
    std::uint64_t sleeps() const { return _sleeps; }
    bool missed_a_wake_up() const { return _given_up; }

private:
    hand_over& _shards;
    unsigned _number;
    sleeper _sleeper{{}, _shards.waker(_number)};
    std::array<std::uint32_t, 4> _next{};
    std::uint64_t _seen = 0;
    std::uint64_t _wrong = 0;
    std::uint64_t _sleeps = 0;
    std::atomic<bool> _given_up{false};  ///< read by the givers, whose ring nobody empties then
};

TEST(hand_over, every_frame_arrives_once_in_order_and_no_wake_up_is_missed) {
    constexpr std::uint32_t each = 20'000;
    hand_over shards(3, 1);
    std::vector<std::vector<rte_mbuf>> frames(2, std::vector<rte_mbuf>(each));
    sleepy_shard sleeper(shards, 2);
    std::thread sleeping([&] { sleeper.run(2 * each); });
    std::vector<std::thread> givers;
    for (unsigned from = 0; from < 2; ++from) {
        givers.emplace_back([&, from] {
            std::mt19937 chance(from);
            for (std::uint32_t i = 0; i < each && !sleeper.missed_a_wake_up();) {
                std::array<rte_mbuf*, 8> some{};
                unsigned n = 0;
                for (; n < 1 + chance() % 8 && i + n < each; ++n) {
                    rte_mbuf& frame = frames[from][i + n];
                    frame.port = static_cast<std::uint16_t>(from);
                    frame.pkt_len = i + n;
                    some[n] = &frame;
                }
                const unsigned taken = shards.give(from, 2, some.data(), n);
                i += taken;
                // Now and then so long that the other goes to sleep, now and then just about.
                if (taken < n || chance() % 4 == 0) {
                    std::this_thread::sleep_for(std::chrono::microseconds(chance() % 20));
                }
            }
        });
    }
    for (std::thread& giver : givers) {
        giver.join();
    }
    sleeping.join();
    EXPECT_FALSE(sleeper.missed_a_wake_up());
    EXPECT_EQ(sleeper.wrong(), 0U);
    EXPECT_GT(sleeper.sleeps(), 100U) << "else nothing was tried";
}

}  // namespace
}  // namespace postern::port
