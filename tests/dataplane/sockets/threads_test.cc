// Shards on their own threads, as a program runs them: sleeping, waking, draining, many at once. Also run under
// ThreadSanitizer. Time is real here; nothing waits for it but to say that something never came.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "board/process/spsc_ring.h"
#include "dataplane/shard/quiescence.h"
#include "tests/dataplane/sockets/socket_rig.h"

namespace postern::sockets {
namespace {

using namespace std::chrono_literals;
using shard::connection;
using probe_type = shard::probe<operations>;
using process::spsc_ring;

bool wait_for(const auto& holds) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    for (int looks = 1; !holds(); ++looks) {
        if (looks % 10 == 0) {
            std::this_thread::sleep_for(50us);  // not yield: that gives away a time slice on a busy machine
            if (std::chrono::steady_clock::now() > end) {
                return false;
            }
        }
    }
    return true;
}

/// A session layer that echoes, counts, and takes numbers from a ring.
class echo {
public:
    explicit echo(operations& t) : _transport(t) {}

    spsc_ring<int> commands{64};
    std::atomic<int> commands_seen{0};
    std::atomic<std::size_t> sessions{0};
    std::atomic<std::size_t> opened_count{0};
    std::atomic<bool> drained{false};
    bool stubborn = false;  ///< does not end its sessions when drained
    shard::published<std::uint64_t>* table = nullptr;
    std::atomic<bool> wrong{false};

    void opened(connection c, const shard::connection_info&, shard::admission word) {
        ++sessions;
        ++opened_count;
        _open.push_back(c);
        if (word != shard::admission::admitted) {
            say(c, "421\r\n");
            end(c);
        }
    }
    std::size_t readable(connection c, std::span<const char> octets) {
        if (table != nullptr) {
            const std::uint64_t seen = *table->read();
            wrong = wrong || seen < _last;
            _last = seen;
        }
        const std::string_view text(octets.data(), octets.size());
        if (text == "deadline") {
            _transport.set_deadline(c, _transport.now() + 30ms);
        }
        return say(c, text) ? octets.size() : 0;
    }
    void writable(connection c) { _transport.want_read(c, true); }
    void peer_closed(connection c) { end(c); }
    void reset(connection c) { forget(c); }
    void deadline(connection c) { end(c); }
    void turn_begin() {
        int n = 0;
        while (commands.pop(n)) {
            commands_seen.store(n, std::memory_order_release);
        }
    }
    void turn_end() {}
    bool idle() const { return commands.empty(); }
    void drain() {
        drained = true;
        while (!stubborn && !_open.empty()) {
            const connection c = _open.back();
            say(c, "421\r\n");
            end(c);
        }
    }
    std::size_t open_sessions() const { return sessions.load(); }

private:
    bool say(connection c, std::string_view text) { return shard::say_now(_transport, c, text); }
    void end(connection c) {
        _transport.finish(c);
        forget(c);
    }
    void forget(connection c) {
        std::erase(_open, c);
        --sessions;
    }

    operations& _transport;
    std::vector<connection> _open;
    std::uint64_t _last = 0;
};

/// Shards of one listener, each on its thread.
class shards {
public:
    explicit shards(std::size_t count,
                    shard::connection_limits::limits l = {.connections = 1000, .connections_per_source = 1000})
        : limits({&l, 1}) {
        auto sockets = listen_on(loopback(), count);
        at = sockets[0][0].at;
        for (shard_listeners& mine : sockets) {
            all.push_back(std::make_unique<one>(std::move(mine), limits));
        }
    }
    ~shards() {
        drain(0s);
        join();
    }
    void start() {
        for (auto& s : all) {
            s->thread = std::thread([&loop = s->loop] { loop.run(); });
        }
    }
    void drain(shard::instant most) {
        limits.drain();
        for (auto& s : all) {
            s->loop.drain(most);
        }
    }
    void join() {
        for (auto& s : all) {
            if (s->thread.joinable()) {
                s->thread.join();
            }
        }
    }

