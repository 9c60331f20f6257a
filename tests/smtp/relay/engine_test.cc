// The relay's rules, one by one, with a scripted server and a virtual clock: what the server is sent, what the session
// is told.
#include "smtp/relay/engine.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/smtp/relay/engine_rig.h"

namespace postern::relay::test {
namespace {

constexpr const char* no_server = "451 4.4.1 Mail server is not available";
constexpr const char* lost = "451 4.4.2 Connection to the mail server was lost";

// A message's way

TEST(relay_engine, nothing_is_opened_before_a_recipient_is_asked_for) {
    engine_rig t;
    const transaction_id id = t.begin(one_host());
    EXPECT_TRUE(t.net.opened.empty());
    t.rcpt(id, "alice@example.com");
    ASSERT_EQ(t.net.opened.size(), 1U);
    EXPECT_EQ(t.net.wires[t.last_link()].host, (recipients::mail_host{.host = "mx.test", .port = 25, .priority = 10}));
    EXPECT_EQ(t.event_of(id), "nothing");
}

TEST(relay_engine, one_message_from_greeting_to_pool) {
    engine_rig t;
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "alice@example.com");
    const link_id mx = t.last_link();
    t.greet(mx);
    EXPECT_EQ(t.heard(mx), "MAIL FROM:<s@else.test>\r\nRCPT TO:<alice@example.com>\r\n");
    t.say(mx, "250 2.1.0 ok\r\n");
    EXPECT_EQ(t.event_of(id), "nothing");
    t.say(mx, "250 2.1.5 fine\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 250 2.1.5 fine");

    t.data(id);
    EXPECT_EQ(t.heard(mx), "DATA\r\n");
    EXPECT_EQ(t.event_of(id), "nothing") << "no 354 before the server's";
    t.say(mx, "354 go on\r\n");
    EXPECT_EQ(t.event_of(id), "data 354 Go ahead");
    EXPECT_EQ(t.heard(mx),
              "Received: from client.test ([192.0.2.1])\r\n\tby postern.test with ESMTP id ID1\r\n"
              "\tfor <alice@example.com>;\r\n\tThu, 01 Jan 2026 00:00:00 +0000\r\n");

    t.content(id, "Subject: x\r\n\r\nhello\r\n.\r\n");
    EXPECT_EQ(t.heard(mx), "Subject: x\r\n\r\nhello\r\n..\r\n");
    EXPECT_EQ(t.event_of(id), "credit 1");
    t.end(id);
    EXPECT_EQ(t.heard(mx), ".\r\n");
    EXPECT_EQ(t.event_of(id), "nothing") << "no 250 before the server's";
    t.say(mx, "250 2.0.0 queued as 1\r\n");
    EXPECT_EQ(t.event_of(id), "final 250 2.0.0 queued as 1");
    EXPECT_EQ(t.heard(mx), "RSET\r\n");
    EXPECT_TRUE(t.nothing_left());
    EXPECT_EQ(t.counts.delivered.get(), 1U);
    EXPECT_EQ(t.counts.recipients_accepted.get(), 1U);
    EXPECT_EQ(t.counts.octets.get(), 24U);
}

TEST(relay_engine, several_recipients_get_the_servers_answers_in_order_and_none_is_named_in_the_trace) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    t.port.recipient(id, "bob@example.com", {.listed = true});
    t.port.recipient(id, "carol@example.com", {.listed = true});
    t.run();
    EXPECT_EQ(t.heard(mx), "RCPT TO:<bob@example.com>\r\nRCPT TO:<carol@example.com>\r\n");
    t.say(mx, "550 5.1.1 no bob\r\n250 2.1.5 carol\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 550 5.1.1 no bob");
    EXPECT_EQ(t.event_of(id), "recipient 250 2.1.5 carol");
    t.data(id);
    t.say(mx, "354 go\r\n");
    EXPECT_EQ(t.heard(mx).find("for <"), std::string::npos);
}

TEST(relay_engine, the_one_accepted_of_several_is_named) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    t.rcpt(id, "bob@example.com");
    t.say(mx, "550 5.1.1 no bob\r\n");
    t.data(id);
    t.say(mx, "354 go\r\n");
    EXPECT_NE(t.heard(mx).find("\tfor <alice@example.com>;"), std::string::npos);
}

TEST(relay_engine, many_recipients_at_once_all_get_their_answer) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    for (int i = 0; i < 200; ++i) {
        t.port.recipient(id, "user" + std::to_string(i) + "@example.com", {.listed = true});
    }
    t.port.data(id);
    t.run();
    int asked = 0;
    while (true) {
        const std::string heard = t.heard(mx);
        if (heard == "DATA\r\n") {
            break;
        }
        const auto lines = std::count(heard.begin(), heard.end(), '\n');
        ASSERT_GT(lines, 0);
        for (int i = 0; i < lines; ++i) {
            t.say(mx, "250 2.1.5 number " + std::to_string(asked++) + "\r\n");
        }
    }
    EXPECT_EQ(asked, 200);
    for (int i = 0; i < 200; ++i) {
        ASSERT_EQ(t.event_of(id), "recipient 250 2.1.5 number " + std::to_string(i));
    }
}

TEST(relay_engine, recipients_beyond_what_a_transaction_holds_are_452_in_order) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    const std::string name(1000, 'x');
    for (int i = 0; i < 20; ++i) {
        t.port.recipient(id, name + std::to_string(i), {.listed = true});
    }
    t.port.data(id);
    t.run();
    int asked = 0;
    for (std::string heard = t.heard(mx); heard != "DATA\r\n"; heard = t.heard(mx)) {
        const auto lines = std::count(heard.begin(), heard.end(), '\n');
        ASSERT_GT(lines, 0);
        for (int i = 0; i < lines; ++i, ++asked) {
            t.say(mx, "250 2.1.5 ok\r\n");
        }
    }
    EXPECT_GT(asked, 8);
    EXPECT_LT(asked, 20);
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(t.event_of(id), i < asked ? "recipient 250 2.1.5 ok" : "recipient 452 4.5.3 Too many recipients");
    }
    t.say(mx, "354 go\r\n");
    EXPECT_EQ(t.event_of(id), "data 354 Go ahead");
}

TEST(relay_engine, data_waits_for_all_answers) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    t.rcpt(id, "bob@example.com");
    t.data(id);
    EXPECT_EQ(t.heard(mx), "RCPT TO:<bob@example.com>\r\n");
    t.say(mx, "250 ok\r\n");
    EXPECT_EQ(t.heard(mx), "DATA\r\n");
}

TEST(relay_engine, data_without_an_accepted_recipient_is_554) {
    engine_rig t;
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "bob@example.com");
    t.greet(t.last_link());
    t.say(t.last_link(), "250 ok\r\n550 5.1.1 no\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 550 5.1.1 no");
    t.heard(t.last_link());
    t.data(id);
    EXPECT_EQ(t.event_of(id), "data 554 5.5.1 No valid recipients");
    EXPECT_EQ(t.heard(t.last_link()), "RSET\r\n");
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, an_empty_message_is_a_message) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.heard(mx);
    t.end(id);
    EXPECT_EQ(t.heard(mx), ".\r\n");
}

TEST(relay_engine, a_server_without_pipelining_gets_one_command_at_a_time) {
    engine_rig t;
    const transaction_id id = t.begin(one_host());
    t.port.recipient(id, "a@example.com", {.listed = true});
    t.port.recipient(id, "b@example.com", {.listed = true});
    t.port.data(id);
    t.run();
    const link_id mx = t.last_link();
    t.greet(mx, plain_ehlo);
    EXPECT_EQ(t.heard(mx), "MAIL FROM:<s@else.test>\r\n");
    t.say(mx, "250 ok\r\n");
    EXPECT_EQ(t.heard(mx), "RCPT TO:<a@example.com>\r\n");
    t.say(mx, "250 ok\r\n");
    EXPECT_EQ(t.heard(mx), "RCPT TO:<b@example.com>\r\n");
    t.say(mx, "250 ok\r\n");
    EXPECT_EQ(t.heard(mx), "DATA\r\n");
}

