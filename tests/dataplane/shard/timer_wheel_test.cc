#include "dataplane/shard/timer_wheel.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <set>
#include <vector>

namespace postern::shard {
namespace {

using namespace std::chrono_literals;

constexpr instant start = 12345ms;

struct numbered : timer_wheel::timer {
    int number = 0;
};

std::vector<int> expired(timer_wheel& wheel, instant now) {
    std::vector<int> numbers;
    while (timer_wheel::timer* const t = wheel.expire(now)) {
        EXPECT_EQ(t->due(), never);
        numbers.push_back(static_cast<numbered*>(t)->number);
    }
    return numbers;
}

TEST(timer_wheel, fires_at_the_first_tick_after_the_deadline_and_not_before) {
    timer_wheel wheel(start);
    numbered t;
    wheel.set(t, start + 1s);
    EXPECT_EQ(t.due(), start + 1s);
    EXPECT_TRUE(expired(wheel, start + 1s - 1ns).empty());
    EXPECT_EQ(expired(wheel, start + 1s + timer_wheel::tick).size(), 1u);
    EXPECT_TRUE(expired(wheel, start + 10s).empty());
    EXPECT_EQ(wheel.size(), 0u);
}

TEST(timer_wheel, a_deadline_on_a_tick_fires_on_it) {
    timer_wheel wheel(instant(0));
    numbered t;
    wheel.set(t, 10 * timer_wheel::tick);
    EXPECT_TRUE(expired(wheel, 10 * timer_wheel::tick - 1ns).empty());
    EXPECT_EQ(expired(wheel, 10 * timer_wheel::tick).size(), 1u);
}

TEST(timer_wheel, a_deadline_in_the_past_fires_at_the_next_tick) {
    timer_wheel wheel(start);
    numbered t;
    wheel.set(t, start - 1h);
    EXPECT_EQ(expired(wheel, start + timer_wheel::tick).size(), 1u);
}

TEST(timer_wheel, cancelled_and_never_do_not_fire) {
    timer_wheel wheel(start);
    numbered a, b;
    wheel.set(a, start + 1s);
    wheel.cancel(a);
    wheel.cancel(a);
    wheel.set(b, start + 1s);
    wheel.set(b, never);
    EXPECT_EQ(wheel.next(), never);
    EXPECT_TRUE(expired(wheel, start + 1h).empty());
}

TEST(timer_wheel, hours_and_long_jumps) {
    timer_wheel wheel(start);
    numbered t, u;
    wheel.set(t, start + 10h);
    wheel.set(u, start + 50ms);
    for (instant now = start; now < start + 10h; now += 13s) {
        for (const int n : expired(wheel, now)) {
            ADD_FAILURE_AT(__FILE__, __LINE__) << n;
            break;
        }
        if (now == start) {
            EXPECT_EQ(expired(wheel, now + 60ms).size(), 1u);
        }
    }
    EXPECT_EQ(expired(wheel, start + 10h + timer_wheel::tick).size(), 1u);
    wheel.set(t, start + 11h);
    EXPECT_EQ(expired(wheel, start + 1000h).size(), 1u);
}

TEST(timer_wheel, an_empty_wheel_keeps_up_with_time) {
    timer_wheel wheel(start);
    EXPECT_TRUE(expired(wheel, start + 100h).empty());
    numbered t;
    wheel.set(t, start + 100h + 1s);
    EXPECT_TRUE(expired(wheel, start + 100h + 900ms).empty());
    EXPECT_EQ(expired(wheel, start + 100h + 1010ms).size(), 1u);
}

TEST(timer_wheel, setting_and_cancelling_while_it_expires) {
    timer_wheel wheel(start);
    numbered a, b, c;
    wheel.set(a, start + 1s);
    wheel.set(b, start + 1s);
    ASSERT_NE(wheel.expire(start + 2s), nullptr);
    wheel.cancel(a);
    wheel.cancel(b);
    wheel.set(c, start + 1s);  // past: at the next tick that is looked at
    EXPECT_EQ(wheel.expire(start + 2s), &c);
    EXPECT_EQ(wheel.expire(start + 2s), nullptr);
}

TEST(timer_wheel, sleeping_until_next_reaches_every_deadline_in_time) {
    timer_wheel wheel(start);
    std::mt19937 random(7);
    std::vector<numbered> timers(100);
    std::vector<instant> due;
    for (numbered& t : timers) {
        const instant d = start + std::chrono::milliseconds(random() % 600'000);
        t.number = static_cast<int>(due.size());
        due.push_back(d);
        wheel.set(t, start + 1ms);  // put off: wakes early, and must not fire then
        wheel.set(t, d);
    }
    std::size_t fired = 0;
    instant now = start;
    for (int sleeps = 0; fired < timers.size(); ++sleeps) {
        ASSERT_LT(sleeps, 10'000);
        const instant next = wheel.next();
        ASSERT_NE(next, never);
        ASSERT_GE(next, now);
        now = std::max(now, next);
        for (const int n : expired(wheel, now)) {
            const instant late = now - due[static_cast<std::size_t>(n)];
            EXPECT_GE(late, 0ns);
            EXPECT_LE(late, timer_wheel::tick);
            ++fired;
        }
    }
}

/// Against a sorted model: what is due by a tick must have fired, what is not yet due must not.
TEST(timer_wheel, behaves_as_a_sorted_list) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::mt19937_64 random(seed);
        instant now = start;
        timer_wheel wheel(now);
        std::vector<numbered> timers(300);
        std::vector<instant> due(timers.size(), never);
        std::vector<instant> set_at(timers.size(), now);
        for (std::size_t i = 0; i < timers.size(); ++i) {
            timers[i].number = static_cast<int>(i);
        }
        const auto some_time = [&]() -> instant {
            switch (random() % 4) {
                case 0:
                    return instant(static_cast<std::int64_t>(random() % 20'000'000));
                case 1:
                    return instant(static_cast<std::int64_t>(random() % 2'000'000'000));
                case 2:
                    return instant(static_cast<std::int64_t>(random() % 100'000'000'000));
                default:
                    return timer_wheel::tick * static_cast<std::int64_t>(random() % 10'000);
            }
        };
        for (int step = 0; step < 3000; ++step) {
            const std::size_t i = random() % timers.size();
            switch (random() % 8) {
                case 0:
                    wheel.cancel(timers[i]);
                    due[i] = never;
                    break;
                case 1: {
                    now += random() % 20 == 0 ? some_time() : instant(static_cast<std::int64_t>(random() % 30'000'000));
                    std::set<int> fired;
                    for (const int n : expired(wheel, now)) {
                        const auto at = static_cast<std::size_t>(n);
                        ASSERT_TRUE(fired.insert(n).second);
                        ASSERT_LE(due[at], now) << "early, seed " << seed;
                        due[at] = never;
                    }
                    for (std::size_t j = 0; j < timers.size(); ++j) {
                        ASSERT_EQ(timers[j].due(), due[j]);
                        if (due[j] != never) {
                            ASSERT_GT(std::max(due[j], set_at[j]) + timer_wheel::tick, now) << "late, seed " << seed;
                        }
                    }
                    break;
                }
                default:
                    due[i] = now + some_time() - (random() % 10 == 0 ? 1s : 0s);
                    set_at[i] = now;
                    wheel.set(timers[i], due[i]);
                    break;
            }
        }
        EXPECT_EQ(wheel.size(), static_cast<std::size_t>(
                                    std::count_if(due.begin(), due.end(), [](instant d) { return d != never; })));
    }
}

}  // namespace
}  // namespace postern::shard
