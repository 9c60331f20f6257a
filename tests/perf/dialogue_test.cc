#include "perf/dialogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::perf {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using state = dialogue::state;

constexpr std::string_view ehlo_reply = "250-mx\r\n250-PIPELINING\r\n250 SIZE 1000\r\n";
constexpr std::string_view refused = "550 5.1.1 Invalid recipient\r\n";
constexpr std::string_view ok = "250 2.0.0 Ok\r\n";

/// A dialogue with a scripted server: `hear` plays its octets, `say` gives the next segment.
class conversation {
public:
    explicit conversation(exchange what, std::size_t depth = 1) {
        to_do.exchange = what;
        to_do.depth = depth;
        to_do.recipients.valid = address_list::parse("alice@example.com\n", "list").value();
        to_do.recipients.valid_share = 1;
    }
    void ask_strangers() {
        to_do.recipients.valid_share = 0;
        to_do.recipients.stranger_domains = {"example.com"};
    }
    dialogue& talk() {
        if (!_talk) {
            _talk.emplace(context, 1000, tls);
        }
        return *_talk;
    }
    void hear(std::string_view octets) { talk().received(octets, _now += 10); }
    std::string say(bool stop = false) {
        EXPECT_TRUE(talk().ready());
        std::string out;
        asked = talk().next_segment(out, {_now, _now - waited}, 1000, stop);
        return out;
    }
    /// Up to the answered EHLO.
    void greet() {
        hear("220 mx ESMTP\r\n");
        EXPECT_EQ(say(), "EHLO load.invalid\r\n");
        hear(ehlo_reply);
    }
    void open_transaction() {
        greet();
        EXPECT_EQ(say(), "MAIL FROM:<>\r\n");
        hear(ok);
    }

    plan to_do;
    tally counts;
    thread_context context{to_do, random_source(1), counts};
    bool tls = false;
    std::size_t asked = 0;
    std::uint64_t waited = 0;  ///< ns by which segments are sent later than they were due

private:
    std::optional<dialogue> _talk;
    std::uint64_t _now = 1000;
};

TEST(dialogue, waits_for_the_greeting_before_it_speaks) {
    conversation with(exchange::recipients);
    EXPECT_FALSE(with.talk().ready());
    with.hear("220-mx\r\n");
    EXPECT_FALSE(with.talk().ready());
    with.hear("220 mx\r\n");
    EXPECT_TRUE(with.talk().ready());
}

TEST(dialogue, sends_one_command_at_a_time_without_pipelining) {
    conversation with(exchange::recipients);
    with.to_do.per_transaction = 2;
    with.open_transaction();
    EXPECT_EQ(with.say(), "RCPT TO:<alice@example.com>\r\n");
    EXPECT_EQ(with.asked, 1U);
    EXPECT_FALSE(with.talk().ready());
    with.hear(ok);
    EXPECT_EQ(with.say(), "RCPT TO:<alice@example.com>\r\n");
    with.hear(ok);
    EXPECT_EQ(with.say(), "RSET\r\n");
    with.hear(ok);
    EXPECT_EQ(with.say(), "MAIL FROM:<>\r\n");
    with.hear(ok);
    EXPECT_EQ(with.say(true), "QUIT\r\n");
    with.hear("221 2.0.0 Bye\r\n");
    EXPECT_EQ(with.talk().now_in(), state::done);
    EXPECT_EQ(with.counts.rcpts, 2U);
    EXPECT_EQ(with.counts.accepted, 2U);
    EXPECT_EQ(with.counts.sessions, 1U);
    EXPECT_EQ(with.counts.replies[250], 2U);
    EXPECT_TRUE(with.counts.clean());
}

TEST(dialogue, sends_a_segment_of_the_depth_asked_for_and_awaits_all_replies) {
    conversation with(exchange::recipients, 3);
    with.greet();
    EXPECT_EQ(with.say(),
              "MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nRCPT TO:<alice@example.com>\r\nRCPT "
              "TO:<alice@example.com>\r\n");
    EXPECT_EQ(with.asked, 3U);
    with.hear("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n250");
    EXPECT_FALSE(with.talk().ready());
    with.hear(" 2.1.5 Ok\r\n");
    EXPECT_TRUE(with.talk().ready());
    EXPECT_EQ(with.counts.rcpts, 3U);
}