TEST(relay_engine, an_unconfirmed_route_is_451_4_3_5) {
    engine_rig t;
    auto route = one_host();
    route->confirmed = false;
    const transaction_id id = t.begin(route);
    EXPECT_EQ(t.event_of(id), "aborted 451 4.3.5 No confirmed mail server for this domain");
    EXPECT_EQ(t.event_of(t.begin(make_route(4, {}))), "aborted 451 4.3.5 No confirmed mail server for this domain");
    EXPECT_TRUE(t.net.opened.empty());
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, recipients_asked_before_the_end_was_known_are_answered_by_it) {
    engine_rig t;
    auto route = one_host();
    route->confirmed = false;
    const transaction_id id{1, 7};
    ASSERT_TRUE(t.port.begin(id, route, engine_rig::default_envelope()));
    t.port.recipient(id, "a@example.com", {.listed = true});
    t.port.recipient(id, "b@example.com", {.listed = true});
    t.run();
    EXPECT_EQ(t.event_of(id), "recipient 451 4.3.5 No confirmed mail server for this domain");
    EXPECT_EQ(t.event_of(id), "recipient 451 4.3.5 No confirmed mail server for this domain");
    EXPECT_EQ(t.event_of(id), "aborted 451 4.3.5 No confirmed mail server for this domain");
    EXPECT_EQ(t.counts.stale_messages.get(), 2U);
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, a_recipient_asked_between_the_last_events_is_answered_by_the_end_too) {
    engine_rig t;
    auto route = one_host();
    route->confirmed = false;
    const transaction_id id{1, 7};
    ASSERT_TRUE(t.port.begin(id, route, engine_rig::default_envelope()));
    t.port.recipient(id, "a@example.com", {.listed = true});
    t.work.take_commands(t.now);
    event one;
    ASSERT_TRUE(t.port.next_event(one));
    EXPECT_EQ(one.kind, event_kind::recipient);
    t.port.recipient(id, "b@example.com", {.listed = true});
    ASSERT_TRUE(t.port.next_event(one));
    EXPECT_EQ(one.kind, event_kind::recipient);
    ASSERT_TRUE(t.port.next_event(one));
    EXPECT_EQ(one.kind, event_kind::aborted);
    EXPECT_FALSE(t.port.next_event(one));
}

// The server's answers

TEST(relay_engine, a_refused_mail_is_the_answer_to_rcpt) {
    engine_rig t;
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "alice@example.com");
    const link_id mx = t.last_link();
    t.greet(mx);
    t.heard(mx);
    t.say(mx, "550 5.7.1 sender is blocked\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 550 5.7.1 sender is blocked");
    EXPECT_EQ(t.event_of(id), "aborted 550 5.7.1 sender is blocked");
    EXPECT_EQ(t.heard(mx), "") << "the answer to the pipelined RCPT is still out";
    t.say(mx, "503 5.5.1 MAIL first\r\n");
    EXPECT_EQ(t.heard(mx), "RSET\r\n");
    t.say(mx, "250 ok\r\n");
    EXPECT_TRUE(t.nothing_left());
    const transaction_id next = t.begin(one_host());
    t.rcpt(next, "alice@example.com");
    EXPECT_EQ(t.heard(mx), "MAIL FROM:<s@else.test>\r\nRCPT TO:<alice@example.com>\r\n");
}

TEST(relay_engine, the_refusal_of_data_ends_the_transaction) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    t.data(id);
    t.say(mx, "451 4.3.0 not now\r\n");
    EXPECT_EQ(t.event_of(id), "data 451 4.3.0 not now");
    t.heard(mx);
    EXPECT_FALSE(t.closed_by_us(mx));
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, the_final_refusal_is_the_servers_own) {
    for (const char* refusal : {"452 4.3.1 Full", "554 5.6.0 Spam", "550 5.0.0 no"}) {
        engine_rig t;
        const auto [id, mx] = t.in_content(one_host());
        t.content(id, "x\r\n");
        t.end(id);
        t.say(mx, std::string(refusal) + "\r\n");
        EXPECT_EQ(t.answer_of(id), std::string("final ") + refusal);
        EXPECT_EQ(t.counts.delivered.get(), 0U);
        EXPECT_TRUE(t.nothing_left());
    }
}

TEST(relay_engine, a_full_server_is_passed_on_at_rcpt) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    t.rcpt(id, "bob@example.com");
    t.say(mx, "452 4.2.2 Over quota\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 452 4.2.2 Over quota");
}

TEST(relay_engine, a_message_over_the_servers_limit_is_552_at_rcpt) {
    engine_rig t;
    envelope big = engine_rig::default_envelope();
    big.declared_size = 1000001;
    const transaction_id id = t.begin(one_host(), big);
    t.rcpt(id, "alice@example.com");
    t.greet(t.last_link());
    EXPECT_EQ(t.event_of(id), "recipient 552 5.3.4 Message is larger than the mail server takes");
    EXPECT_EQ(t.event_of(id), "aborted 552 5.3.4 Message is larger than the mail server takes");
    big.declared_size = 1000000;
    const transaction_id fits = t.begin(one_host(), big);
    t.say(t.last_link(), "250 reset\r\n");
    t.heard(t.last_link());
    t.rcpt(fits, "alice@example.com");
    EXPECT_EQ(t.heard(t.last_link()), "MAIL FROM:<s@else.test> SIZE=1000000\r\nRCPT TO:<alice@example.com>\r\n");
}

TEST(relay_engine, eight_bit_mime_that_the_server_lacks_is_550_5_6_3) {
    engine_rig t;
    envelope eight = engine_rig::default_envelope();
    eight.body = body_type::eight_bit_mime;
    const transaction_id id = t.begin(one_host(), eight);
    t.rcpt(id, "alice@example.com");
    t.greet(t.last_link(), plain_ehlo);
    EXPECT_EQ(t.event_of(id), "recipient 550 5.6.3 Mail server does not take 8BITMIME");
    EXPECT_EQ(t.event_of(id), "aborted 550 5.6.3 Mail server does not take 8BITMIME");
}

// The server in trouble

/// Brings a transaction to some point, and what is said when the server breaks off there.
struct breaking_point {
    const char* name;
    std::vector<const char*> says;  ///< after the connection stands, one after the other
    bool data = false;
    bool end = false;
    const char* expected;
};

const std::vector<breaking_point>& breaking_points() {
    static const std::vector<breaking_point> all = {
        {"connected", {}, false, false, no_server},
        {"within the greeting", {"220-mx"}, false, false, no_server},
        {"greeted", {"220 mx\r\n"}, false, false, no_server},
        {"within EHLO", {"220 mx\r\n", "250-mx\r\n250-SI"}, false, false, no_server},
        {"mail sent", {"220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n"}, false, false, no_server},
        {"rcpt sent", {"220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n"}, false, false, no_server},
        {"rcpt answered",
         {"220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n"},
         false,
         false,
         no_server},
        {"data sent", {"220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n"}, true, false, no_server},
        {"within content",
         {"220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n", "354 go\r\n"},
         true,
         false,
         lost},
        {"all sent",
         {"220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n", "354 go\r\n"},
         true,
         true,
         lost},
    };
    return all;
}

template <class Break>
void break_everywhere(Break&& broken) {
    for (const breaking_point& one : breaking_points()) {
        SCOPED_TRACE(one.name);
        engine_rig t;
        const transaction_id id = t.begin(one_host());
        t.rcpt(id, "alice@example.com");
        const link_id mx = t.last_link();
        t.connected(mx);
        for (const char* line : one.says) {
            if (std::string_view(line).starts_with("354")) {
                t.data(id);
            }
            t.say(mx, line);
        }
        if (one.data) {
            t.data(id);
        }
        if (one.expected == lost) {
            t.content(id, "x\r\n");
        }
        if (one.end) {
            t.end(id);
        }
        broken(t, mx, one);
        EXPECT_TRUE(t.closed_by_us(mx));
        EXPECT_EQ(t.net.wires[mx].sent.find("\r\n.\r\n") != std::string::npos, one.end);
        std::string last;
        for (std::string event = t.event_of(id); event != "nothing"; event = t.event_of(id)) {
            last = event;
            EXPECT_FALSE(event.starts_with("final 2")) << event;
        }
        EXPECT_EQ(last, std::string("aborted ") + one.expected);
        EXPECT_EQ(t.counts.in_doubt.get(), one.end ? 1U : 0U);
        EXPECT_EQ(t.counts.aborted.get(), 1U);
        EXPECT_TRUE(t.nothing_left());
    }
}

