// Block pool, endpoints as text, counters: the small parts of a shard.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "dataplane/shard/block_pool.h"
#include "dataplane/shard/counters.h"
#include "dataplane/shard/endpoint_text.h"

namespace postern::shard {
namespace {

TEST(block_pool, lends_the_size_that_fits_and_counts_whole_blocks) {
    block_pool pool(1024 * 1024);
    auto* const small = pool.borrow(1);
    auto* const large = pool.borrow(block_pool::small_room + 1);
    ASSERT_NE(small, nullptr);
    ASSERT_NE(large, nullptr);
    EXPECT_EQ(small->tail().size(), block_pool::small_room);
    EXPECT_EQ(large->tail().size(), block_pool::large_room);
    EXPECT_GE(pool.lent(), block_pool::small_room + block_pool::large_room);
    EXPECT_EQ(pool.borrow(block_pool::large_room + 1), nullptr);
    // Every octet is ours.
    std::fill(large->tail().begin(), large->tail().end(), 'x');
    pool.give_back(small);
    pool.give_back(large);
    EXPECT_EQ(pool.lent(), 0u);
}

TEST(block_pool, stops_at_its_cap_and_goes_on_when_blocks_come_back) {
    block_pool pool(64 * 1024);
    std::vector<block_pool::block*> lent;
    while (pool.can_lend(block_pool::large_room)) {
        lent.push_back(pool.borrow(block_pool::large_room));
        ASSERT_NE(lent.back(), nullptr);
    }
    EXPECT_EQ(lent.size(), 3u);
    EXPECT_LE(pool.lent(), pool.limit());
    EXPECT_EQ(pool.borrow(block_pool::large_room), nullptr);
    EXPECT_TRUE(pool.can_lend(1)) << "a small one still fits";
    pool.give_back(lent.back());
    EXPECT_EQ(pool.borrow(block_pool::large_room), lent.back()) << "the last one given back, still in the cache";
    for (auto* const b : lent) {
        pool.give_back(b);
    }
}

TEST(block_pool, a_block_comes_back_empty) {
    block_pool pool(1024 * 1024);
    auto* b = pool.borrow(10);
    b->begin = 5;
    b->end = 10;
    EXPECT_EQ(b->content().size(), 5u);
    pool.give_back(b);
    b = pool.borrow(10);
    EXPECT_EQ(b->size(), 0u);
    EXPECT_EQ(b->next, nullptr);
    pool.give_back(b);
}

TEST(endpoint_text, reads_and_writes_both_families) {
    for (const std::string text : {"192.0.2.1:25", "0.0.0.0:0", "[2001:db8::1]:65535", "[::]:25", "[::1]:2025"}) {
        const auto e = parse_endpoint(text);
        ASSERT_TRUE(e) << e.error();
        EXPECT_EQ(endpoint_text(*e), text);
        EXPECT_EQ(is_ipv4(*e), text[0] != '[');
    }
    EXPECT_EQ(address_text(*parse_endpoint("[2001:DB8:0:0::1]:1")), "2001:db8::1");
}

TEST(endpoint_text, refuses_what_is_not_an_address_and_port) {
    for (const std::string text : {"",
                                   ":",
                                   "25",
                                   "192.0.2.1",
                                   "192.0.2.1:",
                                   "192.0.2.1:65536",
                                   "192.0.2.1:-1",
                                   "192.0.2.1:+5",
                                   "192.0.2.1: 5",
                                   "192.0.2:25",
                                   "192.0.2.1.5:25",
                                   "192.0.2.1:25x",
                                   "::1:25",
                                   "[::1]",
                                   "[::1]25",
                                   "[::1:25",
                                   "[]:25",
                                   "[::ffff:192.0.2.1]:25",
                                   "[fe80::1%lo]:25",
                                   "localhost:25",
                                   "[192.0.2.1]:25"}) {
        const auto e = parse_endpoint(text);
        ASSERT_FALSE(e) << text;
        EXPECT_NE(e.error().find("\"" + text + "\""), std::string::npos);
    }
}

TEST(counter, adds_up) {
    counter c;
    c.add();
    c.add(41);
    EXPECT_EQ(c.value(), 42u);
}

}  // namespace
}  // namespace postern::shard