TEST(dialogue, takes_replies_in_any_pieces) {
    conversation with(exchange::recipients);
    with.open_transaction();
    with.say();
    for (const char c : std::string_view("250-2.1.5 a\r\n250 2.1.5 b\r\n")) {
        EXPECT_FALSE(with.talk().ready());
        with.hear({&c, 1});
    }
    EXPECT_TRUE(with.talk().ready());
    EXPECT_TRUE(with.counts.clean());
}

TEST(dialogue, counts_a_wrong_answer_to_rcpt_and_goes_on) {
    conversation with(exchange::recipients);
    with.open_transaction();
    with.say();
    with.hear(refused);
    EXPECT_EQ(with.counts.wrong, 1U);
    EXPECT_THAT(with.counts.examples.at(0),
                HasSubstr("RCPT TO:<alice@example.com>: expected 250, the answer was '550 5.1.1 Invalid recipient'"));
    EXPECT_TRUE(with.talk().ready());
}

TEST(dialogue, wants_strangers_refused_as_told) {
    conversation with(exchange::recipients);
    with.ask_strangers();
    ASSERT_TRUE(with.to_do.expect.set("stranger=550 5.1.1"));
    with.open_transaction();
    with.say();
    with.hear(refused);
    EXPECT_TRUE(with.counts.clean());
    with.say();
    with.hear("550 5.7.1 no\r\n");
    EXPECT_EQ(with.counts.wrong, 1U);
    with.say();
    with.hear(ok);
    EXPECT_EQ(with.counts.wrong, 2U);
}

TEST(dialogue, ends_at_a_wrong_answer_to_anything_else) {
    conversation with(exchange::recipients);
    with.greet();
    with.say();
    with.hear("451 4.3.0 not now\r\n");
    EXPECT_EQ(with.talk().now_in(), state::failed);
    EXPECT_EQ(with.counts.wrong, 1U);
    EXPECT_THAT(with.counts.examples.at(0), HasSubstr("MAIL: expected 250"));

    conversation other(exchange::recipients);
    other.hear("554 go away\r\n");
    EXPECT_EQ(other.talk().now_in(), state::failed);
    EXPECT_THAT(other.counts.examples.at(0), HasSubstr("greeting: expected 220"));
}

TEST(dialogue, counts_what_is_no_reply) {
    const std::string_view lines[] = {"hello\r\n",  "25 ok\r\n",          "250ok\r\n", "650 ok\r\n",
                                      "150 ok\r\n", "250-a\r\n550 b\r\n", "250 ok\n",  "250 ok\r\n250 more\r\n",
                                      "\r\n"};
    for (const auto text : lines) {
        conversation with(exchange::recipients);
        with.open_transaction();
        with.say();
        with.hear(text);
        EXPECT_EQ(with.talk().now_in(), state::failed) << text;
        EXPECT_EQ(with.counts.wrong, 1U) << text;
    }
}

TEST(dialogue, bounds_what_a_server_can_make_it_keep) {
    conversation with(exchange::recipients);
    with.hear("220 " + std::string(3000, 'x'));
    EXPECT_EQ(with.talk().now_in(), state::talking);
    with.hear(std::string(3000, 'x'));
    EXPECT_EQ(with.talk().now_in(), state::failed);

    conversation other(exchange::recipients);
    for (std::size_t i = 0; i <= dialogue::lines_limit; ++i) {
        other.hear("220-more\r\n");
    }
    EXPECT_EQ(other.talk().now_in(), state::failed);
    EXPECT_EQ(other.counts.wrong, 1U);
}