TEST(relay_engine, the_server_closes_at_every_point) {
    break_everywhere([](engine_rig& t, link_id mx, const breaking_point&) { t.hang_up(mx); });
}

TEST(relay_engine, the_server_says_421_at_every_point) {
    break_everywhere([](engine_rig& t, link_id mx, const breaking_point& at) {
        if (std::string_view(at.name).starts_with("within ") && at.expected != lost) {
            t.say(mx, "\r\n");  // ends the line that is open; another code is then no reply
        }
        t.say(mx, "421 4.3.2 going down\r\n");
        if (!t.closed_by_us(mx)) {
            t.say(mx, "421 4.3.2 going down\r\n");
        }
    });
}

TEST(relay_engine, the_server_talks_garbage_at_every_point) {
    break_everywhere([](engine_rig& t, link_id mx, const breaking_point&) {
        t.say(mx, "\x16\x03\x01\r\n");
        if (!t.closed_by_us(mx)) {
            t.say(mx, "\x16\x03\x01\r\n");
        }
    });
}

TEST(relay_engine, the_server_never_ends_a_reply_at_any_point) {
    break_everywhere([](engine_rig& t, link_id mx, const breaking_point&) {
        for (int i = 0; i < 3000 && !t.closed_by_us(mx); ++i) {
            t.say(mx, "-x\r\n250-x\r\n250");
        }
    });
}

TEST(relay_engine, the_server_falls_silent_at_every_point) {
    break_everywhere([](engine_rig& t, link_id mx, const breaking_point& at) {
        // Between commands it may be silent; there the next command meets the silence.
        if (std::string_view(at.name) == "rcpt answered") {
            t.data({1, 7});
        }
        t.pass(600s);
        EXPECT_TRUE(t.closed_by_us(mx));
    });
}

TEST(relay_engine, a_server_lost_between_commands_is_told_at_once) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    t.hang_up(mx);
    EXPECT_EQ(t.event_of(id), std::string("aborted ") + no_server);
}

TEST(relay_engine, no_host_reached_is_451_4_4_1) {
    engine_rig t;
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "alice@example.com");
    t.unreachable(t.last_link());
    EXPECT_EQ(t.event_of(id), std::string("recipient ") + no_server);
    EXPECT_EQ(t.event_of(id), std::string("aborted ") + no_server);
    EXPECT_EQ(t.counts.connections_failed.get(), 1U);
    ASSERT_EQ(t.alarms.size(), 1U);
    EXPECT_EQ(t.alarms[0].find("3: mail server mx.test port 25 is out of reach: "), 0U) << t.alarms[0];
}

TEST(relay_engine, a_connection_that_never_comes_to_be_ready_is_told_with_the_reason) {
    const auto told = [](const std::function<void(engine_rig&, link_id)>& happens) {
        engine_rig t;
        t.rcpt(t.begin(one_host()), "alice@example.com");
        happens(t, t.last_link());
        return t.alarms.empty() ? std::string() : t.alarms[0].substr(t.alarms[0].rfind("reach: ") + 7);
    };
    EXPECT_EQ(told([](engine_rig& t, link_id mx) { t.connected(mx), t.hang_up(mx); }),
              "it closed the connection before it was ready");
    EXPECT_EQ(told([](engine_rig& t, link_id mx) { t.connected(mx), t.pass(15s); }), "no answer in time");
    EXPECT_EQ(told([](engine_rig& t, link_id mx) { t.connected(mx), t.say(mx, "HTTP/1.1 400 Bad\r\n"); }),
              "its answer is not SMTP");
    EXPECT_EQ(told([](engine_rig& t, link_id mx) { t.connected(mx), t.say(mx, "421 4.3.2 later\r\n"); }),
              "421 4.3.2 later");
}

TEST(relay_engine, connecting_takes_15_seconds_a_host_and_30_in_all) {
    engine_rig t;
    auto route = make_route(3, {{.host = "a", .port = 25, .priority = 1},
                                {.host = "b", .port = 25, .priority = 2},
                                {.host = "c", .port = 25, .priority = 3}});
    const transaction_id id = t.begin(route);
    t.rcpt(id, "alice@example.com");
    ASSERT_EQ(t.net.opened.size(), 1U);
    t.pass(14999ms);
    EXPECT_EQ(t.net.opened.size(), 1U);
    t.pass(1ms);
    ASSERT_EQ(t.net.opened.size(), 2U);
    EXPECT_TRUE(t.closed_by_us(t.net.opened[0]));
    EXPECT_EQ(t.net.wires[t.net.opened[1]].host.host, "b");
    t.pass(14999ms);
    EXPECT_EQ(t.event_of(id), "nothing");
    t.pass(1ms);
    EXPECT_EQ(t.net.opened.size(), 2U);
    EXPECT_EQ(t.event_of(id), std::string("recipient ") + no_server);
}

TEST(relay_engine, a_5xx_greeting_is_about_us_and_an_alarm) {
    engine_rig t;
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "alice@example.com");
    t.connected(t.last_link());
    t.say(t.last_link(), "554 5.7.1 You are not welcome\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 451 4.4.0 Mail server does not accept mail from this system");
    ASSERT_EQ(t.alarms.size(), 1U);
    EXPECT_EQ(t.alarms[0], "3: mail server mx.test port 25 refuses us: 554 5.7.1 You are not welcome");
}

TEST(relay_engine, relaying_denied_at_any_command_is_about_us) {
    for (const char* answers : {"530 5.7.0 Authentication required\r\n503 x\r\n",
                                "250 ok\r\n554 5.7.1 <alice@example.com>: Relay access denied\r\n"}) {
        engine_rig t;
        const transaction_id id = t.begin(one_host());
        t.rcpt(id, "alice@example.com");
        t.greet(t.last_link());
        t.say(t.last_link(), answers);
        EXPECT_EQ(t.event_of(id), "recipient 451 4.4.0 Mail server does not accept mail from this system");
        EXPECT_EQ(t.alarms.size(), 1U);
        EXPECT_EQ(t.counts.softened.get(), 1U);
    }
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.end(id);
    t.say(mx, "550 5.7.1 Unable to relay\r\n");
    EXPECT_EQ(t.answer_of(id), "final 451 4.4.0 Mail server does not accept mail from this system");
}

TEST(relay_engine, the_same_alarm_is_called_out_once_a_minute) {
    engine_rig t;
    for (int i = 0; i < 3; ++i) {
        const transaction_id id = t.begin(one_host());
        t.rcpt(id, "alice@example.com");
        t.connected(t.last_link());
        t.say(t.last_link(), "554 no\r\n");
    }
    EXPECT_EQ(t.alarms.size(), 1U);
    EXPECT_EQ(t.counts.alarms.get(), 3U);
    t.pass(60s);
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "alice@example.com");
    t.connected(t.last_link());
    t.say(t.last_link(), "554 no\r\n");
    EXPECT_EQ(t.alarms.size(), 2U);
}

TEST(relay_engine, a_server_that_is_ourselves_is_refused) {
    {
        engine_rig t;
        const transaction_id id = t.begin(one_host());
        t.rcpt(id, "alice@example.com");
        t.connected(t.last_link());
        t.say(t.last_link(), "220 postern.test ESMTP\r\n");
        EXPECT_EQ(t.event_of(id), "recipient 451 4.4.6 Mail server of this domain is this system itself");
        EXPECT_EQ(t.alarms.size(), 1U);
        EXPECT_TRUE(t.closed_by_us(t.last_link()));
    }
    engine_rig t;
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "alice@example.com");
    t.work.link_failed(t.last_link(), engine::open_failure::own_address, "its address is our own", t.now);
    t.run();
    EXPECT_EQ(t.event_of(id), "recipient 451 4.4.6 Mail server of this domain is this system itself");
    ASSERT_EQ(t.alarms.size(), 1U);
    EXPECT_EQ(t.alarms[0], "3: mail server mx.test port 25 is this system itself: its address is our own");
}

TEST(relay_engine, an_early_refusal_is_the_answer_and_the_connection_is_closed) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.content(id, "x\r\n");
    t.say(mx, "552 5.3.4 too much\r\n");
    EXPECT_EQ(t.answer_of(id), "aborted 552 5.3.4 too much");
    EXPECT_TRUE(t.closed_by_us(mx));
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, content_too_slow_is_451) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    for (int i = 0; i < 179; ++i) {
        t.content(id, "x\r\n");
        t.pass(1s);
    }
    EXPECT_EQ(t.answer_of(id), "nothing");
    t.pass(10s);
    EXPECT_EQ(t.answer_of(id), std::string("aborted ") + lost);
    EXPECT_TRUE(t.closed_by_us(mx));
    EXPECT_TRUE(t.nothing_left());
}

