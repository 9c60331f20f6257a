// Who gets which connection: shares, order of hosts, idle connections.
#include "smtp/relay/pool.h"

#include <gtest/gtest.h>

#include "tests/smtp/relay/sender.h"

namespace postern::relay::test {
namespace {

using namespace std::chrono_literals;
using verdict = pool::verdict;

struct pool_rig {
    pool::grant take(std::uint8_t source, bool unlisted = false) {
        claim.source = source_of(address_v4(192, 0, 2, source));
        claim.unlisted = unlisted;
        claim.tried = &tried;
        return all.take(route, claim, now);
    }
    void give_back(std::uint8_t source, bool unlisted = false) {
        claim.source = source_of(address_v4(192, 0, 2, source));
        claim.unlisted = unlisted;
        all.give_share_back(claim);
    }
    limits bounds;
    pool all{bounds};
    recipients::route route = *make_route(1, {{.host = "mx", .port = 25, .priority = 10}});
    pool::claim claim;
    std::vector<host_key> tried;
    shard::instant now = 100s;
    const host_key mx{"mx", 25};
};

TEST(relay_pool, opens_up_to_the_hosts_limit) {
    pool_rig rig;
    for (std::uint8_t i = 0; i < 10; ++i) {
        EXPECT_EQ(rig.take(i).verdict, verdict::open);
    }
    EXPECT_EQ(rig.take(10).verdict, verdict::wait);
    EXPECT_EQ(rig.all.connections(rig.mx), 10U);
    rig.all.closed(rig.mx, 1);
    EXPECT_EQ(rig.take(10).verdict, verdict::open);
}

TEST(relay_pool, one_source_holds_at_most_a_quarter) {
    pool_rig rig;
    rig.route.max_connections = 20;
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(rig.take(1).verdict, verdict::open);
    }
    EXPECT_EQ(rig.take(1).verdict, verdict::wait);
    EXPECT_EQ(rig.take(2).verdict, verdict::open);
    rig.give_back(1);
    EXPECT_EQ(rig.take(1).verdict, verdict::open);
}

TEST(relay_pool, a_small_limit_leaves_each_source_one) {
    pool_rig rig;
    rig.route.max_connections = 2;
    EXPECT_EQ(rig.take(1).verdict, verdict::open);
    EXPECT_EQ(rig.take(1).verdict, verdict::wait);
    EXPECT_EQ(rig.take(2).verdict, verdict::open);
    EXPECT_EQ(rig.take(3).verdict, verdict::wait);
}

TEST(relay_pool, an_ipv6_source_is_a_64) {
    shard::endpoint a;
    a.address = {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
    shard::endpoint b = a;
    b.address[15] = 99;
    EXPECT_EQ(source_of(a), source_of(b));
    b.address[7] = 3;
    EXPECT_NE(source_of(a), source_of(b));
    EXPECT_NE(source_of(address_v4(192, 0, 2, 1)), source_of(address_v4(192, 0, 2, 2)));
    EXPECT_EQ(source_of(address_v4(192, 0, 2, 1, 5)), source_of(address_v4(192, 0, 2, 1, 6)));
}

TEST(relay_pool, unlisted_recipients_have_a_small_share) {
    pool_rig rig;
    EXPECT_EQ(rig.take(1, true).verdict, verdict::open);
    EXPECT_EQ(rig.take(2, true).verdict, verdict::open);
    EXPECT_EQ(rig.take(3, true).verdict, verdict::wait);
    EXPECT_EQ(rig.take(3, false).verdict, verdict::open);
    rig.give_back(1, true);
    EXPECT_EQ(rig.take(4, true).verdict, verdict::open);
}

TEST(relay_pool, an_idle_connection_is_taken_before_a_new_one_and_the_last_used_first) {
    pool_rig rig;
    rig.take(1);
    rig.take(2);
    rig.all.idle(rig.mx, 7);
    rig.all.idle(rig.mx, 8);
    const pool::grant first = rig.take(3);
    EXPECT_EQ(first.verdict, verdict::reuse);
    EXPECT_EQ(first.link, 8U);
    EXPECT_EQ(rig.take(4).link, 7U);
    EXPECT_EQ(rig.take(5).verdict, verdict::open);
}

TEST(relay_pool, a_closed_idle_connection_is_nobodys) {
    pool_rig rig;
    rig.take(1);
    rig.all.idle(rig.mx, 7);
    rig.all.closed(rig.mx, 7);
    EXPECT_EQ(rig.all.connections(rig.mx), 0U);
    EXPECT_EQ(rig.take(3).verdict, verdict::open);
}

TEST(relay_pool, hosts_in_order_of_priority_and_equals_in_turn) {
    pool_rig rig;
    rig.route.hosts = {{.host = "c", .port = 25, .priority = 20},
                       {.host = "a", .port = 25, .priority = 10},
                       {.host = "b", .port = 25, .priority = 10}};
    EXPECT_EQ(rig.take(1).host.host, "a");
    EXPECT_EQ(rig.take(2).host.host, "b");
    EXPECT_EQ(rig.take(3).host.host, "a");
    rig.tried = {{"a", 25}};
    EXPECT_EQ(rig.take(4).host.host, "b");
    rig.tried = {{"a", 25}, {"b", 25}};
    EXPECT_EQ(rig.take(5).host.host, "c");
    rig.tried = {{"a", 25}, {"b", 25}, {"c", 25}};
    EXPECT_EQ(rig.take(6).verdict, verdict::no_host);
}

TEST(relay_pool, a_busy_host_is_waited_for_not_passed_over) {
    pool_rig rig;
    rig.route.max_connections = 1;
    rig.route.hosts = {{.host = "a", .port = 25, .priority = 10}, {.host = "b", .port = 25, .priority = 20}};
    EXPECT_EQ(rig.take(1).host.host, "a");
    EXPECT_EQ(rig.take(2).verdict, verdict::wait);
}

TEST(relay_pool, a_host_that_failed_lately_is_last) {
    pool_rig rig;
    rig.route.hosts = {{.host = "a", .port = 25, .priority = 10}, {.host = "b", .port = 25, .priority = 20}};
    rig.all.host_failed({"a", 25}, rig.now + 30s);
    EXPECT_EQ(rig.take(1).host.host, "b");
    rig.all.host_failed({"b", 25}, rig.now + 30s);
    EXPECT_EQ(rig.take(2).host.host, "a") << "all failed: in order";
    rig.all.host_works({"b", 25});
    EXPECT_EQ(rig.take(3).host.host, "b");
    rig.now += 30s;
    EXPECT_EQ(rig.take(4).host.host, "a");
}

TEST(relay_pool, the_same_name_on_another_port_is_another_host) {
    pool_rig rig;
    rig.route.max_connections = 1;
    rig.route.hosts = {{.host = "a", .port = 25, .priority = 10}, {.host = "a", .port = 26, .priority = 10}};
    EXPECT_EQ(rig.take(1).host.port, 25);
    EXPECT_EQ(rig.take(2).host.port, 26);
}

}  // namespace
}  // namespace postern::relay::test