TEST(dialogue, does_not_pipeline_to_a_server_that_does_not_offer_it) {
    conversation with(exchange::recipients, 10);
    with.hear("220 mx\r\n");
    with.say();
    with.hear("250-mx\r\n250 8BITMIME\r\n");
    EXPECT_EQ(with.talk().now_in(), state::failed);
    EXPECT_THAT(with.counts.examples.at(0), HasSubstr("PIPELINING"));

    conversation shouting(exchange::recipients, 10);
    shouting.hear("220 mx\r\n");
    shouting.say();
    shouting.hear("250-mx\r\n250 pipelining\r\n");
    EXPECT_TRUE(shouting.talk().ready());
}

constexpr std::string_view ehlo_reply_with_tls = "250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n";

/// Up to the answer to STARTTLS.
void ask_for_tls(conversation& with) {
    with.tls = true;
    with.hear("220 mx\r\n");
    EXPECT_EQ(with.say(), "EHLO load.invalid\r\n");
    with.hear(ehlo_reply_with_tls);
    EXPECT_FALSE(with.talk().next_counts());
    EXPECT_EQ(with.say(), "STARTTLS\r\n");
    with.hear("220 2.0.0 Ready\r\n");
}

TEST(dialogue, begins_anew_inside_tls) {
    conversation with(exchange::recipients, 2);
    ask_for_tls(with);
    EXPECT_EQ(with.talk().now_in(), state::securing);
    EXPECT_FALSE(with.talk().ready());
    with.talk().secured(1000 + 500);
    EXPECT_EQ(with.counts.handshakes, 1U);
    EXPECT_EQ(with.counts.handshake_latency.most(), 500U - 30U);
    EXPECT_EQ(with.say(), "EHLO load.invalid\r\n");
    with.hear(ehlo_reply);
    EXPECT_EQ(with.say(), "MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nRCPT TO:<alice@example.com>\r\n");
    with.hear("250 a\r\n250 b\r\n550 c\r\n");
    EXPECT_EQ(with.counts.wrong, 1U) << "replies are checked as in the clear";
}

TEST(dialogue, counts_only_what_is_announced_inside_tls) {
    conversation with(exchange::recipients, 2);
    ask_for_tls(with);
    with.talk().secured(1000);
    with.say();
    with.hear("250 mx\r\n");
    EXPECT_THAT(with.counts.examples.at(0), HasSubstr("PIPELINING"));
}

TEST(dialogue, asks_for_tls_only_where_it_is_announced) {
    conversation with(exchange::recipients);
    with.tls = true;
    with.hear("220 mx\r\n");
    with.say();
    with.hear(ehlo_reply);
    EXPECT_EQ(with.talk().now_in(), state::failed);
    EXPECT_THAT(with.counts.examples.at(0), HasSubstr("does not announce STARTTLS"));

    conversation unwilling(exchange::recipients);
    unwilling.tls = true;
    unwilling.hear("220 mx\r\n");
    unwilling.say();
    unwilling.hear(ehlo_reply_with_tls);
    unwilling.say();
    unwilling.hear("454 4.7.0 TLS not available\r\n");
    EXPECT_EQ(unwilling.talk().now_in(), state::failed);
    EXPECT_THAT(unwilling.counts.examples.at(0), HasSubstr("STARTTLS: expected 220"));
}

TEST(dialogue, takes_nothing_in_the_clear_after_the_answer_to_starttls) {
    conversation with(exchange::recipients);
    with.tls = true;
    with.hear("220 mx\r\n");
    with.say();
    with.hear(ehlo_reply_with_tls);
    with.say();
    with.hear("220 ready\r\n250 slipped in\r\n");
    EXPECT_EQ(with.talk().now_in(), state::failed);
    EXPECT_EQ(with.counts.wrong, 1U);
    EXPECT_THAT(with.counts.examples.at(0), HasSubstr("250 slipped in"));
}

