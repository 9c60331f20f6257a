// What shards share with other threads, with real threads: the ring, quiescence, the waker and the limits. Also run
// under ThreadSanitizer. A lost wake-up or a missed order shows as a wait that ends in failure, never as a hang.
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "board/process/spsc_ring.h"
#include "dataplane/shard/connection_limits.h"
#include "dataplane/shard/eventfd_waker.h"
#include "dataplane/shard/quiescence.h"

namespace postern::shard {
namespace {

using namespace std::chrono_literals;
using process::spsc_ring;

/// Lets other threads run. Not yield: on a busy machine that gives away a time slice for each of thousands of turns.
void give_way() {
    std::this_thread::sleep_for(20us);
}

bool wait_for(const auto& holds) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    for (int looks = 1; !holds(); ++looks) {
        if (looks % 100 == 0) {
            give_way();
            if (std::chrono::steady_clock::now() > end) {
                return false;
            }
        }
    }
    return true;
}

TEST(spsc_ring, is_bounded_and_keeps_the_order) {
    spsc_ring<int> ring(3);
    EXPECT_EQ(ring.capacity(), 4u);
    EXPECT_TRUE(ring.empty());
    for (int round = 0; round < 10; ++round) {
        EXPECT_EQ(ring.space(), 4u);
        for (int i = 0; i < 4; ++i) {
            EXPECT_TRUE(ring.push(i));
        }
        EXPECT_FALSE(ring.push(4));
        EXPECT_EQ(ring.size(), 4u);
        int out = -1;
        for (int i = 0; i < 4; ++i) {
            ASSERT_NE(ring.front(), nullptr);
            EXPECT_TRUE(ring.pop(out));
            EXPECT_EQ(out, i);
        }
        EXPECT_FALSE(ring.pop(out));
        EXPECT_EQ(out, 3) << "untouched";
    }
}

TEST(spsc_ring, a_full_ring_does_not_take_the_value_and_the_rest_is_destroyed) {
    const auto token = std::make_shared<int>(1);
    {
        spsc_ring<std::shared_ptr<int>> ring(1);
        EXPECT_TRUE(ring.push(std::shared_ptr<int>(token)));
        std::shared_ptr<int> mine = token;
        EXPECT_FALSE(ring.push(std::move(mine)));
        EXPECT_NE(mine, nullptr);
        mine.reset();
        EXPECT_EQ(token.use_count(), 2);
        ASSERT_NE(ring.front(), nullptr);
        EXPECT_EQ(*ring.front(), token);
        ring.drop();
        EXPECT_EQ(token.use_count(), 1);
        EXPECT_TRUE(ring.emplace(token));
    }
    EXPECT_EQ(token.use_count(), 1);
}

TEST(spsc_ring, hands_values_from_thread_to_thread) {
    constexpr int count = 200'000;
    spsc_ring<std::unique_ptr<int>> ring(512);
    std::thread producer([&] {
        for (int i = 0; i < count; ++i) {
            auto value = std::make_unique<int>(i);
            while (!ring.push(std::move(value))) {
                give_way();
            }
        }
    });
    int wrong = 0;
    std::unique_ptr<int> value;
    for (int i = 0; i < count; ++i) {
        if (!wait_for([&] { return ring.pop(value); })) {
            ++wrong;
            break;
        }
        wrong += *value != i;
    }
    producer.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_TRUE(ring.empty());
}

TEST(quiescence, what_a_reader_may_hold_is_never_destroyed) {
    struct generation {
        explicit generation(std::uint64_t n) { words.fill(n); }
        ~generation() { words.fill(~std::uint64_t{0}); }
        std::array<std::uint64_t, 8> words;
    };
    published<generation> current(std::make_unique<const generation>(0));
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> wrong{0};
    std::array<std::atomic<std::uint64_t>, 3> turns{};
    std::vector<std::thread> readers;
    for (std::size_t id = 0; id < turns.size(); ++id) {
        readers.emplace_back([&, id] {
            quiescent_reader reader;
            std::uint64_t last = 0;
            while (!stop.load(std::memory_order_relaxed)) {
                const generation* const g = current.read();
                const std::uint64_t number = g->words[0];
                for (const std::uint64_t w : g->words) {
                    wrong += w != number;
                }
                wrong += number < last;
                last = number;
                turns[id].fetch_add(1, std::memory_order_relaxed);
                reader.quiescent();
                if (turns[id] % 100 == 0) {
                    reader.offline();
                    give_way();
                    reader.online();
                }
            }
        });
    }
    ASSERT_TRUE(wait_for([&] { return turns[0] > 0 && turns[1] > 0 && turns[2] > 0; }));
    for (std::uint64_t i = 1; i <= 300; ++i) {
        const auto old = current.publish(std::make_unique<const generation>(i));
        ASSERT_EQ(old->words[0], i - 1);
    }
    stop = true;
    for (std::thread& t : readers) {
        t.join();
    }
    EXPECT_EQ(wrong, 0u);
}

TEST(quiescence, a_reader_replaces_what_others_may_hold_without_waiting) {
    struct generation {
        explicit generation(std::uint64_t n, std::atomic<int>& l) : number(n), live(l) { ++live; }
        ~generation() {
            number = ~std::uint64_t{0};
            --live;
        }
        std::uint64_t number;
        std::atomic<int>& live;
    };
    constexpr std::uint64_t last = 2'000;
    std::atomic<int> live{0};
    std::atomic<std::uint64_t> wrong{0};
    {
        published<generation> current(std::make_unique<const generation>(0, live));
        std::thread follower([&] {
            quiescent_reader reader;
            std::uint64_t seen = 0;
            const bool came = wait_for([&] {
                const std::uint64_t number = current.read()->number;
                wrong += number < seen || number > last;
                seen = number;
                reader.quiescent();
                return number == last;
            });
            wrong += !came;
        });
        std::thread writer([&] {
            quiescent_reader reader;
            for (std::uint64_t i = 1; i <= last; ++i) {
                current.replace(std::make_unique<const generation>(i, live));
                reader.quiescent();
            }
        });
        follower.join();
        writer.join();
        wait_for_retired();
        EXPECT_EQ(live, 1) << "all but the one in force are gone";
    }
    EXPECT_EQ(live, 0);
    EXPECT_EQ(wrong, 0u);
}

TEST(quiescence, a_sleeping_reader_holds_up_nobody_and_an_awake_one_does) {
    std::atomic<int> stage{0};
    std::thread shard([&] {
        quiescent_reader reader;
        reader.offline();
        stage = 1;
        EXPECT_TRUE(wait_for([&] { return stage == 2; }));
        reader.online();
        stage = 3;
        EXPECT_TRUE(wait_for([&] { return stage == 4; }));
        // The writer has begun to wait, or will: it must not be done before this thread says so.
        for (int i = 0; i < 100; ++i) {
            give_way();
        }
        int expected = 4;
        EXPECT_TRUE(stage.compare_exchange_strong(expected, 5));
        reader.quiescent();
        EXPECT_TRUE(wait_for([&] { return stage == 6; }));
    });
    ASSERT_TRUE(wait_for([&] { return stage == 1; }));
    wait_for_readers();  // returns though the shard says nothing
    stage = 2;
    ASSERT_TRUE(wait_for([&] { return stage == 3; }));
    stage = 4;
    wait_for_readers();
    EXPECT_EQ(stage, 5);
    stage = 6;
    shard.join();
}

TEST(quiescence, nothing_to_wait_for_without_readers) {
    published<int> p;
    EXPECT_EQ(p.read(), nullptr);
    EXPECT_EQ(p.publish(std::make_unique<const int>(1)), nullptr);
    EXPECT_EQ(*p.publish(std::make_unique<const int>(2)), 1);
    EXPECT_EQ(*p.read(), 2);
}

/// Sleeps as a shard does. False: nobody rang for a minute.
bool sleep_until_rung(eventfd_waker& waker, const auto& idle) {
    bool rung = true;
    waker.announce();
    if (idle()) {
        pollfd wait{.fd = waker.descriptor(), .events = POLLIN, .revents = 0};
        rung = ::poll(&wait, 1, 60'000) == 1;
        waker.hush();
    }
    waker.woken();
    return rung;
}

TEST(eventfd_waker, no_wake_up_is_lost) {
    constexpr int count = 20'000;
    spsc_ring<int> to_shard(1);
    eventfd_waker waker;
    std::atomic<int> answered{-1};
    std::atomic<bool> failed{false};
    std::thread shard([&] {
        std::minstd_rand random(2);
        for (int next = 0; next < count && !failed;) {
            int got = 0;
            if (to_shard.pop(got)) {
                failed = got != next;
                answered.store(next++, std::memory_order_release);
                continue;
            }
            // The moment between looking and announcing, in which a wake-up rings nothing, is made longer at times.
            if (random() % 4 == 0) {
                give_way();
            }
            if (!sleep_until_rung(waker, [&] { return to_shard.empty(); })) {
                failed = true;
            }
        }
    });
    std::minstd_rand random(1);
    for (int i = 0; i < count && !failed; ++i) {
        EXPECT_TRUE(to_shard.push(i));
        waker.wake();
        // Each waits for the answer, so that one lost wake-up stops everything. Sometimes late, so that the shard
        // sleeps, sometimes at once, so that it is about to.
        if (random() % 2 == 0) {
            give_way();
        }
        failed = failed || !wait_for([&] { return answered.load(std::memory_order_acquire) == i || failed; });
    }
    shard.join();
    EXPECT_FALSE(failed);
}

TEST(eventfd_waker, an_awake_shard_is_not_rung) {
    eventfd_waker waker;
    waker.wake();
    pollfd wait{.fd = waker.descriptor(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&wait, 1, 0), 0);
    waker.announce();
    waker.wake();
    waker.wake();
    EXPECT_EQ(::poll(&wait, 1, 0), 1);
    waker.hush();
    waker.woken();
    EXPECT_EQ(::poll(&wait, 1, 0), 0);
}

TEST(connection_limits, are_exact_over_shards) {
    const connection_limits::limits l{.connections = 50, .connections_per_source = 7};
    connection_limits limits({&l, 1});
    std::atomic<int> total{0};
    std::array<std::atomic<int>, 10> by_source{};
    std::atomic<int> over{0};
    std::vector<std::thread> shards;
    const auto peer_of = [](std::size_t source) {
        endpoint e;
        e.address[0] = 0x20;
        e.address[7] = static_cast<std::uint8_t>(source);
        return e;
    };
    for (unsigned id = 0; id < 4; ++id) {
        shards.emplace_back([&, id] {
            std::mt19937 random(id);
            std::vector<std::size_t> mine;
            const auto leave = [&] {
                const std::size_t source = mine.back();
                mine.pop_back();
                --total;  // before it is given back: the count may run behind, never ahead
                --by_source[source];
                limits.leave(0, peer_of(source));
            };
            for (int i = 0; i < 20'000; ++i) {
                const std::size_t source = random() % by_source.size();
                if (!mine.empty() && random() % 2 == 0) {
                    leave();
                } else if (limits.enter(0, peer_of(source)) == admission::admitted) {
                    over += ++total > 50;
                    over += ++by_source[source] > 7;
                    mine.push_back(source);
                }
            }
            while (!mine.empty()) {
                leave();
            }
        });
    }
    for (std::thread& t : shards) {
        t.join();
    }
    EXPECT_EQ(over, 0);
    EXPECT_EQ(limits.connections(0), 0u);
    EXPECT_EQ(limits.sources().sources(), 0u);
}

}  // namespace
}  // namespace postern::shard