// A server that refuses its own list

TEST(relay_engine, twenty_listed_refused_in_a_row_turn_5xx_into_451) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    for (int i = 0; i < 19; ++i) {
        t.rcpt(id, "user" + std::to_string(i) + "@example.com");
        t.say(mx, "550 5.1.1 no\r\n");
        ASSERT_EQ(t.event_of(id), "recipient 550 5.1.1 no") << i;
    }
    t.rcpt(id, "user0@example.com");
    t.say(mx, "550 5.1.1 no\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 550 5.1.1 no") << "not distinct";
    EXPECT_TRUE(t.alarms.empty());
    t.rcpt(id, "user19@example.com");
    t.say(mx, "550 5.1.1 no\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 451 4.4.0 Mail server refuses listed recipients");
    ASSERT_EQ(t.alarms.size(), 1U);
    EXPECT_NE(t.alarms[0].find("refused 20 listed recipients in a row"), std::string::npos);
    EXPECT_EQ(t.counts.refused_routes.get(), 1U);

    t.rcpt(id, "stranger@example.com", false);
    t.say(mx, "550 5.1.1 no\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 451 4.4.0 Mail server refuses listed recipients");
    t.rcpt(id, "good@example.com");
    t.say(mx, "250 ok\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 250 2.1.5 ok");
    t.data(id);
    t.say(mx, "354 go\r\n");
    t.end(id);
    t.say(mx, "554 5.6.0 no\r\n");
    EXPECT_EQ(t.event_of(id), "data 354 Go ahead");
    EXPECT_EQ(t.answer_of(id), "final 451 4.4.0 Mail server refuses listed recipients");

    t.work.lift_refusals(3);
    EXPECT_EQ(t.counts.refused_routes.get(), 0U);
    const auto [after, other] = t.accepted(make_route(3, {{.host = "other.test", .port = 25, .priority = 1}}));
    t.rcpt(after, "user1@example.com");
    t.say(other, "550 5.1.1 no\r\n");
    EXPECT_EQ(t.event_of(after), "recipient 550 5.1.1 no");
}

TEST(relay_engine, refused_strangers_and_refusals_of_us_do_not_count_in_that_row) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    for (int i = 0; i < 40; ++i) {
        t.rcpt(id, "user" + std::to_string(i) + "@example.com", i % 2 == 0);
        t.say(mx, i % 2 == 0 ? "550 relaying denied\r\n" : "550 5.1.1 no\r\n");
        t.event_of(id);
    }
    EXPECT_EQ(t.counts.refused_routes.get(), 0U);
}

// Unlisted recipients

TEST(relay_engine, a_refused_stranger_is_remembered_for_ten_minutes) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    t.rcpt(id, "nobody@example.com", false);
    t.say(mx, "550 5.1.1 no such user\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 550 5.1.1 no such user");
    t.heard(mx);
    t.rcpt(id, "NoBody@Example.com", false);
    EXPECT_EQ(t.event_of(id), "recipient 550 5.1.1 no such user");
    EXPECT_EQ(t.heard(mx), "") << "the server was not asked again";
    EXPECT_EQ(t.counts.unlisted_invalid.get(), 2U);
    EXPECT_EQ(t.counts.unlisted_remembered.get(), 1U);
    t.rcpt(id, "nobody@example.com", true);
    EXPECT_EQ(t.heard(mx), "RCPT TO:<nobody@example.com>\r\n") << "a listed one is asked for";
    t.say(mx, "250 ok\r\n");
    t.pass(601s);
    t.rcpt(id, "nobody@example.com", false);
    EXPECT_EQ(t.heard(mx), "RCPT TO:<nobody@example.com>\r\n");
}

TEST(relay_engine, a_remembered_stranger_opens_no_connection) {
    engine_rig t;
    const auto [first, mx] = t.accepted(one_host());
    t.rcpt(first, "nobody@example.com", false);
    t.say(mx, "550 5.1.1 no such user\r\n");
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "nobody@example.com", false);
    EXPECT_EQ(t.net.opened.size(), 1U);
    EXPECT_EQ(t.event_of(id), "recipient 550 5.1.1 no such user");
    t.abandon(id);
    t.abandon(first);
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, only_550_is_remembered) {
    for (const char* answer : {"450 4.2.1 later\r\n", "553 5.1.3 bad\r\n", "550 Relaying denied\r\n"}) {
        engine_rig t;
        const auto [id, mx] = t.accepted(one_host());
        t.rcpt(id, "nobody@example.com", false);
        t.say(mx, answer);
        t.heard(mx);
        t.rcpt(id, "nobody@example.com", false);
        EXPECT_EQ(t.heard(mx), "RCPT TO:<nobody@example.com>\r\n") << answer;
    }
}

TEST(relay_engine, strangers_over_the_rate_are_451_4_3_2) {
    settings few = engine_rig::plain_settings();
    few.limits.unlisted_per_second = 10;
    few.limits.unlisted_burst = 2;
    engine_rig t(few);
    const auto [id, mx] = t.accepted(one_host());
    for (int i = 0; i < 4; ++i) {
        t.port.recipient(id, "n" + std::to_string(i) + "@example.com", {.listed = false});
    }
    t.port.recipient(id, "bob@example.com", {.listed = true});
    t.run();
    EXPECT_EQ(t.heard(mx), "RCPT TO:<n0@example.com>\r\nRCPT TO:<n1@example.com>\r\nRCPT TO:<bob@example.com>\r\n");
    t.say(mx, "550 0\r\n550 1\r\n250 bob\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 550 5.0.0 0");
    EXPECT_EQ(t.event_of(id), "recipient 550 5.0.0 1");
    EXPECT_EQ(t.event_of(id), "recipient 451 4.3.2 Too many unknown recipients, try again later");
    EXPECT_EQ(t.event_of(id), "recipient 451 4.3.2 Too many unknown recipients, try again later");
    EXPECT_EQ(t.event_of(id), "recipient 250 2.1.5 bob");
    EXPECT_EQ(t.counts.unlisted_limited.get(), 2U);
}

TEST(relay_engine, strangers_wait_for_their_own_connections_and_listed_ones_do_not) {
    engine_rig t;
    std::vector<transaction_id> ids;
    for (std::uint8_t i = 0; i < 3; ++i) {
        ids.push_back(t.begin(one_host(), engine_rig::from(i)));
        t.rcpt(ids.back(), "n" + std::to_string(i) + "@example.com", false);
    }
    EXPECT_EQ(t.net.opened.size(), 2U) << "a fifth of ten";
    const transaction_id listed = t.begin(one_host(), engine_rig::from(9));
    t.rcpt(listed, "alice@example.com");
    EXPECT_EQ(t.net.opened.size(), 3U);
    t.port.recipient(ids[2], "n9@example.com", {.listed = false});
    t.pass(14s);
    for (const link_id link : std::vector(t.net.opened)) {
        t.greet(link);
    }
    t.pass(6s);
    EXPECT_EQ(t.event_of(ids[2]), "recipient 451 4.3.2 Too many unknown recipients, try again later");
    EXPECT_EQ(t.event_of(ids[2]), "recipient 451 4.3.2 Too many unknown recipients, try again later");
    t.rcpt(ids[2], "alice@example.com", true);
    EXPECT_EQ(t.net.opened.size(), 4U) << "a listed one goes its own way";
}