TEST(dialogue, counts_a_handshake_that_fails_or_ends_or_takes_too_long) {
    conversation failed(exchange::recipients);
    ask_for_tls(failed);
    failed.talk().handshake_failed("wrong version number");
    EXPECT_EQ(failed.counts.handshake_errors, 1U);
    EXPECT_FALSE(failed.counts.clean());
    EXPECT_EQ(failed.counts.examples.at(0), "no TLS: wrong version number");

    conversation lost(exchange::recipients);
    ask_for_tls(lost);
    lost.talk().lost("closed by the server");
    EXPECT_EQ(lost.counts.dropped, 1U);
    EXPECT_THAT(lost.counts.examples.at(0), HasSubstr("at the TLS handshake"));

    conversation late(exchange::recipients);
    ask_for_tls(late);
    late.talk().timed_out();
    EXPECT_EQ(late.counts.timeouts, 1U);
}

TEST(dialogue, of_churn_is_one_recipient_and_quit) {
    conversation with(exchange::sessions);
    with.open_transaction();
    EXPECT_EQ(with.say(), "RCPT TO:<alice@example.com>\r\n");
    with.hear(ok);
    EXPECT_EQ(with.say(), "QUIT\r\n");
    with.hear("221 Bye\r\n");
    EXPECT_EQ(with.talk().now_in(), state::done);
    EXPECT_EQ(with.counts.session_latency.count(), 1U);

    conversation pipelined(exchange::sessions, 10);
    pipelined.greet();
    EXPECT_EQ(pipelined.say(), "MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nQUIT\r\n");
}

