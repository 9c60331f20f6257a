// What tests of floods and crowds ask at their end: that nothing is left, and that the next client is served.
#pragma once

#include <gtest/gtest.h>

#include "tests/dataplane/tcp/bench.h"

namespace postern::tcp::testing {

inline void expect_nothing_left(bench& b) {
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
inline void serve_one(bench& b, std::uint16_t port) {
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

/// The sessions end whoever is left, and all times pass.
inline void end_all(bench& b) {
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
    b.take_all();
}

}  // namespace postern::tcp::testing
