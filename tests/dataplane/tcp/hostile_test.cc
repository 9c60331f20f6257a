// Floods and hogs: real clients still get in, the caps hold, and afterwards everything is free again.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/dataplane/tcp/crowd.h"
#include "tests/size.h"

namespace postern::tcp::testing {
namespace {

using postern::tests::sized;

shard::endpoint random_source(std::mt19937& random) {
    return ipv4(10, static_cast<std::uint8_t>(random()), static_cast<std::uint8_t>(random()),
                static_cast<std::uint8_t>(random()), static_cast<std::uint16_t>(1024 + random() % 60'000));
}

TEST(hostile, syn_flood_with_a_full_table_of_half_open) {
    settings s;
    s.half_open = 256;
    s.connections = 1024;
    bench b(s);
    std::mt19937 random(1);
    const auto syns = sized(20'000U, 1'000'000U);
    for (std::uint32_t i = 0; i < syns; ++i) {
        client c(b, random_source(random));
        c.seq = static_cast<std::uint32_t>(random());
        b.input(c.make_syn());
        b.port.out.clear();
        EXPECT_LE(b.tcp.half_open(), 256u);
        if (i % 2000 == 1999) {
            serve_one(b, static_cast<std::uint16_t>(50'000 + i / 2000));
        }
    }
    EXPECT_EQ(b.tcp.counts().cookies_good.value(), syns / 2000) << "each who came got in";
    EXPECT_LE(b.tcp.connections(), 256u);
    b.advance(2min);
    b.take_all();
    expect_nothing_left(b);
    serve_one(b, 60'000);
    EXPECT_EQ(b.tcp.counts().cookies_good.value(), syns / 2000) << "the pressure is over";
}

TEST(hostile, ack_and_rst_storms) {
    bench b;
    client victim(b);
    victim.open();
    b.take_all();
    std::mt19937 random(2);
    const int segments = sized(20'000, 1'000'000);
    for (int i = 0; i < segments; ++i) {
        // Half at nothing, half at the victim's connection, as somebody who sees nothing would.
        client c(b, i % 2 == 0 ? random_source(random) : victim.self);
        c.seq = static_cast<std::uint32_t>(random());
        c.ack = static_cast<std::uint32_t>(random());
        if (c.seq == victim.seq) {
            continue;
        }
        const std::uint8_t flags[] = {flag::ack, flag::rst, flag::rst | flag::ack, flag::syn | flag::ack, flag::syn};
        b.input(c.make(flags[random() % 4 + (i % 2 == 1 ? 1 : 0)]));
        b.port.out.clear();
    }
    EXPECT_TRUE(b.layer.live.contains(b.layer.last.slot)) << "the connection stands";
    EXPECT_EQ(b.tcp.counts().challenge_acks.value(), 10u) << "of one connection, in no time";
    victim.send("NOOP\r\n");
    EXPECT_EQ(b.layer.consumed, "NOOP\r\n");
    EXPECT_EQ(b.tcp.connections(), 1u);
    end_all(b);
    expect_nothing_left(b);
    serve_one(b, 50'000);
}

TEST(hostile, resets_for_one_source_are_few) {
    bench b;
    std::mt19937 random(3);
    for (int i = 0; i < 5000; ++i) {
        client c(b, ipv4(10, 1, 2, 3, static_cast<std::uint16_t>(1024 + i)));
        c.ack = static_cast<std::uint32_t>(random());
        b.input(c.make(flag::ack));
    }
    EXPECT_EQ(b.tcp.counts().resets_sent.value(), 10u);
    EXPECT_EQ(b.tcp.counts().resets_withheld.value(), 4990u);
}

TEST(hostile, slow_readers_that_never_acknowledge) {
    const auto count = sized<std::size_t>(400, 40'000);
    settings s;
    s.connections = static_cast<std::uint32_t>(count) + 1000;
    s.buffers = count * 1280;  // for half of them
    s.retransmissions = 100;   // not what ends them here
    bench b(s);
    const std::string reply(2000, 'x');
    std::vector<std::unique_ptr<client>> hogs;
    for (std::size_t i = 0; i < count; ++i) {
        hogs.push_back(std::make_unique<client>(b, ipv4(10, 0, 0, 1, static_cast<std::uint16_t>(10'000 + i))));
        hogs.back()->open();
        const shard::connection id = b.layer.last;
        b.layer.on_turn_begin = [&] { b.layer.say(id, reply); };
        b.turn();
        b.layer.on_turn_begin = [] {};
        b.take_all();
        ASSERT_LE(b.tcp.buffered(), s.buffers);
    }
    EXPECT_GT(b.tcp.counts().no_reply_buffer.value(), 0u) << "the pool is used up";
    b.advance(30s);
    b.take_all();
    EXPECT_GT(b.tcp.counts().evicted_unacknowledged.value(), 0u);
    EXPECT_LT(b.tcp.buffered(), s.buffers * 7 / 8);
    serve_one(b, 50'000);
    EXPECT_TRUE(b.tcp.consistent());
    // In the end the sessions' own times end the rest.
    end_all(b);
    expect_nothing_left(b);
}

TEST(hostile, out_of_order_floods) {
    settings s;
    s.out_of_order = 64 * 1024;
    bench b(s);
    std::mt19937 random(4);
    std::vector<std::unique_ptr<client>> clients;
    for (int i = 0; i < 100; ++i) {
        clients.push_back(std::make_unique<client>(b, ipv4(10, 0, 0, 1, static_cast<std::uint16_t>(10'000 + i))));
        clients.back()->open();
    }
    const int segments = sized(10'000, 1'000'000);
    for (int i = 0; i < segments; ++i) {
        client& c = *clients[random() % clients.size()];
        segment ahead = c.make(flag::ack, "x");
        ahead.seq += 1 + static_cast<std::uint32_t>(random() % 60'000);
        b.input(ahead);
        b.port.out.clear();
        ASSERT_LE(b.tcp.held_out_of_order(), s.out_of_order + 4096);
    }
    EXPECT_TRUE(b.tcp.consistent());
    EXPECT_GT(b.tcp.counts().evicted_out_of_order.value(), 0u);
    // One whose segments merely changed places is served.
    client honest(b, ipv4(192, 0, 2, 9, 50'000));
    honest.open();
    segment second = honest.make(flag::ack, "OP\r\n");
    second.seq += 2;
    b.input(second);
    honest.send("NO");
    EXPECT_EQ(b.layer.consumed, "NOOP\r\n");
    for (const auto& c : clients) {
        segment reset = c->make(flag::rst);
        b.input(reset);
    }
    b.settle();
    EXPECT_EQ(b.tcp.held_out_of_order(), 0u);
    EXPECT_EQ(b.tcp.buffered(), 0u);
    EXPECT_EQ(b.tcp.connections(), 1u);
    end_all(b);
    expect_nothing_left(b);
    serve_one(b, 50'001);
}

TEST(hostile, every_header_field_at_random_on_open_connections) {
    bench b;
    std::mt19937 random(5);
    std::vector<std::unique_ptr<client>> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(std::make_unique<client>(b, ipv4(10, 0, 0, 1, static_cast<std::uint16_t>(10'000 + i))));
        clients.back()->open();
    }
    const std::string octets(3000, 'x');
    const int segments = sized(20'000, 1'000'000);
    for (int i = 0; i < segments; ++i) {
        segment s = clients[random() % clients.size()]->make(static_cast<std::uint8_t>(random() & 0x3f));
        s.seq += static_cast<std::uint32_t>(random() % 200'000) - 100'000;
        s.ack += static_cast<std::uint32_t>(random() % 2000) - 1000;
        s.window = static_cast<std::uint16_t>(random());
        s.payload = std::span(octets).first(random() % octets.size());
        s.options.has_timestamps = random() % 2 == 0;
        s.options.timestamp = static_cast<std::uint32_t>(random());
        b.input(s);
        b.port.out.clear();
        if (i % 100 == 0) {
            ASSERT_TRUE(b.tcp.consistent()) << i;
        }
    }
    end_all(b);
    expect_nothing_left(b);
    serve_one(b, 50'000);
}

TEST(hostile, no_frames_at_all_for_a_while) {
    bench b;
    std::vector<std::unique_ptr<client>> clients;
    b.port.frames = 0;
    for (int i = 0; i < 50; ++i) {
        clients.push_back(std::make_unique<client>(b, ipv4(10, 0, 0, 1, static_cast<std::uint16_t>(10'000 + i))));
        b.input(clients.back()->make_syn());
    }
    EXPECT_TRUE(b.port.out.empty());
    EXPECT_GE(b.tcp.counts().no_frame.value(), 50u);
    b.port.frames = SIZE_MAX;
    b.advance(1100ms);
    EXPECT_EQ(b.take_all().size(), 50u) << "each SYN-ACK goes out with its timer";
    serve_one(b, 50'000);
    b.advance(2min);
    b.take_all();
    expect_nothing_left(b);
}

TEST(hostile, a_million_syns_in_bursts_cost_no_more_than_the_cap) {
    settings s;
    s.half_open = 64;
    s.connections = 128;
    bench b(s);
    std::mt19937 random(6);
    std::vector<segment> burst(most_in_burst);
    const int bursts = sized(300, 32'000);
    for (int i = 0; i < bursts; ++i) {
        for (segment& one : burst) {
            client c(b, random_source(random));
            c.seq = static_cast<std::uint32_t>(random());
            one = c.make_syn();
        }
        b.turn(burst);
        b.port.out.clear();
    }
    EXPECT_LE(b.tcp.connections(), 64u);
    EXPECT_EQ(b.tcp.buffered(), 0u);
    serve_one(b, 50'000);
}

}  // namespace
}  // namespace postern::tcp::testing
