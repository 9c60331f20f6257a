// A million clients at a time: half-open, or held and still answered. All of them go, and everything is free again.
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "tests/dataplane/tcp/crowd.h"
#include "tests/size.h"

namespace postern::tcp::testing {
namespace {

using postern::tests::sized;

/// What each client sends, and what it is to be sent for it, which its next segment acknowledges.
struct move {
    std::uint8_t flags = 0;
    std::string_view octets;
    std::string_view expected;
};

/// So many clients of 16 source addresses, 62,500 ports each; a burst of them comes at a time.
class crowd {
public:
    crowd(bench& b, std::uint32_t count) : _at(b), _acks(count), _seqs(count, 1000) {}

    /// Each makes all the moves, one after the other.
    void all(const std::vector<move>& moves) {
        const auto count = static_cast<std::uint32_t>(_acks.size());
        for (std::uint32_t from = 0; from < count; from += most_in_burst) {
            const std::uint32_t end = std::min(count, from + static_cast<std::uint32_t>(most_in_burst));
            for (const move& m : moves) {
                std::vector<segment> burst;
                for (std::uint32_t i = from; i < end; ++i) {
                    burst.push_back(made(i, m.flags, m.octets));
                }
                play(burst, m);
                if (::testing::Test::HasFatalFailure()) {
                    return;
                }
            }
            _at.time += 10us;
        }
    }

private:
    segment made(std::uint32_t i, std::uint8_t flags, std::string_view octets) {
        client c(_at, ipv4(10, 0, static_cast<std::uint8_t>(i / ports >> 8U), static_cast<std::uint8_t>(i / ports),
                           static_cast<std::uint16_t>(1024 + i % ports)));
        c.seq = _seqs[i];
        c.ack = _acks[i];
        segment s = flags == flag::syn ? c.make_syn() : c.make(flags, octets);
        _seqs[i] += s.length();
        return s;
    }
    static constexpr std::uint32_t ports = 62'500;

    std::uint32_t number_of(const shard::endpoint& e) const {
        return (std::uint32_t{e.address[14]} << 8U | e.address[15]) * ports + e.port - 1024U;
    }
    void play(const std::vector<segment>& burst, const move& m) {
        _at.turn(burst);
        _at.settle();
        std::size_t answers = 0;
        for (; !_at.port.out.empty(); _at.port.out.pop_front()) {
            const sent_segment& s = _at.port.out.front();
            const std::uint32_t i = number_of(s.head.peer);
            ASSERT_LT(i, _acks.size());
            answers += s.has(flag::syn) || !s.payload.empty() ? 1 : 0;
            ASSERT_EQ(s.payload, m.expected);
            _acks[i] = s.end();
        }
        ASSERT_EQ(answers, m.flags == flag::syn || !m.expected.empty() ? burst.size() : 0);
    }

    bench& _at;
    std::vector<std::uint32_t> _acks;
    std::vector<std::uint32_t> _seqs;
};

TEST(crowd, a_million_half_open_at_a_time_then_cookies_and_all_of_them_expire) {
    const auto count = sized(20'000U, 1'000'000U);
    settings s;
    s.connections = count + 100;
    s.half_open = count;
    bench b(s);
    crowd half_open(b, count);
    half_open.all({{flag::syn, {}, {}}});
    EXPECT_EQ(b.tcp.half_open(), count);
    EXPECT_EQ(b.tcp.counts().cookies_sent.value(), 0u);
    EXPECT_EQ(b.tcp.buffered(), 0u) << "they hold a slot each, and no block";
    EXPECT_EQ(b.tcp.timers(), count);
    EXPECT_TRUE(b.tcp.consistent());
    // The table is full: whoever comes now gets in by a cookie.
    serve_one(b, 50'000);
    EXPECT_EQ(b.tcp.counts().cookies_good.value(), 1u);
    EXPECT_EQ(b.tcp.half_open(), count);
    b.port.keeps = false;
    b.advance(2min);
    b.port.keeps = true;
    EXPECT_EQ(b.tcp.counts().half_open_expired.value(), count);
    expect_nothing_left(b);
    serve_one(b, 50'001);
    EXPECT_EQ(b.tcp.counts().cookies_good.value(), 1u) << "the pressure is over";
}

TEST(crowd, a_million_connections_are_held_and_each_is_still_answered) {
    const auto count = sized(20'000U, 1'000'000U);
    settings s;
    s.connections = count;
    s.time_wait = 100;
    bench b(s, {count + 1, count + 1});
    b.layer.on_opened = [&](shard::connection c) { b.layer.say(c, "220 hi\r\n"); };
    b.layer.on_readable = [&](shard::connection c, std::string_view octets) {
        b.layer.say(c, "250 ok\r\n");
        return octets.size();
    };
    crowd clients(b, count);
    clients.all({{flag::syn, {}, {}},
                 {flag::ack, {}, "220 hi\r\n"},
                 {flag::ack | flag::psh, "EHLO x\r\n", "250 ok\r\n"},
                 {flag::ack, {}, {}}});
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_EQ(b.tcp.connections(), count);
    EXPECT_EQ(b.layer.open_sessions(), count);
    EXPECT_EQ(b.tcp.buffered(), 0u) << "an idle connection holds no block";
    EXPECT_EQ(b.tcp.timers(), 0u) << "and no timer but a session's own";
    EXPECT_TRUE(b.tcp.consistent());
    // One more finds no slot; those who are here are served as before.
    client late(b, ipv4(192, 0, 2, 9, 50'000));
    b.input(late.make_syn());
    EXPECT_TRUE(b.port.out.empty());
    EXPECT_EQ(b.tcp.counts().no_slot.value(), 1u);
    clients.all({{flag::ack | flag::psh, "NOOP\r\n", "250 ok\r\n"}, {flag::ack, {}, {}}});
    ASSERT_FALSE(HasFatalFailure());
    clients.all({{flag::rst, {}, {}}});
    b.layer.on_opened = [](shard::connection) {};
    b.layer.on_readable = [](shard::connection, std::string_view octets) { return octets.size(); };
    expect_nothing_left(b);
    serve_one(b, 50'001);
}

}  // namespace
}  // namespace postern::tcp::testing
