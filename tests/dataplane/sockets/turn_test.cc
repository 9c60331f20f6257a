// What a turn of a shard over kernel sockets does at once: several connections accepted, one send, an end without
// waiting.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/dataplane/sockets/socket_rig.h"

namespace postern::sockets {
namespace {

using shard::connection;
using rig_type = socket_rig<>;
using kind = std::remove_reference_t<decltype(std::declval<rig_type&>().layer())>::kind;

/// Answers any octets with 221 and ends the connection as one whose peer said QUIT.
void end_at_quit(rig_type& rig) {
    rig.layer().on_readable = [&](connection c, std::string_view octets) {
        rig.layer().say(c, "221 bye\r\n");
        rig.layer().live.erase(c.slot);
        rig.transport().finish_silent(c);
        return octets.size();
    };
}

TEST(socket_turn, a_silent_peer_is_not_waited_for) {
    rig_type rig;
    const std::size_t peer = open(rig);
    end_at_quit(rig);
    rig.send(peer, "QUIT\r\n");
    ASSERT_TRUE(rig.until([&] { return rig.transport().open_sockets() == 0; }));
    EXPECT_EQ(rig.limits_in_force().connections(0), 0u);
    ASSERT_TRUE(rig.until([&] { return rig.saw_fin(peer); }));
    EXPECT_EQ(rig.received(peer), "221 bye\r\n");
    EXPECT_FALSE(rig.saw_rst(peer));
    EXPECT_EQ(rig.transport().counts().finished.value(), 1u);
}

TEST(socket_turn, one_that_is_not_silent_is_waited_for) {
    rig_type rig;
    const std::size_t peer = open(rig);
    rig.layer().on_readable = [&](connection c, std::string_view octets) {
        rig.layer().say(c, "421 bye\r\n");
        rig.layer().finish(c);
        return octets.size();
    };
    rig.send(peer, "NOOP\r\n");
    ASSERT_TRUE(rig.until([&] { return rig.saw_fin(peer); }));
    rig.quiet();
    EXPECT_EQ(rig.transport().open_sockets(), 1u);
    rig.close(peer);
    EXPECT_TRUE(rig.until([&] { return rig.transport().open_sockets() == 0; }));
}

TEST(socket_turn, a_silent_peer_that_sends_on_still_gets_the_last_reply) {
    rig_type rig;
    const std::size_t peer = open(rig);
    // More than one recv takes: octets lie in the kernel when the connection ends, and closing would answer with RST.
    const std::string more(operations::window + 5000, 'x');
    end_at_quit(rig);
    rig.layer().on_turn_begin = [&] { rig.raw(peer).pump(); };
    rig.send(peer, more);
    ASSERT_TRUE(rig.until([&] { return rig.saw_fin(peer); }));
    EXPECT_EQ(rig.received(peer), "221 bye\r\n");
    EXPECT_FALSE(rig.saw_rst(peer));
}

TEST(socket_turn, what_waits_for_the_turns_batched_work_is_answered_by_the_same_send) {
    rig_type rig;
    const std::size_t peer = open(rig);
    bool looked_up = false;
    connection asking;
    rig.layer().on_readable = [&](connection c, std::string_view octets) -> std::size_t {
        if (octets.starts_with("RCPT\r\n")) {
            asking = c;
            return 6;  // RSET waits for the answer
        }
        EXPECT_TRUE(looked_up);
        EXPECT_TRUE(rig.layer().say(c, "250 reset\r\n"));
        return octets.size();
    };
    rig.layer().on_turn_end = [&] {
        if (asking != connection{} && !looked_up) {
            looked_up = true;
            EXPECT_TRUE(rig.layer().say(asking, "550 no\r\n"));
            rig.transport().want_read(asking, true);
        }
    };
    const std::size_t sends = rig.transport().counts().sends.value();
    rig.send(peer, "RCPT\r\nRSET\r\n");
    ASSERT_TRUE(rig.until([&] { return rig.received(peer) == "550 no\r\n250 reset\r\n"; }));
    EXPECT_EQ(rig.transport().counts().sends.value() - sends, 1u);
    EXPECT_TRUE(rig.layer().complaints.empty());
}

TEST(socket_turn, connections_that_come_together_are_taken_in_growing_shares) {
    rig_type rig;
    constexpr std::size_t many = 60;
    for (std::size_t i = 0; i < many; ++i) {
        rig.connect();
    }
    const std::uint64_t turns = rig.transport().counts().turns.value();
    ASSERT_TRUE(rig.until([&] { return rig.layer().count(kind::opened) == many; }));
    EXPECT_LE(rig.transport().counts().turns.value() - turns, 10u) << "1, 2, 4, 8 and so on, not one by one";
    EXPECT_EQ(rig.transport().counts().accept_errors.value(), 0u);
}

}  // namespace
}  // namespace postern::sockets
