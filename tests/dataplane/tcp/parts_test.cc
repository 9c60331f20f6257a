// The parts that the endpoint is made of: cookies, tables, reassembly.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "dataplane/tcp/connection_table.h"
#include "dataplane/tcp/cookie.h"
#include "dataplane/tcp/reassembly.h"
#include "dataplane/tcp/resend_queue.h"
#include "dataplane/tcp/reset_limiter.h"
#include "dataplane/tcp/time_wait.h"
#include "tests/dataplane/tcp/bench.h"

namespace postern::tcp {
namespace {

using namespace std::chrono_literals;
using testing::ipv4;
using testing::ipv6;

const shard::endpoint here = ipv4(198, 51, 100, 1, 25);
const shard::endpoint there = ipv4(192, 0, 2, 1, 40000);

TEST(sequence, comparison_wraps) {
    EXPECT_TRUE(seq_lt(0xfffffff0U, 5));
    EXPECT_TRUE(seq_gt(5, 0xfffffff0U));
    EXPECT_FALSE(seq_lt(7, 7));
    EXPECT_TRUE(seq_le(7, 7));
    EXPECT_EQ(seq_max(0xffffffffU, 0), 0u);
    EXPECT_EQ(seq_min(0xffffffffU, 0), 0xffffffffU);
}

TEST(siphash, answers_as_the_reference_does) {
    // SipHash-2-4 of the octets 00 01 … 0f under the key 00 01 … 0f, from the paper's reference implementation:
    // vector 16.
    const shard::siphash_key key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
    EXPECT_EQ(shard::siphash24(key, 0x0706050403020100U, 0x0f0e0d0c0b0a0908U), 0x3f2acc7f57c29bdbU);
    EXPECT_EQ(shard::siphash24(key), 0x726fdb47dd0e0e31U) << "of nothing: vector 0";
}

TEST(siphash, of_many_is_that_of_each) {
    std::mt19937_64 random(4);
    for (std::size_t size = 0; size <= 70; ++size) {
        std::vector<segment> burst(size);
        for (segment& s : burst) {
            const auto part = [&] { return static_cast<std::uint8_t>(random()); };
            const auto port = static_cast<std::uint16_t>(random());
            if (size % 2 == 0 || random() % 4 != 0) {
                s.peer = ipv4(part(), part(), part(), part(), port);
                s.local = here;
            } else {
                s.peer = ipv6(part(), port);
                s.local = ipv6(part(), 25);
            }
        }
        std::vector<std::uint64_t> hashes(size + 1, 77);
        hashes_of(testing::fixed_secrets.table, burst, hashes.data());
        for (std::size_t i = 0; i < size; ++i) {
            EXPECT_EQ(hashes[i], hash_of(testing::fixed_secrets.table, burst[i].peer, burst[i].local))
                << size << ' ' << i;
        }
        EXPECT_EQ(hashes[size], 77U);
    }
}

TEST(resend_queue, gives_slots_when_they_are_due_and_not_before) {
    constexpr shard::instant start = 12345ms;
    resend_queue queue(8);
    EXPECT_EQ(queue.next(start), shard::never);
    queue.push(7, start + 1s);
    queue.push(3, start + 1s);
    queue.push(5, start + 2s);
    EXPECT_EQ(queue.size(), 3U);
    EXPECT_GE(queue.next(start), start + 1s);
    EXPECT_LE(queue.next(start), start + 1s + shard::timer_wheel::tick);
    EXPECT_EQ(queue.pop(start + 1s - 1ns), resend_queue::none);
    EXPECT_EQ(queue.pop(start + 1s + shard::timer_wheel::tick), 7U);
    EXPECT_EQ(queue.pop(start + 1s + shard::timer_wheel::tick), 3U);
    EXPECT_EQ(queue.pop(start + 1s + shard::timer_wheel::tick), resend_queue::none);
    EXPECT_EQ(queue.pop(start + 1h), 5U);
    EXPECT_EQ(queue.pop(start + 1h), resend_queue::none);
    EXPECT_EQ(queue.size(), 0U);
}

TEST(resend_queue, holds_every_slot_and_goes_round) {
    constexpr std::uint32_t most = 100;
    resend_queue queue(most);
    // Ticks wrap in the middle, after 416 days.
    shard::instant now = shard::timer_wheel::tick * (std::int64_t{1} << 32U) - 500s;
    std::uint32_t next = 0;
    for (std::uint32_t i = 0; i < most; ++i) {
        queue.push(i, now + 1s);
    }
    for (int i = 0; i < 1000; ++i) {
        now += 1s;
        ASSERT_LE(queue.next(now - 1s), now + shard::timer_wheel::tick);
        ASSERT_EQ(queue.due_behind(8, now + shard::timer_wheel::tick), (next + 8) % most);
        ASSERT_EQ(queue.due_behind(most, now + 1h), resend_queue::none);
        ASSERT_EQ(queue.due_behind(most - 1, now - 1s), resend_queue::none) << "not due";
        ASSERT_EQ(queue.pop(now + shard::timer_wheel::tick), next) << i;
        queue.push(next, now + 1s);
        next = (next + 1) % most;
    }
    EXPECT_EQ(queue.size(), most);
}

TEST(cookie, comes_back_with_the_mss_below_the_syns) {
    const cookies jar(testing::fixed_secrets);
    const std::map<std::uint16_t, std::uint16_t> sizes = {{100, 216},   {216, 216},   {535, 216},   {536, 536},
                                                          {1220, 1220}, {1459, 1440}, {1460, 1460}, {9000, 8940}};
    for (const auto& [said, kept] : sizes) {
        const std::uint32_t isn = jar.make(there, here, 77, said, 1000s);
        EXPECT_EQ(jar.read(there, here, 77, isn, 1000s), kept) << said;
    }
}

TEST(cookie, belongs_to_its_ends_its_syn_and_its_time) {
    const cookies jar(testing::fixed_secrets);
    const std::uint32_t isn = jar.make(there, here, 77, 1460, 1000s);
    EXPECT_TRUE(jar.read(there, here, 77, isn, 1000s + 64s));
    EXPECT_FALSE(jar.read(there, here, 77, isn, 1000s + 129s)) << "too old";
    EXPECT_FALSE(jar.read(there, here, 78, isn, 1000s)) << "another SYN";
    EXPECT_FALSE(jar.read(there, here, 77, isn + 1, 1000s));
    EXPECT_FALSE(jar.read(ipv4(192, 0, 2, 2, 40000), here, 77, isn, 1000s)) << "another source";
    EXPECT_FALSE(jar.read(ipv4(192, 0, 2, 1, 40001), here, 77, isn, 1000s)) << "another port";
    EXPECT_FALSE(jar.read(there, ipv4(198, 51, 100, 1, 26), 77, isn, 1000s));
    EXPECT_FALSE(cookies({{1, 2}, {3, 4}, {5, 7}}).read(there, here, 77, isn, 1000s)) << "another key";
}

TEST(cookie, is_not_guessed) {
    const cookies jar(testing::fixed_secrets);
    std::mt19937 random(1);
    int hits = 0;
    for (int i = 0; i < 200'000; ++i) {
        hits += jar.read(there, here, 77, static_cast<std::uint32_t>(random()), 1000s) ? 1 : 0;
    }
    EXPECT_LE(hits, 1) << "2 of 32 times, 2^-24 each";
}

TEST(cookie, options_ride_in_a_timestamp_that_does_not_run_ahead) {
    for (std::uint32_t clock : {0U, 1U, 31U, 32U, 1'000'000U, 0xffffffffU}) {
        for (std::uint8_t scale = 0; scale <= 15; ++scale) {
            for (const bool sack : {false, true}) {
                const cookie_content said{
                    .window_scale = scale, .has_window_scale = scale < 15, .sack_permitted = sack};
                const std::uint32_t made = cookies::timestamp_with(clock, said);
                EXPECT_TRUE(seq_le(made, clock));
                EXPECT_LT(clock - made, 64u);
                const cookie_content back = cookies::from_timestamp(made);
                EXPECT_EQ(back.has_window_scale, said.has_window_scale);
                EXPECT_EQ(back.window_scale, said.has_window_scale ? scale : 0);
                EXPECT_EQ(back.sack_permitted, sack);
            }
        }
    }
}

TEST(identity, is_of_both_ends_and_the_key) {
    const shard::siphash_key key{3, 4};
    std::set<std::uint32_t> isns;
    for (std::uint16_t port = 1; port <= 1000; ++port) {
        isns.insert(identity_of(key, ipv4(192, 0, 2, 1, port), here).isn_base);
        isns.insert(identity_of(key, ipv6(1, port), here).isn_base);
    }
    EXPECT_EQ(isns.size(), 2000u);
    EXPECT_NE(identity_of(key, there, here).isn_base, identity_of({3, 5}, there, here).isn_base);
    EXPECT_EQ(isn_clock(1s) - isn_clock(0s), 250'000u) << "RFC 6528 3: 4 µs";
    EXPECT_EQ(timestamp_clock(1s), 1000u);
}

TEST(connection_table, finds_what_was_put_in_under_churn) {
    constexpr std::uint32_t most = 1000;
    connection_table table(most);
    std::map<std::uint32_t, std::uint64_t> in;  // slot -> hash; few bits, so that runs collide
    std::mt19937_64 random(7);
    for (int i = 0; i < 20'000; ++i) {
        const auto slot = static_cast<std::uint32_t>(random() % most);
        if (const auto found = in.find(slot); found != in.end()) {
            table.erase(found->second, slot);
            in.erase(found);
        } else {
            const std::uint64_t hash = random() % 200;
            table.insert(hash, slot);
            in[slot] = hash;
        }
        ASSERT_EQ(table.size(), in.size());
        if (i % 2000 == 0) {
            for (std::uint32_t s = 0; s < most; ++s) {
                const auto known = in.find(s);
                const std::uint64_t hash = known != in.end() ? known->second : 5;
                const std::uint32_t at = table.find(hash, [&](std::uint32_t slot_there) { return slot_there == s; });
                ASSERT_EQ(at, known != in.end() ? s : connection_table::none);
            }
        }
    }
    EXPECT_LE(table.octets() / most, 24u);
}

TEST(connection_table, holds_as_many_as_it_was_made_for) {
    connection_table table(1000);
    for (std::uint32_t slot = 0; slot < 1000; ++slot) {
        table.insert(slot * 0x9e3779b97f4a7c15U, slot);
    }
    for (std::uint32_t slot = 0; slot < 1000; ++slot) {
        EXPECT_EQ(table.find(slot * 0x9e3779b97f4a7c15U, [&](std::uint32_t s) { return s == slot; }), slot);
    }
    table.erase(5, 5000);  // not in it
    EXPECT_EQ(table.size(), 1000u);
}

time_wait_table::entry waiting(std::uint64_t hash) {
    time_wait_table::entry e;
    e.hash = hash;
    e.snd_nxt = static_cast<std::uint32_t>(hash) * 3;
    return e;
}

TEST(time_wait, forgets_in_order_and_when_it_is_full) {
    time_wait_table table(100, 60s);
    for (std::uint64_t h = 1; h <= 100; ++h) {
        EXPECT_FALSE(table.add(waiting(h), 1000s + std::chrono::milliseconds(100 * h)));
    }
    EXPECT_EQ(table.size(), 100u);
    EXPECT_TRUE(table.add(waiting(101), 1011s));
    EXPECT_EQ(table.find(1), nullptr) << "the oldest";
    ASSERT_NE(table.find(2), nullptr);
    EXPECT_EQ(table.find(2)->snd_nxt, 6u);
    table.expire(1059s);
    EXPECT_EQ(table.size(), 100u);
    table.expire(1065s + 50ms);
    EXPECT_EQ(table.find(40), nullptr);
    EXPECT_NE(table.find(60), nullptr);
    table.expire(1080s);
    EXPECT_EQ(table.size(), 0u);
}

TEST(time_wait, an_entry_added_again_stays_as_long_again) {
    time_wait_table table(4, 60s);
    table.add(waiting(1), 1000s);
    table.add(waiting(2), 1000s);
    table.add(waiting(1), 1050s);
    EXPECT_EQ(table.size(), 2u);
    table.expire(1062s);
    EXPECT_NE(table.find(1), nullptr);
    EXPECT_EQ(table.find(2), nullptr);
}

TEST(time_wait, random_use_agrees_with_a_map) {
    time_wait_table table(64, 60s);
    std::map<std::uint64_t, shard::instant> known;
    std::mt19937 random(3);
    shard::instant now = 100s;
    for (int i = 0; i < 50'000; ++i) {
        now += std::chrono::milliseconds(random() % 4000);
        table.expire(now);
        std::erase_if(known, [&](const auto& k) { return now > k.second + 60s + 40ms; });
        const std::uint64_t hash = 1 + random() % 40;  // fewer than fit: none is recycled
        if (random() % 4 == 0) {
            table.erase(hash);
            known.erase(hash);
        } else if (random() % 2 == 0) {
            table.add(waiting(hash), now);
            known[hash] = now;
        }
        for (const auto& [h, at] : known) {
            if (now < at + 59s) {
                ASSERT_NE(table.find(h), nullptr) << i;
            }
        }
        ASSERT_LE(table.size(), known.size());
    }
}

TEST(reset_limiter, one_source_does_not_use_up_anothers) {
    reset_limiter limiter({1, 2}, 3);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(limiter.allow(there, 1000s));
    }
    EXPECT_FALSE(limiter.allow(there, 1000s));
    EXPECT_TRUE(limiter.allow(ipv4(192, 0, 2, 77, 1), 1000s));
    EXPECT_TRUE(limiter.allow(there, 1001s));
}

/// Everything in order, however it comes.
TEST(reassembly, random_pieces_give_the_whole_stream) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        shard::block_pool pool(1024 * 1024);
        std::mt19937 random(seed);
        const std::uint32_t start = 0xffff8000U + seed;
        std::string stream(60'000, '\0');
        for (char& c : stream) {
            c = static_cast<char>(random());
        }
        reassembly* const r = reassembly::make(pool, start);
        ASSERT_NE(r, nullptr);
        std::uint32_t next = start;
        std::string got;
        while (got.size() < stream.size()) {
            // A piece ahead, or the one that is missing.
            const std::size_t at = got.size() + (random() % 3 == 0 ? 0 : 1 + random() % 20'000);
            if (at >= stream.size()) {
                continue;
            }
            const std::string piece = stream.substr(at, 1 + random() % 3000);
            if (at == got.size()) {
                got += piece;
                next += static_cast<std::uint32_t>(piece.size());
                for (auto more = r->at(next); !more.empty(); more = r->at(next)) {
                    got.append(more.data(), more.size());
                    next += static_cast<std::uint32_t>(more.size());
                }
                r->forget_before(pool, next);
            } else {
                r->store(pool, next, start + static_cast<std::uint32_t>(at), piece);
            }
            ASSERT_LE(r->ranges().size(), reassembly::most_ranges);
            for (const seq_range range : r->ranges()) {
                ASSERT_TRUE(seq_gt(range.begin, next)) << "it would have been taken";
            }
            ASSERT_EQ(r->held(), pool.lent());
        }
        EXPECT_TRUE(got == stream);
        EXPECT_TRUE(r->empty());
        r->release(pool);
        EXPECT_EQ(pool.lent(), 0u);
    }
}

TEST(reassembly, small_pieces_pin_no_more_than_their_pages) {
    shard::block_pool pool(1024 * 1024);
    reassembly* const r = reassembly::make(pool, 0);
    for (std::uint32_t at = 1; at < 1990; at += 2) {
        r->store(pool, 0, at, std::string_view("x"));
    }
    EXPECT_EQ(r->ranges().size(), reassembly::most_ranges);
    EXPECT_EQ(pool.lent(), 2u * 2040) << "itself and one page";
    r->release(pool);
}

TEST(reassembly, without_blocks_nothing_is_stored_and_nothing_lost) {
    shard::block_pool pool(3 * 2048);
    reassembly* const r = reassembly::make(pool, 0);
    EXPECT_TRUE(r->store(pool, 0, 10, std::string_view("abc")));
    EXPECT_TRUE(r->store(pool, 0, 2100, std::string_view("def")));
    EXPECT_FALSE(r->store(pool, 0, 5000, std::string_view("ghi")));
    const auto there_now = r->at(10);
    EXPECT_EQ(std::string(there_now.data(), there_now.size()), "abc");
    EXPECT_EQ(r->ranges().size(), 2u);
    r->release(pool);
    EXPECT_EQ(pool.lent(), 0u);
}

TEST(reassembly, goes_on_for_longer_than_its_pages) {
    shard::block_pool pool(1024 * 1024);
    std::uint32_t next = 0xfffffff0U;
    reassembly* const r = reassembly::make(pool, next);
    for (int i = 0; i < 5000; ++i) {
        const std::string piece(1500, static_cast<char>('a' + i % 26));
        ASSERT_TRUE(r->store(pool, next, next + 1000, piece)) << i;
        next += 1000;
        const auto got = r->at(next);
        ASSERT_FALSE(got.empty());
        ASSERT_EQ(got[0], piece[0]);
        next += 1500;
        r->forget_before(pool, next);
        ASSERT_TRUE(r->empty());
        ASSERT_EQ(pool.lent(), 2040u);
    }
    r->release(pool);
}

TEST(memory, an_idle_connection_leaves_room_for_its_session) {
    EXPECT_LE(sizeof(hot_state) + sizeof(cold_state), 256u);
    const connection_table table(1'000'000);
    // With the session's 128 octets, its own index, and a source entry of 64 at its load: EDGE's 512.
    EXPECT_LE(sizeof(hot_state) + sizeof(cold_state) + table.octets() / 1'000'000 + 4, 296u);
}

TEST(memory, a_greeted_connection_holds_no_block) {
    testing::bench b;
    testing::client c(b);
    c.open();
    b.layer.on_readable = [&](shard::connection id, std::string_view octets) {
        b.layer.say(id, "250 ok\r\n");
        return octets.size();
    };
    c.send("EHLO x\r\n");
    EXPECT_LE(b.tcp.buffered(), 256u) << "a reply that waits for its ACK lies in a slab";
    c.heed(b.take());
    c.acknowledge();
    EXPECT_EQ(b.tcp.buffered(), 0u);
    EXPECT_EQ(b.tcp.connections(), 1u);
}

TEST(memory, a_block_whose_reply_a_command_acknowledges_goes_back_if_no_reply_follows) {
    testing::bench b;
    testing::client c(b);
    c.open();
    std::string reply = "250 ok\r\n";
    b.layer.on_readable = [&](shard::connection id, std::string_view octets) {
        if (!reply.empty()) {
            b.layer.say(id, reply);
        }
        return octets.size();
    };
    c.send("EHLO x\r\n");
    c.heed(b.take());
    reply = std::string(1000, 'x');  // more than that block has room for
    c.send("HELP\r\n");
    c.heed(b.take());
    EXPECT_TRUE(b.tcp.consistent());
    EXPECT_LE(b.tcp.buffered(), 2048u) << "the longer reply's block alone";
    reply = "250 ok\r\n";
    c.send("NOOP\r\n");
    c.heed(b.take());
    reply.clear();
    c.send("DATA\r\n");
    EXPECT_TRUE(b.tcp.consistent());
    EXPECT_EQ(b.tcp.buffered(), 0u);
}

}  // namespace
}  // namespace postern::tcp