TEST(relay_engine, with_a_catch_all_listed_and_unlisted_never_share_and_strangers_go_alone) {
    auto route = one_host();
    route->catch_all = true;
    {
        engine_rig t;
        const auto [id, mx] = t.accepted(route);
        t.rcpt(id, "nobody@example.com", false);
        EXPECT_EQ(t.event_of(id), "recipient 452 4.5.3 This recipient needs a transaction of its own");
        t.rcpt(id, "bob@example.com", true);
        EXPECT_EQ(t.heard(mx), "RCPT TO:<bob@example.com>\r\n");
    }
    engine_rig t;
    const transaction_id id = t.begin(route);
    t.port.recipient(id, "n1@example.com", {.listed = false});
    t.port.recipient(id, "n2@example.com", {.listed = false});
    t.port.recipient(id, "n3@example.com", {.listed = false});
    t.port.recipient(id, "bob@example.com", {.listed = true});
    t.run();
    const link_id mx = t.last_link();
    t.greet(mx);
    EXPECT_EQ(t.heard(mx), "MAIL FROM:<s@else.test>\r\nRCPT TO:<n1@example.com>\r\n");
    t.say(mx, "250 ok\r\n550 5.1.1 no\r\n");
    EXPECT_EQ(t.heard(mx), "RCPT TO:<n2@example.com>\r\n") << "the first was refused: it shares nothing";
    t.say(mx, "250 ok\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 550 5.1.1 no");
    EXPECT_EQ(t.event_of(id), "recipient 250 2.1.5 ok");
    EXPECT_EQ(t.event_of(id), "recipient 452 4.5.3 This recipient needs a transaction of its own");
    EXPECT_EQ(t.event_of(id), "recipient 452 4.5.3 This recipient needs a transaction of its own");
    EXPECT_EQ(t.heard(mx), "");
}

// Connections

TEST(relay_engine, a_connection_is_used_again_after_a_complete_reply_and_rset) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.end(id);
    t.heard(mx);
    t.say(mx, "250-2.0.0 que");
    const transaction_id second = t.begin(one_host(), engine_rig::from(2));
    t.rcpt(second, "bob@example.com");
    EXPECT_EQ(t.net.opened.size(), 2U) << "the first one's reply is not complete";
    t.say(mx, "ued\r\n250 2.0.0 done\r\n");
    EXPECT_EQ(t.heard(mx), "RSET\r\n");
    const transaction_id third = t.begin(one_host(), engine_rig::from(3));
    t.rcpt(third, "carol@example.com");
    EXPECT_EQ(t.net.opened.size(), 3U) << "nor reset";
    t.say(mx, "250 reset\r\n");
    const transaction_id fourth = t.begin(one_host(), engine_rig::from(4));
    t.rcpt(fourth, "dave@example.com");
    EXPECT_EQ(t.net.opened.size(), 3U);
    EXPECT_EQ(t.heard(mx), "MAIL FROM:<s@else.test>\r\nRCPT TO:<dave@example.com>\r\n");
    EXPECT_EQ(t.counts.connections_reused.get(), 1U);
}

TEST(relay_engine, a_refused_rset_closes) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.end(id);
    t.say(mx, "250 ok\r\n");
    t.say(mx, "502 what\r\n");
    EXPECT_TRUE(t.closed_by_us(mx));
}

TEST(relay_engine, a_connection_retires_after_100_messages) {
    engine_rig t;
    const link_id mx = t.pooled(one_host());
    for (int i = 1; i < 100; ++i) {
        const transaction_id id = t.begin(one_host());
        t.rcpt(id, "alice@example.com");
        ASSERT_EQ(t.net.opened.size(), 1U) << i;
        t.say(mx, "250 ok\r\n250 ok\r\n");
        t.data(id);
        t.say(mx, "354 go\r\n");
        t.end(id);
        t.heard(mx);
        t.say(mx, "250 queued\r\n");
        ASSERT_EQ(t.heard(mx), i < 99 ? "RSET\r\n" : "QUIT\r\n") << i;
        if (i < 99) {
            t.say(mx, "250 reset\r\n");
        }
    }
    EXPECT_TRUE(t.closed_by_us(mx));
    EXPECT_EQ(t.counts.delivered.get(), 100U);
}

TEST(relay_engine, a_connection_retires_after_three_errors) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    for (int i = 0; i < 3; ++i) {
        t.rcpt(id, "n" + std::to_string(i) + "@example.com");
        t.say(mx, "550 5.1.1 no\r\n");
    }
    t.heard(mx);
    t.abandon(id);
    EXPECT_EQ(t.heard(mx), "QUIT\r\n");
    EXPECT_TRUE(t.closed_by_us(mx));
}

TEST(relay_engine, a_transaction_with_an_accepted_recipient_is_not_closed_for_refused_ones) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    for (int i = 0; i < 50; ++i) {
        t.rcpt(id, "n" + std::to_string(i % 5) + "@example.com");
        t.say(mx, "550 5.1.1 no\r\n");
        ASSERT_EQ(t.event_of(id), "recipient 550 5.1.1 no");
    }
    t.data(id);
    t.say(mx, "354 go\r\n");
    EXPECT_EQ(t.event_of(id), "data 354 Go ahead");
}

TEST(relay_engine, an_idle_connection_quits_after_its_time) {
    engine_rig t;
    const link_id mx = t.pooled(one_host());
    t.pass(29s);
    EXPECT_EQ(t.heard(mx), "");
    t.pass(1s);
    EXPECT_EQ(t.heard(mx), "QUIT\r\n");
    EXPECT_TRUE(t.closed_by_us(mx));
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "alice@example.com");
    EXPECT_EQ(t.net.opened.size(), 2U);
}

TEST(relay_engine, an_idle_connection_that_closes_is_forgotten) {
    for (const bool says_421 : {false, true}) {
        engine_rig t;
        const link_id mx = t.pooled(one_host());
        if (says_421) {
            t.say(mx, "421 4.4.2 idle\r\n");
        } else {
            t.hang_up(mx);
        }
        EXPECT_TRUE(t.closed_by_us(mx));
        const transaction_id id = t.begin(one_host());
        t.rcpt(id, "alice@example.com");
        EXPECT_EQ(t.net.opened.size(), 2U);
    }
}

TEST(relay_engine, a_dead_pooled_connection_is_replaced_once_before_any_rcpt_was_answered) {
    engine_rig t;
    const link_id mx = t.pooled(one_host(1));
    const transaction_id id = t.begin(one_host(1));
    t.port.recipient(id, "a@example.com", {.listed = true});
    t.port.recipient(id, "b@example.com", {.listed = true});
    t.run();
    EXPECT_EQ(t.heard(mx), "MAIL FROM:<s@else.test>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n");
    t.say(mx, "250 ok\r\n");
    t.hang_up(mx);
    EXPECT_EQ(t.event_of(id), "nothing");
    ASSERT_EQ(t.net.opened.size(), 2U);
    const link_id fresh = t.last_link();
    const transaction_id waits = t.begin(one_host(1), engine_rig::from(2));
    t.rcpt(waits, "c@example.com");
    EXPECT_EQ(t.net.opened.size(), 2U) << "the new one has the dead one's place";
    t.greet(fresh);
    EXPECT_EQ(t.heard(fresh), "MAIL FROM:<s@else.test>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n");
    EXPECT_EQ(t.counts.connections_replaced.get(), 1U);
    t.hang_up(fresh);
    EXPECT_EQ(t.net.opened.size(), 3U) << "that is for the one that waits: once is enough";
    EXPECT_EQ(t.event_of(id), std::string("recipient ") + no_server);
    EXPECT_EQ(t.event_of(id), std::string("recipient ") + no_server);
    EXPECT_EQ(t.event_of(id), std::string("aborted ") + no_server);
    t.abandon(waits);
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, a_dead_pooled_connection_is_not_replaced_after_a_rcpt_was_answered) {
    engine_rig t;
    const link_id mx = t.pooled(one_host());
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "a@example.com");
    t.say(mx, "250 ok\r\n250 ok\r\n");
    t.rcpt(id, "b@example.com");
    t.hang_up(mx);
    EXPECT_EQ(t.net.opened.size(), 1U);
    EXPECT_EQ(t.event_of(id), "recipient 250 2.1.5 ok");
    EXPECT_EQ(t.event_of(id), std::string("recipient ") + no_server);
    EXPECT_EQ(t.event_of(id), std::string("aborted ") + no_server);
}

TEST(relay_engine, a_pooled_connection_that_is_only_slow_is_not_replaced) {
    engine_rig t;
    const link_id mx = t.pooled(one_host());
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "a@example.com");
    t.pass(60s);
    EXPECT_TRUE(t.closed_by_us(mx));
    EXPECT_EQ(t.net.opened.size(), 1U);
    EXPECT_EQ(t.event_of(id), std::string("recipient ") + no_server);
}

