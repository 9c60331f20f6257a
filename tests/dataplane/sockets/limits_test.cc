// Bounds of a shard over kernel sockets: connections, descriptors, buffers, slow and hostile peers.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>

#include "tests/dataplane/sockets/socket_rig.h"

namespace postern::sockets {
namespace {

using namespace std::chrono_literals;
using shard::admission;
using shard::connection;
using rig_type = socket_rig<>;
using kind = std::remove_reference_t<decltype(std::declval<rig_type&>().layer())>::kind;

std::uint64_t counted(rig_type& rig, std::string_view name) {
    std::uint64_t value = 0;
    bool found = false;
    rig.transport().counts().for_each([&](std::string_view n, std::uint64_t v) {
        if (n == name) {
            value = v;
            found = true;
        }
    });
    EXPECT_TRUE(found) << name;
    return value;
}

void refuse_what_is_not_admitted(rig_type& rig) {
    rig.layer().on_opened = [&](connection c) {
        if (rig.layer().last_admission == admission::admitted) {
            rig.layer().say(c, "220\r\n");
        } else {
            rig.layer().say(c, "421\r\n");
            rig.layer().finish(c);
        }
    };
}

TEST(socket_limits, over_the_total_a_connection_is_handed_over_to_be_refused) {
    rig_type rig({}, {.connections = 2, .connections_per_source = 10});
    refuse_what_is_not_admitted(rig);
    const std::size_t first = open(rig);
    open(rig);
    const std::size_t third = open(rig);
    EXPECT_EQ(rig.layer().last_admission, admission::too_many_connections);
    ASSERT_TRUE(rig.until([&] { return rig.saw_fin(third); }));
    EXPECT_EQ(rig.received(third), "421\r\n");
    EXPECT_EQ(counted(rig, "refused_total"), 1u);
    EXPECT_EQ(rig.limits_in_force().connections(0), 2u);
    // One leaves, one may come.
    rig.reset(first);
    ASSERT_TRUE(rig.until([&] { return rig.limits_in_force().connections(0) == 1; }));
    open(rig);
    EXPECT_EQ(rig.layer().last_admission, admission::admitted);
}

TEST(socket_limits, over_its_share_a_source_is_refused) {
    rig_type rig({}, {.connections = 10, .connections_per_source = 1});
    refuse_what_is_not_admitted(rig);
    open(rig);
    open(rig);
    EXPECT_EQ(rig.layer().last_admission, admission::too_many_from_source);
    EXPECT_EQ(counted(rig, "refused_source"), 1u);
}

TEST(socket_limits, while_draining_new_connections_are_refused) {
    rig_type rig;
    refuse_what_is_not_admitted(rig);
    rig.limits_in_force().drain();
    const std::size_t peer = open(rig);
    EXPECT_EQ(rig.layer().last_admission, admission::draining);
    ASSERT_TRUE(rig.until([&] { return rig.saw_fin(peer); }));
    EXPECT_EQ(rig.received(peer), "421\r\n");
    EXPECT_EQ(counted(rig, "refused_draining"), 1u);
}

TEST(socket_limits, without_a_slot_a_connection_is_reset_unseen) {
    rig_type rig({.connections = 3});
    for (int i = 0; i < 3; ++i) {
        open(rig);
    }
    const std::size_t fourth = rig.connect();
    ASSERT_TRUE(rig.until([&] { return rig.saw_rst(fourth); }));
    EXPECT_EQ(rig.layer().count(kind::opened), 3u);
    EXPECT_EQ(counted(rig, "dropped"), 1u);
    rig.layer().abort(rig.layer().last);
    open(rig);
    EXPECT_EQ(rig.layer().count(kind::opened), 4u);
}

TEST(socket_limits, ipv6_connections_are_served_and_counted_by_64) {
    rig_type rig({}, {.connections = 10, .connections_per_source = 1}, "[::1]:0");
    refuse_what_is_not_admitted(rig);
    const std::size_t peer = open(rig);
    EXPECT_EQ(shard::address_text(rig.layer().last_info.peer), "::1");
    EXPECT_EQ(rig.layer().last_info.peer, rig.raw(peer).local());
    EXPECT_EQ(rig.layer().last_info.local, rig.at());
    open(rig);
    EXPECT_EQ(rig.layer().last_admission, admission::too_many_from_source);
}

TEST(socket_limits, on_a_wildcard_address_the_local_one_is_told) {
    rig_type rig({}, {}, "0.0.0.0:0");
    // 0.0.0.0 connects to this machine.
    open(rig);
    EXPECT_EQ(shard::address_text(rig.layer().last_info.local), "127.0.0.1");
    EXPECT_EQ(rig.layer().last_info.local.port, rig.at().port);
}

/// Sets RLIMIT_NOFILE so that no further descriptor can be opened.
class no_descriptors {
public:
    no_descriptors() {
        ::getrlimit(RLIMIT_NOFILE, &_before);
        rlimit none = _before;
        // The lowest free descriptor is what the next call would get.
        const int next = ::dup(0);
        ::close(next);
        none.rlim_cur = static_cast<rlim_t>(next);
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &_before); }
    no_descriptors(const no_descriptors&) = delete;
    no_descriptors& operator=(const no_descriptors&) = delete;

private:
    rlimit _before{};
};

TEST(socket_limits, without_descriptors_accepting_pauses_and_resumes) {
    rig_type rig;
    const std::size_t served = open(rig);
    const std::size_t waiting = rig.connect();
    {
        const no_descriptors none;
        ASSERT_TRUE(rig.until([&] { return counted(rig, "accept_paused") == 1; }));
        rig.quiet();
        EXPECT_EQ(counted(rig, "accept_paused"), 1u) << "it must not spin";
        // Those that are open are served meanwhile.
        rig.send(served, "x");
        ASSERT_TRUE(rig.until([&] { return rig.layer().consumed == "x"; }));
        rig.advance(150ms);
        EXPECT_EQ(counted(rig, "accept_paused"), 2u);
        EXPECT_EQ(rig.layer().count(kind::opened), 1u);
    }
    rig.advance(150ms);
    EXPECT_TRUE(rig.until([&] { return rig.layer().count(kind::opened) == 2; }));
    EXPECT_FALSE(rig.saw_rst(waiting));
}

TEST(socket_limits, an_idle_connection_holds_no_buffer) {
    rig_type rig;
    rig.layer().on_readable = [&](connection c, std::string_view octets) {
        rig.layer().say(c, "250 ok\r\n");
        return octets.size();
    };
    const std::size_t peer = open(rig);
    rig.send(peer, "NOOP\r\n");
    ASSERT_TRUE(rig.until([&] { return rig.received(peer) == "250 ok\r\n"; }));
    EXPECT_EQ(rig.transport().buffered(), 0u);
}

TEST(socket_limits, a_reservation_that_is_not_used_is_given_back) {
    rig_type rig;
    open(rig);
    bool once = true;
    rig.layer().on_turn_end = [&] {
        if (std::exchange(once, false)) {
            EXPECT_GE(rig.transport().reserve(rig.layer().last, 100).size(), 100u);
            EXPECT_NE(rig.transport().buffered(), 0u);
        }
    };
    rig.quiet();
    EXPECT_FALSE(once);
    EXPECT_EQ(rig.transport().buffered(), 0u);
}

TEST(socket_limits, half_a_line_holds_a_small_block_and_gives_it_back) {
    rig_type rig;
    rig.layer().on_readable = [&](connection, std::string_view octets) {
        return octets.ends_with("\n") ? octets.size() : std::size_t{0};
    };
    const std::size_t peer = open(rig);
    rig.send(peer, std::string(10'000, 'x'));
    ASSERT_TRUE(rig.until([&] { return rig.transport().buffered() > 10'000; }));
    rig.send(peer, "\n");
    ASSERT_TRUE(rig.until([&] { return rig.transport().buffered() == 0; }));
    rig.send(peer, "RCPT TO:<");
    ASSERT_TRUE(rig.until([&] { return rig.transport().buffered() != 0; }));
    EXPECT_LE(rig.transport().buffered(), 2048u);
    rig.layer().abort(rig.layer().last);
    EXPECT_EQ(rig.transport().buffered(), 0u);
}

TEST(socket_limits, finishing_from_within_while_held_octets_are_offered) {
    rig_type rig;
    int calls = 0;
    rig.layer().on_readable = [&](connection c, std::string_view octets) -> std::size_t {
        if (++calls == 1) {
            return 0;
        }
        const std::string before(octets);
        rig.layer().say(c, "421\r\n");
        rig.layer().finish(c);
        // The span lives for the call, also after the connection has ended and others borrow blocks.
        EXPECT_EQ(octets, before);
        return octets.size();
    };
    const std::size_t peer = open(rig);
    rig.send(peer, "held");
    ASSERT_TRUE(rig.until([&] { return calls == 1; }));
    rig.transport().want_read(rig.layer().last, true);
    ASSERT_TRUE(rig.until([&] { return rig.saw_fin(peer); }));
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(rig.transport().buffered(), 0u);
}

TEST(socket_limits, when_blocks_are_out_half_lines_cost_the_connection) {
    rig_type rig({.buffers = 3 * 2048});
    rig.layer().on_readable = [&](connection, std::string_view) { return std::size_t{0}; };
    for (std::size_t i = 0; i < 3; ++i) {
        rig.send(open(rig), "half");
        ASSERT_TRUE(rig.until([&] { return rig.layer().count(kind::readable) == i + 1; }));
    }
    EXPECT_EQ(counted(rig, "no_buffer"), 0u);
    const std::size_t fourth = open(rig);
    rig.send(fourth, "half");
    ASSERT_TRUE(rig.until([&] { return rig.saw_rst(fourth); }));
    EXPECT_EQ(rig.layer().count(kind::reset), 1u);
    EXPECT_EQ(counted(rig, "no_buffer"), 1u);
    EXPECT_EQ(rig.layer().open_sessions(), 3u);
}

TEST(socket_limits, when_blocks_are_out_replies_wait_for_other_connections) {
    rig_type rig({.buffers = std::size_t{40} * 1024});
    const std::size_t slow = open(rig);
    const connection slow_id = rig.layer().last;
    rig.read(slow, false);
    bool full = false;
    const std::string large(16'000, 'x');
    rig.layer().on_turn_begin = [&] { full = full || !rig.layer().say(slow_id, large); };
    ASSERT_TRUE(rig.until([&] { return full; }));
    rig.layer().on_turn_begin = [] {};
    rig.quiet();
    const std::size_t other = open(rig);
    const connection other_id = rig.layer().last;
    bool refused = false;
    rig.layer().on_turn_begin = [&] {
        if (!std::exchange(refused, true)) {
            EXPECT_FALSE(rig.layer().say(other_id, large));
        }
    };
    rig.layer().on_writable = [&](connection c) {
        if (c == other_id) {
            EXPECT_TRUE(rig.layer().say(c, large));
        }
    };
    rig.quiet();
    EXPECT_TRUE(refused);
    EXPECT_TRUE(rig.received(other).empty());
    EXPECT_GE(counted(rig, "no_reply_buffer"), 1u);
    rig.layer().abort(slow_id);
    EXPECT_TRUE(rig.until([&] { return rig.received(other) == large; }));
}

TEST(socket_limits, a_peer_that_does_not_read_is_not_read_either) {
    rig_type rig({.output_limit = 64 * 1024});
    const std::size_t peer = open(rig);
    rig.read(peer, false);
    // Every octet is answered with a thousand: a session that takes commands as fast as they come.
    std::size_t unanswered = 0;
    rig.layer().on_readable = [&](connection c, std::string_view octets) {
        for (std::size_t i = 0; i < octets.size(); ++i) {
            unanswered += !rig.layer().say(c, std::string(1000, 'x'));
        }
        return octets.size();
    };
    for (int i = 0; i < 3000; ++i) {
        rig.send(peer, "0123456789");
        rig.turn();
        ASSERT_LE(rig.transport().buffered(), 64u * 1024u + 1024u);
    }
    const std::size_t before = rig.layer().count(kind::readable);
    rig.quiet();
    rig.send(peer, "more");
    rig.quiet();
    EXPECT_EQ(rig.layer().count(kind::readable), before) << "octets are left to the kernel";
    rig.read(peer, true);
    EXPECT_TRUE(rig.until([&] { return rig.layer().count(kind::readable) > before; }));
    EXPECT_GT(counted(rig, "short_sends"), 0u);
}

TEST(socket_limits, a_peer_that_does_not_close_is_closed_after_the_linger_time) {
    rig_type rig({.linger_time = 5s});
    const std::size_t peer = open(rig);
    rig.layer().finish(rig.layer().last);
    ASSERT_TRUE(rig.until([&] { return rig.saw_fin(peer); }));
    rig.advance(4s);
    EXPECT_EQ(rig.transport().open_sockets(), 1u);
    EXPECT_EQ(rig.limits_in_force().connections(0), 1u) << "it counts until it is gone";
    rig.advance(1100ms);
    EXPECT_EQ(rig.transport().open_sockets(), 0u);
    EXPECT_EQ(rig.limits_in_force().connections(0), 0u);
    EXPECT_EQ(counted(rig, "linger_expired"), 1u);
}

TEST(socket_limits, a_peer_that_sends_on_and_on_is_cut_off) {
    rig_type rig({.linger_octets = 100'000});
    const std::size_t peer = open(rig);
    rig.layer().finish(rig.layer().last);
    ASSERT_TRUE(rig.until([&] { return rig.saw_fin(peer); }));
    rig.send(peer, std::string(90'000, 'x'));
    rig.quiet();
    EXPECT_EQ(rig.transport().open_sockets(), 1u);
    rig.send(peer, std::string(20'000, 'x'));
    EXPECT_TRUE(rig.until([&] { return rig.transport().open_sockets() == 0; }));
    EXPECT_EQ(counted(rig, "linger_expired"), 1u);
}

TEST(socket_limits, what_arrives_after_the_last_reply_does_not_destroy_it) {
    // Closing with octets unread, or before they arrive, would reset the connection under the peer's hands.
    rig_type rig;
    rig.layer().on_readable = [&](connection c, std::string_view) -> std::size_t {
        rig.layer().say(c, "421 too many errors\r\n");
        rig.layer().finish(c);
        return 0;
    };
    const std::size_t peer = open(rig);
    rig.read(peer, false);
    rig.send(peer, std::string(50'000, 'x'));
    rig.quiet();
    rig.send(peer, std::string(50'000, 'y'));
    rig.quiet();
    rig.read(peer, true);
    ASSERT_TRUE(rig.until([&] { return rig.saw_fin(peer) || rig.saw_rst(peer); }));
    EXPECT_FALSE(rig.saw_rst(peer));
    EXPECT_EQ(rig.received(peer), "421 too many errors\r\n");
    rig.close(peer);
    EXPECT_TRUE(rig.until([&] { return rig.transport().open_sockets() == 0; }));
}

TEST(socket_limits, last_replies_that_nobody_takes_expire) {
    rig_type rig({.unsent_time = 30s});
    const std::size_t peer = open(rig);
    const connection id = rig.layer().last;
    rig.read(peer, false);
    bool once = true;
    std::size_t said = 0;
    rig.layer().on_turn_begin = [&] {
        while (once && rig.layer().say(id, std::string(10'000, 'x'))) {
            ++said;
        }
    };
    rig.quiet();
    ASSERT_GT(said, 1u);
    once = false;
    rig.layer().finish(id);
    rig.advance(29s);
    EXPECT_EQ(rig.transport().open_sockets(), 1u);
    rig.advance(2s);
    EXPECT_EQ(rig.transport().open_sockets(), 0u);
    EXPECT_EQ(counted(rig, "unsent_expired"), 1u);
    EXPECT_EQ(rig.transport().buffered(), 0u);
}

TEST(socket_limits, calls_for_a_connection_that_is_gone_do_nothing) {
    rig_type rig;
    const std::size_t peer = open(rig);
    const connection gone = rig.layer().last;
    rig.reset(peer);
    ASSERT_TRUE(rig.until([&] { return rig.layer().count(kind::reset) == 1; }));
    open(rig);  // in the same slot
    ASSERT_EQ(rig.layer().last.slot, gone.slot);
    operations& t = rig.transport();
    EXPECT_TRUE(t.reserve(gone, 10).empty());
    t.commit(gone, 10);
    t.want_read(gone, true);
    t.set_deadline(gone, t.now());
    t.finish(gone);
    t.abort(gone);
    EXPECT_EQ(t.info(gone).peer, shard::endpoint{});
    t.abort({.slot = 1'000'000, .serial = 1});
    rig.advance(1s);
    EXPECT_EQ(counted(rig, "stale_calls"), 7u);
    EXPECT_EQ(rig.layer().open_sessions(), 1u);
    EXPECT_EQ(rig.transport().open_sockets(), 1u);
}

TEST(socket_limits, a_busy_peer_has_one_recv_a_turn) {
    rig_type rig;
    const std::size_t flood = open(rig);
    const std::size_t other = open(rig);
    std::size_t in_turn = 0;
    std::size_t most = 0;
    rig.layer().on_turn_begin = [&] { in_turn = 0; };
    rig.layer().on_readable = [&](connection, std::string_view octets) {
        most = std::max(most, in_turn += octets.size());
        return octets.size();
    };
    rig.send(flood, std::string(1'000'000, 'x'));
    rig.send(other, "y");
    ASSERT_TRUE(rig.until([&] { return counted(rig, "octets_received") == 1'000'001; }));
    EXPECT_LE(most, operations::window + 1);
}

TEST(socket_limits, every_descriptor_is_closed_with_the_shard) {
    const auto descriptors = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
    const auto before = descriptors();
    {
        rig_type rig;
        open(rig);
        rig.layer().finish(rig.layer().last);
        open(rig);
        EXPECT_GT(descriptors(), before);
    }
    EXPECT_EQ(descriptors(), before);
}

}  // namespace
}  // namespace postern::sockets
