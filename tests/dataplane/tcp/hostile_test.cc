// Floods and hogs: real clients still get in, the caps hold, and afterwards everything is free again.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/dataplane/tcp/bench.h"

namespace postern::tcp::testing {
namespace {

shard::endpoint random_source(std::mt19937& random) {
    return ipv4(10, static_cast<std::uint8_t>(random()), static_cast<std::uint8_t>(random()),
                static_cast<std::uint8_t>(random()), static_cast<std::uint16_t>(1024 + random() % 60'000));
}

void expect_nothing_left(bench& b) {
    EXPECT_EQ(b.tcp.connections(), 0u);
    EXPECT_EQ(b.tcp.half_open(), 0u);
    EXPECT_EQ(b.tcp.in_time_wait(), 0u);
    EXPECT_EQ(b.tcp.buffered(), 0u);
    EXPECT_EQ(b.tcp.timers(), 0u);
    EXPECT_EQ(b.layer.open_sessions(), 0u);
    EXPECT_TRUE(b.tcp.consistent());
    EXPECT_TRUE(b.layer.complaints.empty());
}

/// A client that comes, is served and goes.
void serve_one(bench& b, std::uint16_t port) {
    const std::size_t opened = b.layer.events.size();
    client c(b, ipv4(192, 0, 2, 9, port));
    c.syn_options.has_timestamps = true;
    c.open();
    ASSERT_GT(b.layer.events.size(), opened) << "it did not get in";
    const shard::connection id = b.layer.last;
    c.send("QUIT\r\n");
    b.take_all();
    b.layer.on_turn_begin = [&] {
        EXPECT_TRUE(b.layer.say(id, "221 bye\r\n"));
        b.layer.finish(id);
    };
    b.turn();
    b.layer.on_turn_begin = [] {};
    const sent_segment bye = b.take();
    EXPECT_EQ(bye.payload, "221 bye\r\n");
    c.heed(bye);
    c.fin();
    b.take_all();
}

TEST(hostile, syn_flood_with_a_full_table_of_half_open) {
    settings s;
    s.half_open = 256;
    s.connections = 1024;
    bench b(s);
    std::mt19937 random(1);
    for (std::uint32_t i = 0; i < 20'000; ++i) {
        client c(b, random_source(random));
        c.seq = static_cast<std::uint32_t>(random());
        b.input(c.make_syn());
        b.port.out.clear();
        EXPECT_LE(b.tcp.half_open(), 256u);
        if (i % 2000 == 1999) {
            serve_one(b, static_cast<std::uint16_t>(50'000 + i / 2000));
        }
    }
    EXPECT_EQ(b.tcp.counts().cookies_good.value(), 10u);
    EXPECT_LE(b.tcp.connections(), 256u);
    b.advance(2min);
    b.take_all();
    expect_nothing_left(b);
    serve_one(b, 60'000);
    EXPECT_EQ(b.tcp.counts().cookies_good.value(), 10u) << "the pressure is over";
}

TEST(hostile, ack_and_rst_storms) {
    bench b;
    client victim(b);
    victim.open();
    b.take_all();
    std::mt19937 random(2);
    for (int i = 0; i < 20'000; ++i) {
        // Half at nothing, half at the victim's connection, as somebody who sees nothing would.
        client c(b, i % 2 == 0 ? random_source(random) : victim.self);
        c.seq = static_cast<std::uint32_t>(random());
        c.ack = static_cast<std::uint32_t>(random());
        if (c.seq == victim.seq) {
            continue;
        }
        const std::uint8_t flags[] = {flag::ack, flag::rst, flag::rst | flag::ack, flag::syn | flag::ack, flag::syn};
        b.input(c.make(flags[random() % 4 + (i % 2 == 1 ? 1 : 0)]));
    }
    EXPECT_TRUE(b.layer.live.contains(b.layer.last.slot)) << "the connection stands";
    EXPECT_EQ(b.tcp.counts().challenge_acks.value(), 10u) << "of one connection, in no time";
    b.take_all();
    victim.send("NOOP\r\n");
    EXPECT_EQ(b.layer.consumed, "NOOP\r\n");
    EXPECT_EQ(b.tcp.connections(), 1u);
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
    settings s;
    s.buffers = 512 * 1024;
    s.retransmissions = 100;  // not what ends them here
    bench b(s);
    const std::string reply(2000, 'x');
    std::vector<std::unique_ptr<client>> hogs;
    for (int i = 0; i < 400; ++i) {
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
    b.layer.on_turn_begin = [&] {
        const auto all = b.layer.live;
        for (const auto& [slot, id] : all) {
            b.layer.abort(id);
        }
    };
    b.turn();
    b.layer.on_turn_begin = [] {};
    b.take_all();
    b.advance(2min);
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
    for (int i = 0; i < 10'000; ++i) {
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
    for (int i = 0; i < 20'000; ++i) {
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
    EXPECT_TRUE(b.layer.complaints.empty());
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

TEST(hostile, a_million_half_open_are_nothing) {
    settings s;
    s.half_open = 64;
    s.connections = 128;
    bench b(s);
    std::mt19937 random(6);
    // In bursts, as a port brings them.
    std::vector<segment> burst(32);
    const char* const full = std::getenv("POSTERN_FULL");
    const int bursts = full != nullptr ? 32'000 : 300;
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