TEST(relay_engine, the_next_host_is_tried_when_one_fails) {
    const std::vector<std::function<void(engine_rig&, link_id)>> failures = {
        [](engine_rig& t, link_id mx) { t.unreachable(mx); },
        [](engine_rig& t, link_id) { t.pass(15s); },
        [](engine_rig& t, link_id mx) {
            t.connected(mx);
            t.say(mx, "421 busy\r\n");
        },
        [](engine_rig& t, link_id mx) {
            t.connected(mx);
            t.say(mx, "554 no\r\n");
        },
        [](engine_rig& t, link_id mx) {
            t.greet(mx);
            t.hang_up(mx);
        },
        [](engine_rig& t, link_id mx) {
            t.greet(mx);
            t.say(mx, "250 ok\r\n421 not now\r\n");
        }};
    for (const auto& fail : failures) {
        engine_rig t;
        const transaction_id id = t.begin(two_hosts());
        t.rcpt(id, "alice@example.com");
        EXPECT_EQ(t.net.wires[t.last_link()].host.host, "first.test");
        fail(t, t.last_link());
        ASSERT_EQ(t.net.opened.size(), 2U);
        EXPECT_EQ(t.net.wires[t.last_link()].host.host, "second.test");
        EXPECT_EQ(t.event_of(id), "nothing");
        t.greet(t.last_link());
        t.say(t.last_link(), "250 ok\r\n250 2.1.5 here\r\n");
        EXPECT_EQ(t.event_of(id), "recipient 250 2.1.5 here");
    }
}

TEST(relay_engine, no_other_host_is_tried_after_the_first_rcpt_answer) {
    engine_rig t;
    const auto [id, mx] = t.accepted(two_hosts());
    t.rcpt(id, "bob@example.com");
    t.say(mx, "421 bye\r\n");
    EXPECT_EQ(t.net.opened.size(), 1U);
    EXPECT_EQ(t.event_of(id), std::string("recipient ") + no_server);
}

TEST(relay_engine, no_other_host_is_tried_for_the_servers_own_refusal) {
    engine_rig t;
    const transaction_id id = t.begin(two_hosts());
    t.rcpt(id, "alice@example.com");
    t.greet(t.last_link());
    t.say(t.last_link(), "450 4.7.0 greylisted\r\n503 x\r\n");
    EXPECT_EQ(t.event_of(id), "recipient 450 4.7.0 greylisted");
    EXPECT_EQ(t.net.opened.size(), 1U);
}

TEST(relay_engine, a_host_that_failed_is_asked_last_for_a_while) {
    engine_rig t;
    const transaction_id id = t.begin(two_hosts());
    t.rcpt(id, "alice@example.com");
    t.unreachable(t.last_link());
    t.unreachable(t.last_link());
    EXPECT_EQ(t.event_of(id), std::string("recipient ") + no_server);
    t.pass(10s);
    const transaction_id next = t.begin(two_hosts(), engine_rig::from(2));
    t.rcpt(next, "alice@example.com");
    EXPECT_EQ(t.net.wires[t.last_link()].host.host, "first.test") << "both failed: in order";
    t.unreachable(t.last_link());
    t.greet(t.last_link());
    const transaction_id third = t.begin(two_hosts(), engine_rig::from(3));
    t.rcpt(third, "alice@example.com");
    EXPECT_EQ(t.net.wires[t.last_link()].host.host, "second.test") << "the one that works";
    t.pass(30s);
    const transaction_id fourth = t.begin(two_hosts(), engine_rig::from(4));
    t.rcpt(fourth, "alice@example.com");
    EXPECT_EQ(t.net.wires[t.last_link()].host.host, "first.test");
}

TEST(relay_engine, over_the_hosts_connections_a_transaction_waits_for_the_next_free_one) {
    engine_rig t;
    const auto [first, mx] = t.accepted(one_host(1));
    const transaction_id second = t.begin(one_host(1), engine_rig::from(2));
    t.rcpt(second, "bob@example.com");
    EXPECT_EQ(t.net.opened.size(), 1U);
    t.pass(10s);
    t.abandon(first);
    EXPECT_EQ(t.heard(mx), "RSET\r\n");
    t.say(mx, "250 ok\r\n");
    EXPECT_EQ(t.heard(mx), "MAIL FROM:<s@else.test>\r\nRCPT TO:<bob@example.com>\r\n");
    t.say(mx, "250 ok\r\n250 2.1.5 bob\r\n");
    EXPECT_EQ(t.event_of(second), "recipient 250 2.1.5 bob");
}

TEST(relay_engine, a_closed_connection_makes_room_for_one_that_waits) {
    engine_rig t;
    const auto [first, mx] = t.accepted(one_host(1));
    const transaction_id second = t.begin(one_host(1), engine_rig::from(2));
    t.rcpt(second, "bob@example.com");
    t.abandon(first);
    EXPECT_EQ(t.net.opened.size(), 1U);
    t.say(mx, "502 no RSET here\r\n");
    EXPECT_TRUE(t.closed_by_us(mx));
    EXPECT_EQ(t.net.opened.size(), 2U);
}

TEST(relay_engine, a_transaction_waits_20_seconds_at_most) {
    engine_rig t;
    const auto held = t.accepted(one_host(1));
    const transaction_id second = t.begin(one_host(1), engine_rig::from(2));
    t.rcpt(second, "bob@example.com");
    t.pass(19999ms);
    EXPECT_EQ(t.event_of(second), "nothing");
    t.pass(1ms);
    EXPECT_EQ(t.event_of(second), "recipient 451 4.3.2 Too many connections to the mail server, try again later");
    EXPECT_EQ(t.event_of(second), "aborted 451 4.3.2 Too many connections to the mail server, try again later");
    EXPECT_EQ(t.counts.limited.get(), 1U);
    t.abandon(held.id);
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, a_source_over_its_quarter_waits_while_others_pass) {
    engine_rig t;
    for (int i = 0; i < 2; ++i) {
        t.rcpt(t.begin(one_host(), engine_rig::from(1)), "alice@example.com");
    }
    EXPECT_EQ(t.net.opened.size(), 2U);
    const transaction_id third = t.begin(one_host(), engine_rig::from(1));
    t.rcpt(third, "alice@example.com");
    EXPECT_EQ(t.net.opened.size(), 2U);
    const transaction_id other = t.begin(one_host(), engine_rig::from(2));
    t.rcpt(other, "alice@example.com");
    EXPECT_EQ(t.net.opened.size(), 3U) << "behind the one that waits, but not for its reason";
    t.abandon({1, 7});
    EXPECT_EQ(t.net.opened.size(), 4U);
}

TEST(relay_engine, the_queue_for_connections_is_bounded_and_no_source_or_stranger_fills_it) {
    settings few = engine_rig::plain_settings();
    few.limits.waiting_per_route = 8;
    engine_rig t(few);
    t.rcpt(t.begin(one_host(1), engine_rig::from(1)), "alice@example.com");
    int refused = 0;
    for (int i = 0; i < 4; ++i) {
        const transaction_id id = t.begin(one_host(1), engine_rig::from(2));
        t.rcpt(id, "alice@example.com");
        refused += t.event_of(id) == "nothing" ? 0 : 1;
    }
    EXPECT_EQ(refused, 2) << "a source has a quarter of it";
    for (std::uint8_t i = 10; i < 14; ++i) {
        const transaction_id id = t.begin(one_host(1), engine_rig::from(i));
        t.rcpt(id, "nobody" + std::to_string(i) + "@example.com", false);
        refused += t.event_of(id) == "nothing" ? 0 : 1;
    }
    EXPECT_EQ(refused, 4) << "strangers have another";
    for (std::uint8_t i = 20; i < 26; ++i) {
        const transaction_id id = t.begin(one_host(1), engine_rig::from(i));
        t.rcpt(id, "alice@example.com");
        refused += t.event_of(id) == "nothing" ? 0 : 1;
    }
    EXPECT_EQ(refused, 6) << "eight wait";
}

TEST(relay_engine, routes_do_not_share_connections) {
    engine_rig t;
    t.pooled(one_host());
    auto other = make_route(4, {{.host = "mx.test", .port = 25, .priority = 10}});
    t.rcpt(t.begin(other), "alice@example.org");
    EXPECT_EQ(t.net.opened.size(), 2U);
}

// The sender goes away

