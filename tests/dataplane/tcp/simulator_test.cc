// Transfers over a network that loses, doubles, reorders and breaks segments: every octet arrives, in order, both ways,
// and afterwards nothing is left. The throughput table is a snapshot: POSTERN_SNAPSHOT=write renews it.
#include "tests/dataplane/tcp/simulator.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include "tests/size.h"

namespace postern::tcp::testing {
namespace {

std::string noise(std::size_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::string s(n, '\0');
    for (char& c : s) {
        c = static_cast<char>(random());
    }
    return s;
}

/// The endpoint's settings for long losses: nobody is to give up.
settings patient() {
    settings s;
    s.retransmissions = 60;
    s.syn_ack_retransmissions = 60;
    s.unsent_time = std::chrono::hours(2);
    s.linger_time = std::chrono::hours(1);
    return s;
}

struct outcome {
    bool whole = false;
    shard::instant time{0};
};

outcome upload(const network& n, std::size_t size, const settings& s = patient()) {
    simulator net(n, s);
    const std::string all = noise(size, 1);
    perf::opener& client = net.connect();
    client.send(all, net.now());
    const shard::instant start = net.now();
    net.run([&] { return net.layer().consumed.size() >= all.size(); });
    return {net.layer().consumed == all && net.layer().complaints.empty(), net.now() - start};
}

outcome download(const network& n, std::size_t size, const settings& s = patient()) {
    simulator net(n, s);
    const std::string all = noise(size, 2);
    std::size_t said = 0;
    const auto more = [&](shard::connection c) {
        while (said < all.size()) {
            const std::string_view part = std::string_view(all).substr(said, 4000);
            if (!net.layer().say(c, part)) {
                return;
            }
            said += part.size();
        }
    };
    net.layer().on_opened = more;
    net.layer().on_writable = more;
    perf::opener& client = net.connect();
    std::string got;
    const shard::instant start = net.now();
    net.run([&] {
        got += client.take();
        return got.size() >= all.size();
    });
    return {got == all && net.layer().complaints.empty(), net.now() - start};
}

std::string row(const char* what, unsigned lost, std::size_t size, shard::instant time) {
    const double seconds = std::chrono::duration<double>(time).count();
    char text[120];
    std::snprintf(text, sizeof text, "%-9s %5.1f %% lost  %8.3f s  %8.1f KB/s\n", what, lost / 10.0, seconds,
                  static_cast<double>(size) / 1000 / seconds);
    return text;
}

TEST(simulator, every_octet_arrives_at_any_loss_and_as_fast_as_before) {
    std::string table = "# 300 KB, round trip 20 ms, mean of 5 seeds, virtual time; made by simulator_test.cc\n";
    constexpr std::size_t size = 300'000;
    constexpr unsigned seeds = 5;
    for (const unsigned lost : {0U, 10U, 100U, 300U}) {
        for (const bool up : {true, false}) {
            shard::instant total{0};
            for (unsigned seed = 1; seed <= seeds; ++seed) {
                const network n{.lost = lost, .seed = seed};
                const outcome one = up ? upload(n, size) : download(n, size);
                EXPECT_TRUE(one.whole) << lost << " of 1000, seed " << seed;
                total += one.time;
            }
            table += row(up ? "upload" : "download", lost, size, total / seeds);
        }
    }
    const std::string path = std::string(POSTERN_SOURCE_DIR) + "/tests/dataplane/tcp/throughput.txt";
    if (const char* const mode = std::getenv("POSTERN_SNAPSHOT"); mode != nullptr && std::string(mode) == "write") {
        std::ofstream(path) << table;
    }
    std::ostringstream kept;
    kept << std::ifstream(path).rdbuf();
    EXPECT_EQ(table, kept.str()) << "if this is meant, renew it with POSTERN_SNAPSHOT=write";
}

TEST(simulator, everything_at_once_and_nothing_is_left) {
    std::size_t rejected = 0;
    const auto seeds = postern::tests::sized(12U, 200U);
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        const network n{.lost = 20 * (seed % 4), .duplicated = 50, .reordered = 100, .corrupted = 20, .seed = seed};
        settings s = patient();
        s.linger_time = std::chrono::seconds(60);
        simulator net(n, s);
        const std::string all = noise(40'000, seed);
        // The session sends back what it gets, and ends with the client.
        std::string owed;
        const auto pay = [&](shard::connection c) {
            while (!owed.empty()) {
                const std::string part = owed.substr(0, 3000);
                if (!net.layer().say(c, part)) {
                    return;
                }
                owed.erase(0, part.size());
            }
        };
        net.layer().on_readable = [&](shard::connection c, std::string_view octets) {
            owed.append(octets);
            pay(c);
            return octets.size();
        };
        net.layer().on_writable = pay;
        net.layer().on_peer_closed = [&](shard::connection c) {
            pay(c);
            EXPECT_TRUE(owed.empty());
            net.layer().finish(c);
        };
        perf::opener::options o;
        o.isn = 0xffffff00U - seed;
        o.offers_timestamps = seed % 2 == 0;
        o.offers_sack = seed % 3 != 0;
        perf::opener& client = net.connect(o);
        client.send(all, net.now());
        client.close(net.now());
        std::string got;
        EXPECT_TRUE(net.run([&] {
            got += client.take();
            return client.closed();
        })) << "seed "
            << seed << ": " << got.size();
        EXPECT_TRUE(got == all) << "seed " << seed;
        rejected += net.rejected;
        net.settle();
        EXPECT_EQ(net.tcp().connections(), 0u) << seed;
        EXPECT_EQ(net.tcp().in_time_wait(), 0u) << seed;
        EXPECT_EQ(net.tcp().buffered(), 0u) << seed;
        EXPECT_EQ(net.tcp().timers(), 0u) << seed;
        EXPECT_TRUE(net.layer().complaints.empty());
    }
    EXPECT_GT(rejected, 0u) << "the checksum had nothing to do";
}

TEST(simulator, a_slow_link_is_filled) {
    const network n{.delay = 50ms, .rate = 100'000};
    const outcome up = upload(n, 200'000);
    ASSERT_TRUE(up.whole);
    EXPECT_LT(up.time, 3s) << "2 s and what the headers take";
    const outcome down = download(n, 200'000);
    ASSERT_TRUE(down.whole);
    EXPECT_LT(down.time, 3s);
}

TEST(simulator, a_long_link_is_bounded_by_the_window) {
    const network n{.delay = 100ms};
    settings s = patient();
    s.receive_window = 192 * 1024;
    const outcome large = upload(n, 600'000, s);
    const outcome usual = upload(n, 600'000);
    ASSERT_TRUE(large.whole);
    ASSERT_TRUE(usual.whole);
    EXPECT_LT(large.time, usual.time) << "RFC 7323: a window beyond 64 KiB is of use";
}

/// A greeting, a command, a reply, QUIT: over a network that drops what the rule says.
void conversation(tamper_rule rule, shard::instant most) {
    simulator net(network{});
    net.path().rules.push_back(std::move(rule));
    net.layer().on_opened = [&](shard::connection c) { net.layer().say(c, "220 hi\r\n"); };
    net.layer().on_readable = [&](shard::connection c, std::string_view octets) -> std::size_t {
        if (!octets.ends_with("\r\n")) {
            return 0;
        }
        if (octets == "QUIT\r\n") {
            net.layer().say(c, "221 bye\r\n");
            net.layer().finish(c);
        } else {
            net.layer().say(c, "250 ok\r\n");
        }
        return octets.size();
    };
    net.layer().on_peer_closed = [&](shard::connection c) { net.layer().finish(c); };
    perf::opener& client = net.connect();
    std::string got;
    const shard::instant start = net.now();
    const auto until = [&](std::string_view text) {
        return net.run(
            [&] {
                got += client.take();
                return got.ends_with(text);
            },
            std::chrono::minutes(3));
    };
    ASSERT_TRUE(until("220 hi\r\n"));
    client.send("EHLO x\r\n", net.now());
    ASSERT_TRUE(until("250 ok\r\n"));
    client.send("QUIT\r\n", net.now());
    ASSERT_TRUE(until("221 bye\r\n"));
    client.close(net.now());
    EXPECT_TRUE(net.run([&] { return client.closed(); }, std::chrono::minutes(3)));
    EXPECT_LT(net.now() - start, most);
    EXPECT_EQ(got, "220 hi\r\n250 ok\r\n221 bye\r\n");
    EXPECT_EQ(net.path().dropped > 0, most > 1s) << "the rule matched nothing";
    net.settle();
    EXPECT_EQ(net.tcp().connections(), 0u);
    EXPECT_EQ(net.tcp().buffered(), 0u);
    EXPECT_EQ(net.tcp().timers(), 0u);
}

bool from_server(const outgoing& s) {
    return s.local == server_v4;
}
bool has(const outgoing& s, std::uint8_t flags) {
    return (s.flags & flags) == flags;
}

TEST(tamper, nothing_dropped) {
    conversation({[](const outgoing&) { return false; }}, 1s);
}
TEST(tamper, the_first_syns) {
    conversation({[](const outgoing& s) { return s.flags == flag::syn; }, 2}, 20s);
}
TEST(tamper, the_first_syn_acks) {
    conversation({[](const outgoing& s) { return has(s, flag::syn | flag::ack); }, 3}, 40s);
}
TEST(tamper, the_last_acks_of_the_handshake) {
    conversation({[](const outgoing& s) { return !from_server(s) && s.flags == flag::ack; }, 2}, 40s);
}
TEST(tamper, the_first_replies) {
    conversation({[](const outgoing& s) { return from_server(s) && s.payload_size != 0; }, 3}, 40s);
}
TEST(tamper, the_first_commands) {
    conversation({[](const outgoing& s) { return !from_server(s) && s.payload_size != 0; }, 2}, 20s);
}
TEST(tamper, the_first_fins_of_both) {
    conversation({[](const outgoing& s) { return has(s, flag::fin); }, 3}, 40s);
}
TEST(tamper, the_first_acks_of_everything) {
    conversation({[](const outgoing& s) { return s.payload_size == 0 && s.flags == flag::ack; }, 4}, 60s);
}

}  // namespace
}  // namespace postern::tcp::testing
