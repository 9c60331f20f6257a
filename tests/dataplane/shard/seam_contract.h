// The contract of dataplane/shard/seam.h, as tests that run over every transport.
//
//     INSTANTIATE_TYPED_TEST_SUITE_P(Fake, seam_contract, my_rig);     // rigs.h says what a rig has
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <string_view>

#include "tests/dataplane/shard/seam_contract_fixture.h"

namespace postern::shard {

TYPED_TEST_SUITE_P(seam_contract);

#define SEAM_TEST(name) TYPED_TEST_P(seam_contract, name)

// Opening.

SEAM_TEST(opened_comes_first_and_may_greet) {
    this->layer.on_opened = [&](connection c) { EXPECT_TRUE(this->layer.say(c, "220 hello\r\n")); };
    this->open();
    EXPECT_TRUE(this->until_received("220 hello\r\n"));
    EXPECT_EQ(this->layer.events.size(), 1u);
    EXPECT_EQ(this->layer.last_admission, admission::admitted);
    EXPECT_FALSE(this->layer.last_info.early_octets);
    EXPECT_NE(this->layer.last_info.peer.port, 0);
    EXPECT_NE(this->layer.last_info.local.port, 0);
    EXPECT_EQ(this->layer.transport_of.info(this->id).peer, this->layer.last_info.peer);
}

SEAM_TEST(octets_sent_before_the_greeting_are_announced_and_kept) {
    this->peer = this->rig.connect("HELO early\r\n");
    ASSERT_TRUE(this->until_count(TestFixture::kind::readable, 1));
    EXPECT_TRUE(this->layer.last_info.early_octets);
    EXPECT_EQ(this->layer.consumed, "HELO early\r\n");
}

SEAM_TEST(a_refusal_may_finish_from_within_opened) {
    this->layer.on_opened = [&](connection c) {
        this->layer.say(c, "421 no\r\n");
        this->layer.finish(c);
    };
    this->open();
    ASSERT_TRUE(this->rig.until([&] { return this->rig.saw_fin(this->peer); }));
    EXPECT_EQ(this->rig.received(this->peer), "421 no\r\n");
    EXPECT_EQ(this->layer.events.size(), 1u);
}

SEAM_TEST(a_slot_is_reused_under_another_serial) {
    this->open();
    const connection first = this->id;
    this->layer.abort(first);
    this->rig.quiet();
    this->open();
    EXPECT_NE(this->id, first);
    if (this->id.slot == first.slot) {
        EXPECT_NE(this->id.serial, first.serial);
    }
}

// Reading.

SEAM_TEST(octets_are_offered_once_and_in_order) {
    this->open();
    std::string all;
    for (int i = 0; i < 20; ++i) {
        const std::string line = "line " + std::to_string(i) + "\r\n";
        this->rig.send(this->peer, line);
        all += line;
        ASSERT_TRUE(this->rig.until([&] { return this->layer.consumed.size() == all.size(); }));
    }
    EXPECT_EQ(this->layer.consumed, all);
}

SEAM_TEST(what_is_not_consumed_is_offered_again_when_more_arrives) {
    this->layer.on_readable = [&](connection, std::string_view octets) {
        const std::size_t end = octets.rfind('\n');
        this->layer.consumed.append(octets.substr(0, end == std::string_view::npos ? 0 : end + 1));
        return end == std::string_view::npos ? 0 : end + 1;
    };
    this->open();
    this->rig.send(this->peer, "one\ntw");
    ASSERT_TRUE(this->until_count(TestFixture::kind::readable, 1));
    EXPECT_EQ(this->layer.consumed, "one\n");
    this->rig.send(this->peer, "o\nthree\nfo");
    ASSERT_TRUE(this->until_count(TestFixture::kind::readable, 2));
    EXPECT_EQ(this->last_offered(), "two\nthree\nfo");
    this->rig.send(this->peer, "ur\n");
    ASSERT_TRUE(this->rig.until([&] { return this->layer.consumed == "one\ntwo\nthree\nfour\n"; }));
}

SEAM_TEST(what_is_not_consumed_is_not_offered_again_by_itself) {
    this->layer.on_readable = [](connection, std::string_view) { return std::size_t{0}; };
    this->open();
    this->rig.send(this->peer, "half a line");
    ASSERT_TRUE(this->until_count(TestFixture::kind::readable, 1));
    this->rig.quiet();
    EXPECT_EQ(this->layer.count(TestFixture::kind::readable), 1u);
}

SEAM_TEST(want_read_offers_the_same_octets_again_and_never_from_within) {
    this->layer.on_readable = [](connection, std::string_view) { return std::size_t{0}; };
    this->open();
    this->rig.send(this->peer, "waits");
    ASSERT_TRUE(this->until_count(TestFixture::kind::readable, 1));
    bool once = true;
    this->layer.on_turn_end = [&] {
        if (std::exchange(once, false)) {
            this->layer.transport_of.want_read(this->id, true);
            EXPECT_EQ(this->layer.count(TestFixture::kind::readable), 1u);
        }
    };
    ASSERT_TRUE(this->until_count(TestFixture::kind::readable, 2));
    EXPECT_EQ(this->last_offered(), "waits");
    this->rig.quiet();
    EXPECT_EQ(this->layer.count(TestFixture::kind::readable), 2u);
}

SEAM_TEST(want_read_from_within_readable_takes_effect_after_it) {
    int calls = 0;
    this->layer.on_readable = [&](connection c, std::string_view octets) -> std::size_t {
        if (++calls < 3) {
            this->layer.transport_of.want_read(c, true);
            EXPECT_EQ(calls, static_cast<int>(this->layer.count(TestFixture::kind::readable)));
            return 1;
        }
        return octets.size();
    };
    this->open();
    this->rig.send(this->peer, "abcdef");
    ASSERT_TRUE(this->until_count(TestFixture::kind::readable, 3));
    EXPECT_EQ(this->last_offered(), "cdef");
}

SEAM_TEST(unwanted_octets_wait) {
    this->open();
    this->layer.transport_of.want_read(this->id, false);
    this->rig.send(this->peer, "first ");
    this->rig.quiet();
    this->rig.send(this->peer, "second");
    this->rig.quiet();
    EXPECT_EQ(this->layer.count(TestFixture::kind::readable), 0u);
    this->layer.transport_of.want_read(this->id, true);
    ASSERT_TRUE(this->rig.until([&] { return this->layer.consumed == "first second"; }));
}

SEAM_TEST(much_that_is_unwanted_is_bounded_and_nothing_of_it_is_lost) {
    const std::string all = this->noise(200'000, 1);
    std::size_t at_once = 0;
    this->layer.on_readable = [&](connection c, std::string_view octets) -> std::size_t {
        at_once = std::max(at_once, octets.size());
        this->layer.transport_of.want_read(c, false);
        const std::size_t n = std::min<std::size_t>(octets.size(), 1000);
        this->layer.consumed.append(octets.substr(0, n));
        return n;
    };
    this->layer.on_turn_begin = [&] {
        for (const auto& [slot, c] : this->layer.live) {
            this->layer.transport_of.want_read(c, true);
        }
    };
    this->open();
    this->rig.send(this->peer, all);
    ASSERT_TRUE(this->rig.until([&] { return this->layer.consumed.size() == all.size(); }));
    EXPECT_TRUE(this->layer.consumed == all);
    EXPECT_LE(at_once, 64u * 1024u);
}

// Replying.

SEAM_TEST(replies_of_a_turn_are_sent_at_once) {
    this->open();
    this->layer.on_readable = [&](connection c, std::string_view octets) {
        for (int i = 0; i < 50; ++i) {
            EXPECT_TRUE(this->layer.say(c, "250 ok\r\n"));
        }
        return octets.size();
    };
    this->layer.on_turn_end = [&] {
        if (this->layer.count(TestFixture::kind::readable) == 1 && this->rig.sends(this->peer) == 0) {
            EXPECT_TRUE(this->layer.say(this->id, "250 last\r\n"));
            this->layer.on_turn_end = [] {};
        }
    };
    this->rig.send(this->peer, "x");
    ASSERT_TRUE(this->rig.until([&] { return this->rig.received(this->peer).size() == 50 * 8 + 10; }));
    EXPECT_EQ(this->rig.sends(this->peer), 1u);
    EXPECT_TRUE(this->rig.received(this->peer).ends_with("250 ok\r\n250 last\r\n"));
}

SEAM_TEST(less_than_reserved_may_be_committed) {
    this->open();
    auto& t = this->layer.transport_of;
    this->layer.on_turn_begin = [&] {
        std::span<char> room = t.reserve(this->id, 1000);
        ASSERT_GE(room.size(), 1000u);
        t.commit(this->id, 0);
        room = t.reserve(this->id, 500);
        ASSERT_GE(room.size(), 500u);
        room[0] = 'a';
        room[1] = 'b';
        t.commit(this->id, 2);
        room = t.reserve(this->id, 1000);
        ASSERT_GE(room.size(), 1000u);
        this->layer.on_turn_begin = [] {};
    };
    ASSERT_TRUE(this->until_received("ab"));
    this->rig.quiet();
    EXPECT_EQ(this->rig.received(this->peer), "ab");
}

SEAM_TEST(the_largest_reserve_is_possible) {
    this->open();
    const std::string large = this->noise(std::remove_reference_t<decltype(this->layer.transport_of)>::max_reserve, 2);
    EXPECT_GE(large.size(), 15u * 1024u);
    this->layer.on_turn_begin = [&] {
        EXPECT_TRUE(this->layer.say(this->id, large));
        this->layer.on_turn_begin = [] {};
    };
    EXPECT_TRUE(this->until_received(large));
}

SEAM_TEST(a_slow_reader_is_bounded_and_writable_resumes) {
    this->open();
    this->rig.read(this->peer, false);
    const std::string line = "250 " + this->noise(1000, 3);
    std::string said;
    bool full = false;
    std::size_t resumed = 0;
    const std::size_t enough = 30'000;  // lines: more than any transport and kernel take
    const auto fill = [&] {
        while (!full && said.size() < enough * line.size()) {
            if (this->layer.say(this->id, line)) {
                said += line;
            } else {
                full = true;
            }
        }
    };
    this->layer.on_turn_begin = fill;
    this->layer.on_writable = [&](connection) {
        EXPECT_TRUE(full);
        full = false;
        ++resumed;
        ASSERT_TRUE(this->layer.say(this->id, line)) << "writable, and still no room";
        said += line;
    };
    this->rig.quiet();
    EXPECT_TRUE(full) << said.size();
    EXPECT_LT(said.size(), enough * line.size());
    this->layer.on_turn_begin = [] {};
    const std::size_t before = resumed;
    this->rig.read(this->peer, true);
    ASSERT_TRUE(this->rig.until([&] { return resumed > before; }));
    this->layer.on_writable = [&](connection) {};
    ASSERT_TRUE(this->rig.until([&] { return this->rig.received(this->peer).size() == said.size(); }));
    EXPECT_TRUE(this->rig.received(this->peer) == said);
}

SEAM_TEST(writable_is_said_only_to_who_asked_in_vain) {
    this->open();
    this->layer.on_readable = [&](connection c, std::string_view octets) {
        EXPECT_TRUE(this->layer.say(c, "250 ok\r\n"));
        return octets.size();
    };
    this->rig.send(this->peer, "x");
    ASSERT_TRUE(this->until_received("250 ok\r\n"));
    this->rig.quiet();
    EXPECT_EQ(this->layer.count(TestFixture::kind::writable), 0u);
}

SEAM_TEST(a_stalled_peer_does_not_hold_up_another) {
    this->open();
    const std::size_t stalled = this->peer;
    const connection stalled_id = this->id;
    this->rig.read(stalled, false);
    const std::string line(1000, 'x');
    bool full = false;
    this->layer.on_turn_begin = [&] {
        while (!full && this->layer.knows(stalled_id)) {
            full = !this->layer.say(stalled_id, line);
        }
    };
    this->layer.on_writable = [&](connection) { full = false; };
    this->rig.quiet();
    ASSERT_TRUE(full);
    this->open();
    this->layer.on_readable = [&](connection c, std::string_view octets) {
        EXPECT_TRUE(this->layer.say(c, "250 other\r\n"));
        return octets.size();
    };
    this->rig.send(this->peer, "x");
    EXPECT_TRUE(this->until_received("250 other\r\n"));
}

// The peer's end.

SEAM_TEST(fin_is_told_after_the_octets_and_replies_still_arrive) {
    this->layer.on_peer_closed = [&](connection c) {
        EXPECT_EQ(this->layer.consumed, "QUIT\r\n");
        EXPECT_TRUE(this->layer.say(c, "221 bye\r\n"));
        this->layer.finish(c);
    };
    this->open();
    this->rig.send(this->peer, "QUIT\r\n");
    this->rig.close(this->peer);
    ASSERT_TRUE(this->until_received("221 bye\r\n"));
    ASSERT_TRUE(this->rig.until([&] { return this->rig.saw_fin(this->peer); }));
    EXPECT_EQ(this->layer.count(TestFixture::kind::peer_closed), 1u);
}

SEAM_TEST(fin_is_told_once_and_the_connection_stays) {
    this->open();
    this->rig.close(this->peer);
    ASSERT_TRUE(this->until_count(TestFixture::kind::peer_closed, 1));
    this->layer.transport_of.want_read(this->id, true);
    this->rig.quiet();
    EXPECT_EQ(this->layer.count(TestFixture::kind::peer_closed), 1u);
    this->layer.on_turn_begin = [&] {
        this->layer.say(this->id, "421 late\r\n");
        this->layer.on_turn_begin = [] {};
    };
    EXPECT_TRUE(this->until_received("421 late\r\n"));
}

SEAM_TEST(fin_is_told_with_half_a_line_unconsumed) {
    this->layer.on_readable = [](connection, std::string_view) { return std::size_t{0}; };
    this->open();
    this->rig.send(this->peer, "QUI");
    this->rig.close(this->peer);
    ASSERT_TRUE(this->until_count(TestFixture::kind::peer_closed, 1));
    EXPECT_EQ(this->last_offered(), "QUI");
    this->layer.transport_of.want_read(this->id, true);
    ASSERT_TRUE(this->until_count(TestFixture::kind::readable, 2));
    EXPECT_EQ(this->last_offered(), "QUI");
}

SEAM_TEST(fin_waits_until_all_octets_were_offered) {
    const std::string all = this->noise(100'000, 4);
    this->layer.on_readable = [&](connection c, std::string_view octets) {
        const std::size_t n = std::min<std::size_t>(octets.size(), 7000);
        this->layer.consumed.append(octets.substr(0, n));
        this->layer.transport_of.want_read(c, true);
        return n;
    };
    std::size_t seen = 0;
    this->layer.on_peer_closed = [&](connection) { seen = this->layer.consumed.size() + this->last_offered().size(); };
    this->open();
    this->rig.send(this->peer, all);
    this->rig.close(this->peer);
    ASSERT_TRUE(this->until_count(TestFixture::kind::peer_closed, 1));
    EXPECT_GE(seen, all.size());
    ASSERT_TRUE(this->rig.until([&] { return this->layer.consumed.size() == all.size(); }));
    EXPECT_TRUE(this->layer.consumed == all);
}

SEAM_TEST(rst_is_told_once_and_the_id_is_dead) {
    this->open();
    this->layer.transport_of.set_deadline(this->id, this->layer.transport_of.now() + 1s);
    this->rig.reset(this->peer);
    ASSERT_TRUE(this->until_count(TestFixture::kind::reset, 1));
    this->rig.advance(2s);
    EXPECT_EQ(this->layer.count(TestFixture::kind::reset), 1u);
    EXPECT_EQ(this->layer.count(TestFixture::kind::deadline), 0u);
}

SEAM_TEST(rst_is_told_while_octets_are_unwanted) {
    this->open();
    this->layer.transport_of.want_read(this->id, false);
    this->rig.reset(this->peer);
    EXPECT_TRUE(this->until_count(TestFixture::kind::reset, 1));
}

// Our end.

SEAM_TEST(finish_sends_what_is_committed_and_then_fin) {
    this->open();
    const std::string large = this->noise(15'000, 5);
    this->layer.on_readable = [&](connection c, std::string_view) -> std::size_t {
        EXPECT_TRUE(this->layer.say(c, large));
        EXPECT_TRUE(this->layer.say(c, "221 bye\r\n"));
        this->layer.finish(c);
        return 0;
    };
    this->rig.send(this->peer, "QUIT\r\nand more that nobody wants");
    ASSERT_TRUE(this->rig.until([&] { return this->rig.saw_fin(this->peer); }));
    EXPECT_TRUE(this->rig.received(this->peer) == large + "221 bye\r\n");
    const std::size_t events = this->layer.events.size();
    this->rig.send(this->peer, "still more");
    this->rig.close(this->peer);
    this->rig.quiet();
    EXPECT_EQ(this->layer.events.size(), events);
}

SEAM_TEST(finish_waits_for_a_slow_reader) {
    this->open();
    this->rig.read(this->peer, false);
    std::string said;
    this->layer.on_turn_begin = [&] {
        const std::string line = this->noise(10'000, 6);
        while (this->layer.say(this->id, line)) {
            said += line;
        }
        this->layer.finish(this->id);
        this->layer.on_turn_begin = [] {};
    };
    this->rig.quiet();
    this->rig.read(this->peer, true);
    ASSERT_TRUE(this->rig.until([&] { return this->rig.saw_fin(this->peer); }));
    EXPECT_TRUE(this->rig.received(this->peer) == said);
    EXPECT_EQ(this->layer.count(TestFixture::kind::writable), 0u);
}

SEAM_TEST(finish_from_turn_end_ends_in_that_turn) {
    this->open();
    this->layer.on_turn_end = [&] {
        if (this->layer.knows(this->id)) {
            this->layer.say(this->id, "421 bye\r\n");
            this->layer.finish(this->id);
        }
    };
    ASSERT_TRUE(this->rig.until([&] { return this->rig.saw_fin(this->peer); }));
    EXPECT_EQ(this->rig.received(this->peer), "421 bye\r\n");
    EXPECT_EQ(this->rig.sends(this->peer), 1u);
}

SEAM_TEST(abort_is_rst) {
    this->open();
    this->layer.on_readable = [&](connection c, std::string_view) -> std::size_t {
        this->layer.abort(c);
        return 3;
    };
    this->rig.send(this->peer, "bad");
    ASSERT_TRUE(this->rig.until([&] { return this->rig.saw_rst(this->peer); }));
    const std::size_t events = this->layer.events.size();
    this->rig.quiet();
    EXPECT_EQ(this->layer.events.size(), events);
}

// Time and turns.

SEAM_TEST(a_deadline_fires_once_and_not_early) {
    this->open();
    const instant start = this->layer.transport_of.now();
    instant fired{0};
    this->layer.on_deadline = [&](connection) { fired = this->layer.transport_of.now(); };
    this->layer.transport_of.set_deadline(this->id, start + 5s);
    this->rig.advance(4999ms);
    EXPECT_EQ(this->layer.count(TestFixture::kind::deadline), 0u);
    this->rig.advance(20ms);
    ASSERT_EQ(this->layer.count(TestFixture::kind::deadline), 1u);
    EXPECT_GE(fired, start + 5s);
    this->rig.advance(60s);
    EXPECT_EQ(this->layer.count(TestFixture::kind::deadline), 1u);
}

SEAM_TEST(a_deadline_is_replaced_both_ways_and_taken_away) {
    this->open();
    auto& t = this->layer.transport_of;
    t.set_deadline(this->id, t.now() + 1s);
    t.set_deadline(this->id, t.now() + 3s);
    this->rig.advance(2s);
    EXPECT_EQ(this->layer.count(TestFixture::kind::deadline), 0u);
    t.set_deadline(this->id, t.now() + 500ms);
    this->rig.advance(600ms);
    EXPECT_EQ(this->layer.count(TestFixture::kind::deadline), 1u);
    t.set_deadline(this->id, t.now() + 1s);
    t.set_deadline(this->id, never);
    this->rig.advance(300s);
    EXPECT_EQ(this->layer.count(TestFixture::kind::deadline), 1u);
}

SEAM_TEST(a_deadline_may_be_set_or_the_connection_ended_from_within) {
    this->open();
    auto& t = this->layer.transport_of;
    int fired = 0;
    this->layer.on_deadline = [&](connection c) {
        if (++fired < 3) {
            t.set_deadline(c, t.now() + 1s);
        } else {
            this->layer.say(c, "421 4.4.2 timeout\r\n");
            this->layer.finish(c);
        }
    };
    t.set_deadline(this->id, t.now() + 1s);
    this->rig.advance(10s);
    EXPECT_EQ(fired, 3);
    EXPECT_TRUE(this->until_received("421 4.4.2 timeout\r\n"));
}

SEAM_TEST(a_turn_begins_before_the_octets_and_ends_after_them) {
    std::string order;
    this->open();
    this->layer.on_turn_begin = [&] { order += '<'; };
    this->layer.on_turn_end = [&] { order += '>'; };
    this->layer.on_readable = [&](connection, std::string_view octets) {
        order += 'r';
        return octets.size();
    };
    this->rig.send(this->peer, "x");
    ASSERT_TRUE(this->until_count(TestFixture::kind::readable, 1));
    EXPECT_NE(order.find("<r>"), std::string::npos) << order;
}

// All at once.

SEAM_TEST(random_reading_and_replying_loses_nothing) {
    for (unsigned seed = 1; seed <= 5; ++seed) {
        std::mt19937 random(seed);
        const std::string all = this->noise(150'000, 100 + seed);
        this->layer.consumed.clear();
        std::string said;
        std::string owed;
        this->open();
        const connection c = this->id;
        const auto pay = [&] {
            while (!owed.empty()) {
                const std::string part = owed.substr(0, 1 + random() % 9000);
                if (!this->layer.say(c, part)) {
                    return;
                }
                said += part;
                owed.erase(0, part.size());
            }
        };
        this->layer.on_readable = [&](connection which, std::string_view octets) {
            const std::size_t n = random() % (octets.size() + 1);
            this->layer.consumed.append(octets.substr(0, n));
            owed.append(octets.substr(0, n));
            this->layer.transport_of.want_read(which, random() % 3 != 0);
            pay();
            return n;
        };
        this->layer.on_writable = [&](connection) { pay(); };
        this->layer.on_turn_end = [&] {
            if (this->layer.knows(c) && random() % 4 == 0) {
                this->layer.transport_of.want_read(c, true);
            }
        };
        std::size_t sent = 0;
        ASSERT_TRUE(this->rig.until([&] {
            if (sent < all.size() && random() % 2 == 0) {
                const std::size_t n = std::min<std::size_t>(all.size() - sent, 1 + random() % 20'000);
                this->rig.send(this->peer, std::string_view(all).substr(sent, n));
                sent += n;
            }
            this->rig.read(this->peer, random() % 3 != 0);
            return this->rig.received(this->peer).size() == all.size();
        })) << "seed "
            << seed;
        EXPECT_TRUE(this->layer.consumed == all);
        EXPECT_TRUE(this->rig.received(this->peer) == all);
        this->layer.on_turn_end = [] {};
        this->layer.abort(c);
    }
}

REGISTER_TYPED_TEST_SUITE_P(
    seam_contract, opened_comes_first_and_may_greet, octets_sent_before_the_greeting_are_announced_and_kept,
    a_refusal_may_finish_from_within_opened, a_slot_is_reused_under_another_serial,
    octets_are_offered_once_and_in_order, what_is_not_consumed_is_offered_again_when_more_arrives,
    what_is_not_consumed_is_not_offered_again_by_itself, want_read_offers_the_same_octets_again_and_never_from_within,
    want_read_from_within_readable_takes_effect_after_it, unwanted_octets_wait,
    much_that_is_unwanted_is_bounded_and_nothing_of_it_is_lost, replies_of_a_turn_are_sent_at_once,
    less_than_reserved_may_be_committed, the_largest_reserve_is_possible, a_slow_reader_is_bounded_and_writable_resumes,
    writable_is_said_only_to_who_asked_in_vain, a_stalled_peer_does_not_hold_up_another,
    fin_is_told_after_the_octets_and_replies_still_arrive, fin_is_told_once_and_the_connection_stays,
    fin_is_told_with_half_a_line_unconsumed, fin_waits_until_all_octets_were_offered,
    rst_is_told_once_and_the_id_is_dead, rst_is_told_while_octets_are_unwanted,
    finish_sends_what_is_committed_and_then_fin, finish_waits_for_a_slow_reader, finish_from_turn_end_ends_in_that_turn,
    abort_is_rst, a_deadline_fires_once_and_not_early, a_deadline_is_replaced_both_ways_and_taken_away,
    a_deadline_may_be_set_or_the_connection_ended_from_within, a_turn_begins_before_the_octets_and_ends_after_them,
    random_reading_and_replying_loses_nothing);

}  // namespace postern::shard