TEST(relay_engine, abandoned_before_data_the_connection_is_reset_and_kept) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    t.rcpt(id, "bob@example.com");
    t.heard(mx);
    t.abandon(id);
    EXPECT_EQ(t.heard(mx), "") << "an answer is still out";
    t.say(mx, "250 ok\r\n");
    EXPECT_EQ(t.heard(mx), "RSET\r\n");
    t.say(mx, "250 ok\r\n");
    EXPECT_EQ(t.event_of(id), "nothing");
    EXPECT_FALSE(t.closed_by_us(mx));
    EXPECT_EQ(t.counts.abandoned.get(), 1U);
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, abandoned_while_connecting_the_connection_goes_to_the_pool) {
    engine_rig t;
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "alice@example.com");
    t.abandon(id);
    EXPECT_TRUE(t.nothing_left());
    t.greet(t.last_link());
    t.rcpt(t.begin(one_host()), "bob@example.com");
    EXPECT_EQ(t.net.opened.size(), 1U);
    EXPECT_EQ(t.heard(t.last_link()), "MAIL FROM:<s@else.test>\r\nRCPT TO:<bob@example.com>\r\n");
}

TEST(relay_engine, abandoned_while_connecting_a_silent_server_does_not_hold_the_connection) {
    engine_rig t;
    const transaction_id id = t.begin(one_host());
    t.rcpt(id, "alice@example.com");
    t.abandon(id);
    t.pass(15s);
    EXPECT_TRUE(t.closed_by_us(t.last_link()));
}

TEST(relay_engine, abandoned_while_354_is_awaited_the_connection_is_closed) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    t.data(id);
    t.heard(mx);
    t.abandon(id);
    EXPECT_FALSE(t.closed_by_us(mx));
    t.say(mx, "354 go\r\n");
    EXPECT_TRUE(t.closed_by_us(mx));
    EXPECT_EQ(t.heard(mx), "");
}

TEST(relay_engine, abandoned_within_data_the_connection_is_closed_without_the_final_dot) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.content(id, "half a mess");
    t.abandon(id);
    EXPECT_TRUE(t.closed_by_us(mx));
    EXPECT_TRUE(t.heard(mx).ends_with("half a mess"));
    EXPECT_TRUE(t.nothing_left());
    EXPECT_EQ(t.counts.in_doubt.get(), 0U);
}

TEST(relay_engine, abandoned_before_the_last_octet_went_out_the_connection_is_closed) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.heard(mx);
    t.net.wires[mx].window = 2;
    t.content(id, "abc\r\n");
    t.end(id);
    t.abandon(id);
    EXPECT_TRUE(t.closed_by_us(mx));
    EXPECT_EQ(t.heard(mx), "ab");
    EXPECT_EQ(t.counts.in_doubt.get(), 0U);
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, abandoned_after_the_final_dot_the_answer_is_awaited_and_the_message_in_doubt) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.content(id, "abc\r\n");
    t.end(id);
    t.abandon(id);
    EXPECT_FALSE(t.closed_by_us(mx));
    EXPECT_EQ(t.counts.in_doubt.get(), 1U);
    t.heard(mx);
    t.say(mx, "250 queued\r\n");
    EXPECT_EQ(t.heard(mx), "RSET\r\n");
    EXPECT_EQ(t.answer_of(id), "nothing");
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, abandoned_while_waiting_it_leaves_the_queue) {
    engine_rig t;
    const auto held = t.accepted(one_host(1));
    const transaction_id second = t.begin(one_host(1), engine_rig::from(2));
    t.rcpt(second, "bob@example.com");
    t.abandon(second);
    t.abandon(held.id);
    t.say(held.link, "250 ok\r\n");
    t.pass(25s);
    EXPECT_EQ(t.event_of(second), "nothing");
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, content_that_crosses_the_servers_loss_is_dropped_and_its_chunks_come_back) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.work.link_closed(mx, t.now);
    // The session does not know yet.
    const std::string much(60000, 'x');
    EXPECT_EQ(t.port.chunk(id, {much.data(), much.size()}), much.size());
    t.port.end_of_data(id);
    t.run();
    EXPECT_EQ(t.answer_of(id), std::string("aborted ") + lost);
    EXPECT_GE(t.counts.stale_messages.get(), 4U);
    EXPECT_TRUE(t.nothing_left());
}

// Loops

TEST(relay_engine, a_hundred_received_lines_are_a_loop) {
    for (const int lines : {99, 100}) {
        engine_rig t;
        const auto [id, mx] = t.in_content(one_host());
        std::string header;
        for (int i = 0; i < lines; ++i) {
            header += "Received: from a by b\r\n";
        }
        t.content(id, header + "\r\nbody\r\n");
        EXPECT_EQ(t.answer_of(id), lines < 100 ? "nothing" : "aborted 554 5.4.6 Mail loop: too many Received lines");
        EXPECT_EQ(t.closed_by_us(mx), lines == 100);
        EXPECT_EQ(t.counts.loops.get(), lines == 100 ? 1U : 0U);
        if (lines == 100) {
            EXPECT_TRUE(t.nothing_left());
        }
    }
}

TEST(relay_engine, three_received_lines_of_the_fleet_are_a_loop) {
    for (const int lines : {2, 3}) {
        engine_rig t;
        const auto [id, mx] = t.in_content(one_host());
        std::string header;
        for (int i = 0; i < lines; ++i) {
            header += i % 2 == 0 ? "Received: from a by POSTERN.test; x\r\n" : "Received: by postern2.test\r\n";
        }
        t.content(id, header + "\r\nReceived: by postern.test\r\n");
        EXPECT_EQ(t.answer_of(id), lines < 3 ? "nothing" : "aborted 554 5.4.6 Mail loop: too many Received lines");
        EXPECT_EQ(t.closed_by_us(mx), lines == 3);
        EXPECT_EQ(t.heard(mx).find("\r\n.\r\n"), std::string::npos);
    }
}

// Back-pressure

TEST(relay_engine, a_server_that_stops_reading_stops_the_sender) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.heard(mx);
    t.net.wires[mx].window = 1000;
    const std::string much(200000, 'x');
    std::size_t taken = 0;
    for (int i = 0; i < 100; ++i) {
        taken += t.port.chunk(id, {much.data(), much.size()});
        t.run();
    }
    // One chunk is in the client, four wait for it.
    EXPECT_EQ(taken, 5 * chunk_octets);
    EXPECT_EQ(t.port.room(id), 0U);
    EXPECT_EQ(t.port.chunks_in_use(), 4U);
    EXPECT_LE(t.work.link_output(mx).size(), 2 * chunk_octets);
    EXPECT_EQ(t.event_of(id), "credit 1");
    EXPECT_EQ(t.event_of(id), "nothing");
    t.net.wires[mx].window = SIZE_MAX;
    t.net.send(mx);
    t.run();
    EXPECT_EQ(t.event_of(id), "credit 1");
    EXPECT_EQ(t.port.room(id), 4 * chunk_octets);
    EXPECT_EQ(t.heard(mx).size(), 5 * chunk_octets);
}

TEST(relay_engine, a_server_that_never_reads_again_is_451_in_180_seconds) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.net.wires[mx].window = 0;
    t.content(id, "abc\r\n");
    t.pass(179s);
    EXPECT_EQ(t.answer_of(id), "nothing");
    t.pass(1s);
    EXPECT_EQ(t.answer_of(id), std::string("aborted ") + lost);
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, when_the_shards_chunks_are_used_up_the_next_gets_the_first_free_one) {
    engine_rig t(engine_rig::plain_settings(), 8, 4);
    const auto [first, slow] = t.in_content(one_host());
    const auto second = [&t] {
        const auto out = t.accepted(one_host(), engine_rig::from(2));
        t.data(out.id);
        t.say(out.link, "354 go\r\n");
        EXPECT_EQ(t.event_of(out.id), "data 354 Go ahead");
        return out;
    }();
    t.net.wires[slow].window = 0;
    const std::string much(100000, 'x');
    while (t.port.chunk(first, {much.data(), much.size()}) > 0) {
        t.run();
    }
    EXPECT_EQ(t.port.room(second.id), 0U);
    EXPECT_EQ(t.event_of(second.id), "nothing");
    t.abandon(first);
    EXPECT_EQ(t.event_of(second.id), "credit 1");
    EXPECT_GE(t.port.room(second.id), chunk_octets);
    t.content(second.id, "abc\r\n");
    t.end(second.id);
    t.say(second.link, "250 ok\r\n");
    EXPECT_EQ(t.answer_of(second.id), "final 250 2.0.0 ok");
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, a_free_chunk_that_one_does_not_want_is_offered_to_the_next) {
    engine_rig t(engine_rig::plain_settings(), 8, 4);
    std::vector<engine_rig::open_transaction> all;
    for (std::uint8_t i = 0; i < 3; ++i) {
        all.push_back(t.accepted(one_host(), engine_rig::from(i)));
        t.data(all.back().id);
        t.say(all.back().link, "354 go\r\n");
        t.event_of(all.back().id);
    }
    t.net.wires[all[0].link].window = 0;
    const std::string much(100000, 'x');
    while (t.port.chunk(all[0].id, {much.data(), much.size()}) > 0) {
        t.run();
    }
    EXPECT_EQ(t.port.room(all[1].id), 0U);
    EXPECT_EQ(t.port.room(all[2].id), 0U);
    t.abandon(all[1].id);
    t.abandon(all[0].id);
    EXPECT_EQ(t.event_of(all[2].id), "credit 1");
}

