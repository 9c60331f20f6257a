#include "perf/opener/opener.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace postern::perf {
namespace {

namespace flag = tcp::flag;
using std::chrono::milliseconds;

/// An opener with a scripted server; what it sends is kept.
class talk final : public tcp::segment_sink {
public:
    struct sent {
        std::uint8_t flags = 0;
        std::uint32_t seq = 0;
        std::uint32_t ack = 0;
        std::uint64_t link = 0;
        std::string payload;
    };

    explicit talk(shard::instant ack_delay) {
        opener::options o;
        o.ack_delay = ack_delay;
        o.offers_timestamps = false;
        client.emplace(o, *this);
        client->connect(now);
    }
    bool send(const tcp::outgoing& s) noexcept override {
        sent each{s.flags, s.seq, s.ack, s.link, {}};
        for (const auto part : s.payload) {
            each.payload.append(part.data(), part.size());
        }
        out.push_back(each);
        return true;
    }
    void establish() {
        tcp::segment s;
        s.seq = 5000;
        s.ack = 1001;
        s.flags = flag::syn | flag::ack;
        s.window = 60000;
        s.link = 42;
        client->input(s, now);
        out.clear();
    }
    void hear(std::string_view octets, std::uint32_t seq, std::uint8_t flags = flag::ack) {
        tcp::segment s;
        s.seq = seq;
        s.ack = acked;
        s.flags = flags;
        s.window = 60000;
        s.payload = {octets.data(), octets.size()};
        s.link = 42;
        client->input(s, now);
    }
    void pass(shard::instant span) {
        now += span;
        client->poll(now);
    }

    std::optional<opener> client;
    std::vector<sent> out;
    std::uint32_t acked = 1001;
    shard::instant now{milliseconds(1000)};
};

TEST(opener, sends_a_syn_again_and_counts_it) {
    talk with(milliseconds(0));
    EXPECT_EQ(with.client->take_resent(), 0U);
    with.pass(milliseconds(999));
    EXPECT_EQ(with.out.size(), 1U);
    with.pass(milliseconds(1));
    ASSERT_EQ(with.out.size(), 2U);
    EXPECT_EQ(with.out[1].flags, flag::syn);
    EXPECT_EQ(with.out[1].seq, with.out[0].seq);
    EXPECT_EQ(with.client->take_resent(), 1U);
    EXPECT_EQ(with.client->take_resent(), 0U);
}

TEST(opener, sends_a_command_again_and_counts_it) {
    talk with(milliseconds(40));
    with.establish();
    with.client->send("QUIT\r\n", with.now);
    with.pass(milliseconds(1000));
    ASSERT_EQ(with.out.size(), 2U);
    EXPECT_EQ(with.out[1].payload, "QUIT\r\n");
    EXPECT_EQ(with.client->take_resent(), 1U);
}

TEST(opener, acknowledges_with_its_next_command) {
    talk with(milliseconds(40));
    with.establish();
    with.hear("220 mx\r\n", 5001);
    EXPECT_TRUE(with.out.empty());
    EXPECT_EQ(with.client->next_timer(), with.now + milliseconds(40));
    with.client->send("EHLO x\r\n", with.now);
    ASSERT_EQ(with.out.size(), 1U);
    EXPECT_EQ(with.out[0].ack, 5009U);
    EXPECT_EQ(with.out[0].payload, "EHLO x\r\n");
    EXPECT_EQ(with.out[0].link, 42U) << "to where the server's segments come from";
    with.acked += 8;
    with.hear({}, 5009);
    EXPECT_EQ(with.client->next_timer(), shard::never) << "nothing waits any more";
}

TEST(opener, acknowledges_what_waits_long_enough_or_comes_second_at_once) {
    talk with(milliseconds(40));
    with.establish();
    with.hear("220-mx\r\n", 5001);
    with.pass(milliseconds(39));
    EXPECT_TRUE(with.out.empty());
    with.pass(milliseconds(1));
    ASSERT_EQ(with.out.size(), 1U);
    EXPECT_EQ(with.out[0].ack, 5009U);
    with.hear("220-a\r\n", 5009);
    EXPECT_EQ(with.out.size(), 1U);
    with.hear("220 b\r\n", 5016);
    ASSERT_EQ(with.out.size(), 2U);
    EXPECT_EQ(with.out[1].ack, 5023U);
}

TEST(opener, acknowledges_what_is_out_of_order_and_a_fin_at_once) {
    talk with(milliseconds(40));
    with.establish();
    with.hear("later", 5009);
    ASSERT_EQ(with.out.size(), 1U);
    EXPECT_EQ(with.out[0].ack, 5001U);
    with.hear("220 mx\r\n", 5001);
    ASSERT_EQ(with.out.size(), 2U);
    EXPECT_EQ(with.out[1].ack, 5014U) << "the hole is filled";
    EXPECT_EQ(with.client->take(), "220 mx\r\nlater");
    with.hear({}, 5014, flag::ack | flag::fin);
    ASSERT_EQ(with.out.size(), 3U);
    EXPECT_EQ(with.out[2].ack, 5015U);
    EXPECT_TRUE(with.client->saw_fin());
}

TEST(opener, has_no_timer_when_it_was_reset) {
    talk with(milliseconds(40));
    with.establish();
    with.hear("220 mx\r\n", 5001);
    with.hear({}, 5009, flag::rst);
    EXPECT_TRUE(with.client->saw_rst());
    EXPECT_EQ(with.client->next_timer(), shard::never);
}

}  // namespace
}  // namespace postern::perf