TEST(dialogue, delivers_a_message_after_354_and_only_then) {
    conversation with(exchange::messages, 5);
    with.to_do.per_transaction = 2;
    with.to_do.body = "Subject: x\r\n\r\ny\r\n";
    with.greet();
    EXPECT_EQ(with.say(), "MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    with.hear("250 a\r\n250 b\r\n250 c\r\n");
    EXPECT_FALSE(with.talk().ready());
    with.hear("354 go\r\n");
    EXPECT_EQ(with.say(true), "Subject: x\r\n\r\ny\r\n.\r\n");
    with.hear(ok);
    EXPECT_EQ(with.counts.messages, 1U);
    EXPECT_TRUE(with.talk().between_transactions());
    EXPECT_EQ(with.say(true), "QUIT\r\n");
}

TEST(dialogue, expects_data_to_be_refused_when_every_recipient_was) {
    conversation with(exchange::messages, 5);
    with.ask_strangers();
    with.to_do.per_transaction = 1;
    with.greet();
    EXPECT_THAT(with.say(), MatchesRegex("MAIL FROM:<>\r\nRCPT TO:<[a-z0-9]+@example.com>\r\nDATA\r\n"));
    with.hear("250 a\r\n");
    with.hear(refused);
    with.hear("554 5.5.1 no valid recipients\r\n");
    EXPECT_TRUE(with.counts.clean());
    EXPECT_THAT(with.say(), testing::StartsWith("RSET\r\nMAIL FROM:<>\r\nRCPT"));
    with.hear("250 a\r\n250 b\r\n");
    with.hear(refused);
    with.hear("354 go ahead\r\n");
    EXPECT_EQ(with.counts.wrong, 1U);
    EXPECT_EQ(with.talk().now_in(), state::failed);
}

TEST(dialogue, tells_a_lost_connection_from_an_ended_one) {
    conversation with(exchange::recipients);
    with.open_transaction();
    with.say();
    with.talk().lost("closed by the server");
    EXPECT_EQ(with.counts.dropped, 1U);
    EXPECT_THAT(with.counts.examples.at(0), HasSubstr("at RCPT TO:<alice@example.com>"));

    conversation ended(exchange::recipients);
    ended.greet();
    ended.say(true);
    ended.hear("221 Bye\r\n");
    ended.talk().lost("closed by the server");
    EXPECT_TRUE(ended.counts.clean());

    conversation late(exchange::recipients);
    late.talk().timed_out();
    EXPECT_EQ(late.counts.timeouts, 1U);
}

TEST(dialogue, measures_from_the_sending_to_the_reply) {
    conversation with(exchange::recipients);
    with.open_transaction();
    with.say();
    with.hear(ok);
    EXPECT_EQ(with.counts.rcpt_latency.count(), 1U);
    EXPECT_EQ(with.counts.rcpt_latency.most(), 10U);
}

TEST(dialogue, measures_from_when_a_segment_was_due) {
    conversation with(exchange::recipients);
    with.open_transaction();
    with.waited = 500;
    with.say();
    with.hear(ok);
    EXPECT_EQ(with.counts.rcpt_latency.most(), 510U);

    conversation of_messages(exchange::messages);
    of_messages.to_do.per_transaction = 1;
    of_messages.to_do.body = "x\r\n";
    of_messages.open_transaction();
    of_messages.say();
    of_messages.hear(ok);
    of_messages.say();
    of_messages.hear("354 go\r\n");
    of_messages.waited = 700;
    of_messages.say();
    of_messages.hear(ok);
    EXPECT_EQ(of_messages.counts.message_latency.most(), 710U);
}

TEST(dialogue, says_which_segments_a_rate_counts) {
    conversation one_by_one(exchange::recipients);
    one_by_one.hear("220 mx\r\n");
    EXPECT_FALSE(one_by_one.talk().next_counts()) << "EHLO";
    one_by_one.say();
    one_by_one.hear(ehlo_reply);
    EXPECT_FALSE(one_by_one.talk().next_counts()) << "MAIL";
    one_by_one.say();
    one_by_one.hear(ok);
    EXPECT_TRUE(one_by_one.talk().next_counts());

    conversation pipelined(exchange::recipients, 10);
    pipelined.greet();
    EXPECT_TRUE(pipelined.talk().next_counts()) << "MAIL with its RCPTs";

    conversation of_messages(exchange::messages);
    of_messages.greet();
    EXPECT_TRUE(of_messages.talk().next_counts()) << "MAIL begins a message";
    of_messages.say();
    of_messages.hear(ok);
    EXPECT_FALSE(of_messages.talk().next_counts());
}

TEST(dialogue, holds_answers_for_addresses_of_one_list_against_the_swap_windows) {
    constexpr std::uint64_t words[] = {swap_windows::magic, 1, 1, 1, 1, 1};  // list B from the start
    const swap_windows windows(words);
    swap_judge judge(windows);
    conversation with(exchange::recipients);
    with.to_do.recipients.only_a = address_list::parse("a@example.com\n", "a").value();
    with.to_do.recipients.only_b = address_list::parse("b@example.com\n", "b").value();
    with.to_do.recipients.valid_share = 0;
    with.to_do.recipients.swap_share = 1;
    with.context.windows = &windows;
    with.context.judge = &judge;
    with.open_transaction();
    for (int i = 0; i < 20; ++i) {
        const bool only_b = with.say() == "RCPT TO:<b@example.com>\r\n";
        with.hear(only_b ? ok : refused);
    }
    EXPECT_EQ(with.counts.wrong, 0U);
    const bool only_b = with.say() == "RCPT TO:<b@example.com>\r\n";
    with.hear(only_b ? refused : ok);
    EXPECT_EQ(with.counts.wrong, 1U);
    with.say();
    with.hear("451 4.3.0 no table\r\n");
    EXPECT_EQ(with.counts.wrong, 2U);
    EXPECT_EQ(judge.judged(), 21U);
    EXPECT_EQ(with.counts.calm_latency.count(), 22U);
}

TEST(tally, keeps_the_first_examples_only) {
    tally counts;
    for (int i = 0; i < 100; ++i) {
        counts.count(counts.wrong, "wrong " + std::to_string(i));
    }
    EXPECT_EQ(counts.wrong, 100U);
    EXPECT_EQ(counts.examples.size(), tally::examples_kept);
    EXPECT_EQ(counts.examples.at(0), "wrong 0");
    tally sum;
    sum.add(counts);
    sum.add(counts);
    EXPECT_EQ(sum.wrong, 200U);
    EXPECT_EQ(sum.examples.size(), tally::examples_kept);
}

}  // namespace
}  // namespace postern::perf