TEST(relay_engine, a_free_chunk_that_stays_unused_is_offered_on_at_the_end_of_the_turn) {
    engine_rig t(engine_rig::plain_settings(), 8, 5);
    std::vector<engine_rig::open_transaction> all;
    for (std::uint8_t i = 0; i < 4; ++i) {
        all.push_back(t.accepted(one_host(), engine_rig::from(i)));
        t.data(all.back().id);
        t.say(all.back().link, "354 go\r\n");
        t.event_of(all.back().id);
    }
    t.heard(all[1].link);
    t.net.wires[all[0].link].window = 0;
    t.net.wires[all[1].link].window = 0;
    const std::string much(100000, 'x');
    for (int i = 0; i < 5; ++i) {
        t.port.chunk(all[0].id, {much.data(), chunk_octets});
        t.run();
    }
    for (int i = 0; i < 2; ++i) {
        t.port.chunk(all[1].id, {much.data(), chunk_octets});
        t.run();
    }
    ASSERT_EQ(t.port.chunks_in_use(), 5U);
    EXPECT_EQ(t.port.room(all[2].id), 0U);
    EXPECT_EQ(t.port.room(all[3].id), 0U);
    t.net.wires[all[1].link].window = chunk_octets;
    t.net.send(all[1].link);
    t.run();
    ASSERT_EQ(t.port.chunks_in_use(), 4U);
    EXPECT_EQ(t.event_of(all[2].id), "credit 1");
    EXPECT_EQ(t.event_of(all[3].id), "credit 1");
}

TEST(relay_engine, large_content_passes_unchanged_through_a_narrow_window) {
    engine_rig t;
    const auto [id, mx] = t.in_content(one_host());
    t.heard(mx);
    std::string content;
    for (int i = 0; content.size() < 300000; ++i) {
        content += (i % 7 == 0 ? "." : "") + std::string(static_cast<std::size_t>(i * 37 % 300), 'a') + "\r\n";
    }
    std::string_view rest = content;
    std::string wire;
    while (!rest.empty()) {
        t.net.wires[mx].window = 777;
        t.net.send(mx);
        rest.remove_prefix(t.port.chunk(id, {rest.data(), std::min<std::size_t>(rest.size(), 5001)}));
        t.run();
        wire += t.heard(mx);
    }
    t.port.end_of_data(id);
    t.net.wires[mx].window = SIZE_MAX;
    t.net.send(mx);
    t.run();
    wire += t.heard(mx);
    std::string expected;
    bool start = true;
    for (const char c : content) {
        if (start && c == '.') {
            expected += '.';
        }
        expected += c;
        start = c == '\n';
    }
    EXPECT_TRUE(wire == expected + ".\r\n");
    EXPECT_EQ(t.port.chunks_in_use(), 0U);
}

// Bounds and shutdown

TEST(relay_engine, no_transaction_is_begun_without_a_cell) {
    engine_rig t(engine_rig::plain_settings(), 2, 4);
    const transaction_id a = t.begin(one_host());
    t.begin(one_host());
    EXPECT_FALSE(t.port.begin({50, 1}, one_host(), engine_rig::default_envelope()));
    EXPECT_EQ(t.counts.transactions_refused.get(), 1U);
    t.abandon(a);
    EXPECT_TRUE(t.port.begin({50, 1}, one_host(), engine_rig::default_envelope()));
}

TEST(relay_engine, the_rings_hold_all_that_all_transactions_can_have_in_flight) {
    // Nobody takes commands while every transaction says all it may; then all events come before any is taken.
    constexpr std::uint32_t cells = 16;
    engine_rig t(engine_rig::plain_settings(), cells, cells * credits_per_transaction);
    EXPECT_GE(t.ring.commands.capacity(), cells * commands_per_cell);
    EXPECT_GE(t.ring.events.capacity(), cells * news_per_cell);
    for (std::uint32_t i = 0; i < cells; ++i) {
        const transaction_id id{i, 1};
        ASSERT_TRUE(t.port.begin(id, one_host(), engine_rig::default_envelope()));
        for (int n = 0; n < 100; ++n) {
            t.port.recipient(id, "user@example.com", {.listed = true});
        }
        t.port.data(id);
        t.port.abandon(id);
    }
    for (std::uint32_t i = 0; i < cells; ++i) {
        EXPECT_FALSE(t.port.begin({100 + i, 1}, one_host(), engine_rig::default_envelope()));
    }
    t.run();
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, events_of_an_earlier_use_of_a_slot_never_show) {
    engine_rig t;
    const transaction_id old_one{9, 1};
    ASSERT_TRUE(t.port.begin(old_one, one_host(), engine_rig::default_envelope()));
    t.port.recipient(old_one, "a@example.com", {.listed = true});
    t.run();
    const link_id mx = t.last_link();
    t.greet(mx);
    // The answer and the new transaction cross.
    t.work.link_received(mx, std::string_view("250 ok\r\n250 old\r\n"), t.now);
    t.port.abandon(old_one);
    const transaction_id new_one{9, 2};
    ASSERT_TRUE(t.port.begin(new_one, one_host(), engine_rig::default_envelope()));
    t.port.recipient(new_one, "b@example.com", {.listed = true});
    t.run();
    EXPECT_EQ(t.event_of(old_one), "nothing");
    EXPECT_EQ(t.event_of(new_one), "nothing");
    EXPECT_EQ(t.counts.stale_messages.get(), 1U);
}

TEST(relay_engine, calls_for_a_transaction_that_is_over_do_nothing) {
    engine_rig t;
    const auto [id, mx] = t.accepted(one_host());
    t.hang_up(mx);
    EXPECT_EQ(t.event_of(id), std::string("aborted ") + no_server);
    t.rcpt(id, "x@example.com");
    t.data(id);
    EXPECT_EQ(t.port.room(id), 0U);
    EXPECT_EQ(t.port.chunk(id, std::string_view("abc")), 0U);
    t.end(id);
    t.abandon(id);
    EXPECT_EQ(t.event_of(id), "nothing");
    EXPECT_TRUE(t.nothing_left());
}

TEST(relay_engine, finishing_begins_nothing_and_cutting_off_ends_everything) {
    engine_rig t;
    const auto held = t.in_content(one_host());
    EXPECT_TRUE(t.work.finish());
    EXPECT_EQ(t.event_of(t.begin(one_host())), "aborted 451 4.3.2 System is shutting down");
    t.content(held.id, "abc\r\n");
    t.work.cut_off(t.now);
    t.run();
    EXPECT_EQ(t.answer_of(held.id), "aborted 451 4.3.2 System is shutting down");
    EXPECT_TRUE(t.closed_by_us(held.link));
    EXPECT_EQ(t.heard(held.link).find("\r\n.\r\n"), std::string::npos);
    EXPECT_FALSE(t.work.finish());
    EXPECT_TRUE(t.nothing_left());
    EXPECT_EQ(t.counts.connections_open.get(), 0U);
}

TEST(relay_engine, no_deadline_outlives_what_it_was_for) {
    engine_rig t;
    t.pooled(one_host());
    t.pass(31s);
    EXPECT_EQ(t.work.poll_at(), shard::never);
    EXPECT_EQ(t.counts.connections_open.get(), 0U);
}

}  // namespace
}  // namespace postern::relay::test