    struct one {
        one(shard_listeners sockets, shard::connection_limits& l)
            : transport(std::move(sockets), l), layer(transport), loop(transport, layer) {}
        operations transport;
        echo layer;
        shard_loop<echo> loop;
        std::thread thread;
    };
    shard::connection_limits limits;
    shard::endpoint at;
    std::vector<std::unique_ptr<one>> all;
};

/// Sends and waits for the same back.
bool echoed(socket_peer& peer, std::string_view text) {
    peer.wire.clear();
    peer.send(text);
    return wait_for([&] {
               peer.pump();
               return peer.wire.size() >= text.size() || peer.reset || peer.fin;
           }) &&
           peer.wire == text;
}

TEST(shards, serve_side_by_side) {
    shards running(3);
    running.start();
    std::vector<std::unique_ptr<socket_peer>> peers;
    for (int i = 0; i < 60; ++i) {
        peers.push_back(std::make_unique<socket_peer>(running.at));
    }
    for (int round = 0; round < 5; ++round) {
        for (auto& p : peers) {
            ASSERT_TRUE(echoed(*p, "hello " + std::to_string(round)));
        }
    }
    std::size_t served = 0;
    for (const auto& s : running.all) {
        EXPECT_GT(s->layer.opened_count, 0u) << "the kernel spreads 60 connections over 3 shards";
        served += s->layer.opened_count;
    }
    EXPECT_EQ(served, 60u);
}

TEST(shards, limits_hold_over_all_of_them) {
    shards running(3, {.connections = 1000, .connections_per_source = 10});
    running.start();
    std::vector<std::unique_ptr<socket_peer>> peers;
    std::size_t admitted = 0;
    for (int i = 0; i < 30; ++i) {
        peers.push_back(std::make_unique<socket_peer>(running.at));
        admitted += echoed(*peers.back(), "x");
    }
    EXPECT_EQ(admitted, 10u);
}

TEST(shards, no_wake_up_is_lost) {
    shards running(1);
    running.start();
    auto& one = *running.all[0];
    std::minstd_rand random(3);
    for (int i = 1; i <= 3'000; ++i) {
        const std::uint64_t asleep = one.transport.counts().sleeps.value();
        ASSERT_TRUE(one.layer.commands.push(i));
        one.transport.waker().wake();
        // At times the next one comes while the shard is about to sleep, at times when it does.
        ASSERT_TRUE(wait_for([&] { return one.layer.commands_seen == i; })) << "command " << i;
        if (random() % 4 == 0) {
            ASSERT_TRUE(wait_for([&] { return one.transport.counts().sleeps.value() > asleep; }));
        }
    }
    EXPECT_GT(one.transport.counts().sleeps.value(), 0u);
}

TEST(shards, a_deadline_wakes_a_sleeper) {
    shards running(1);
    running.start();
    socket_peer peer(running.at);
    ASSERT_TRUE(echoed(peer, "deadline"));
    EXPECT_TRUE(wait_for([&] {
        peer.pump();
        return peer.fin;
    }));
    EXPECT_EQ(running.all[0]->transport.counts().deadlines.value(), 1u);
}

TEST(shards, a_sleeping_shard_does_not_hold_up_a_writer) {
    shards running(2);
    shard::published<std::uint64_t> table(std::make_unique<const std::uint64_t>(0));
    for (auto& s : running.all) {
        s->layer.table = &table;
    }
    running.start();
    ASSERT_TRUE(wait_for([&] { return running.all[0]->transport.counts().sleeps.value() > 0; }));
    for (std::uint64_t i = 1; i <= 50; ++i) {
        table.publish(std::make_unique<const std::uint64_t>(i));
    }
    // And under traffic.
    std::atomic<bool> stop{false};
    std::thread traffic([&] {
        socket_peer peer(running.at);
        while (!stop && echoed(peer, "x")) {
        }
        EXPECT_TRUE(stop);
    });
    for (std::uint64_t i = 51; i <= 500; ++i) {
        table.publish(std::make_unique<const std::uint64_t>(i));
    }
    stop = true;
    traffic.join();
    running.drain(0s);
    running.join();
    for (const auto& s : running.all) {
        EXPECT_FALSE(s->layer.wrong);
    }
}

TEST(shards, drain_ends_when_the_sessions_are_over) {
    shards running(2);
    running.start();
    socket_peer peer(running.at);
    ASSERT_TRUE(echoed(peer, "x"));
    running.drain(1h);
    ASSERT_TRUE(wait_for([&] {
        peer.pump();
        return peer.fin;
    }));
    EXPECT_EQ(peer.wire, "x421\r\n");
    peer.close();
    running.join();
    for (const auto& s : running.all) {
        EXPECT_TRUE(s->layer.drained);
        EXPECT_EQ(s->transport.open_sockets(), 0u);
    }
}

TEST(shards, drain_ends_at_its_time_and_the_time_may_be_shortened) {
    shards running(1);
    running.all[0]->layer.stubborn = true;
    running.start();
    socket_peer peer(running.at);
    ASSERT_TRUE(echoed(peer, "x"));
    running.drain(shard::never);
    ASSERT_TRUE(wait_for([&] { return running.all[0]->layer.drained.load(); }));
    EXPECT_TRUE(echoed(peer, "y")) << "it goes on serving what it has";
    {
        socket_peer late(running.at);
        ASSERT_TRUE(wait_for([&] {
            late.pump();
            return late.fin;
        }));
        EXPECT_EQ(late.wire, "421\r\n");
    }
    running.drain(10ms);
    running.join();
    EXPECT_EQ(running.all[0]->layer.sessions, 1u);
}

TEST(shards, a_held_shard_refuses_until_it_is_let_go) {
    shards running(1);
    running.all[0]->loop.hold(true);
    running.start();
    running.drain(1h);
    ASSERT_TRUE(wait_for([&] { return running.all[0]->layer.drained.load(); }));
    socket_peer late(running.at);
    ASSERT_TRUE(wait_for([&] {
        late.pump();
        return late.fin;
    }));
    EXPECT_EQ(late.wire, "421\r\n");
    late.close();
    running.all[0]->loop.hold(false);
    running.join();
}

TEST(shards, drain_races_with_sleep) {
    for (int i = 0; i < 100; ++i) {
        shards running(1);
        running.start();
        for (int spin = 0; spin < i % 5; ++spin) {
            std::this_thread::sleep_for(20us);
        }
        running.drain(1h);
        running.join();
    }
}

/// What came from another thread before the sleep was announced rang nothing; the layer's `idle` is what tells.
TEST(shards, what_came_before_the_sleep_was_announced_is_not_slept_over) {
    const shard::connection_limits::limits l;
    shard::connection_limits limits({&l, 1});
    operations transport(std::move(listen_on(loopback())[0]), limits);
    probe_type layer(transport);
    shard_loop loop(transport, layer);
    std::atomic<bool> noticed{false};
    layer.on_turn_end = [&] {
        if (layer.turns == 1) {
            layer.busy = true;  // as a push by another thread at this very moment
            transport.waker().wake();
        }
    };
    layer.on_turn_begin = [&] { noticed = noticed || std::exchange(layer.busy, false); };
    std::thread thread([&] { loop.run(); });
    EXPECT_TRUE(wait_for([&] { return noticed.load(); }));
    loop.drain(0s);
    thread.join();
}

}  // namespace
}  // namespace postern::sockets
