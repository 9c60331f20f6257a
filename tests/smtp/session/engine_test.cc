// What a dialogue can't show: many sessions at once, limits of memory and room, counters, stale messages.
#include "smtp/session/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/smtp/session/world.h"

namespace postern::session {

namespace {

using testing::usual_settings;
using testing::world;
using namespace std::chrono_literals;

std::string repeated(const std::string& unit, std::size_t count) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        all += unit;
    }
    return all;
}

std::size_t occurrences(const std::string& in, const std::string& of) {
    std::size_t count = 0;
    for (std::size_t at = in.find(of); at != std::string::npos; at = in.find(of, at + of.size())) {
        ++count;
    }
    return count;
}

TEST(engine, answers_strangers_in_the_turn_that_read_them) {
    world w;
    const auto c = w.hello();
    w.loop.send(c, "MAIL FROM:<>\r\nRCPT TO:<nobody@example.com>\r\nRCPT TO:<x@elsewhere.example>\r\n");
    w.loop.turn();
    EXPECT_EQ(w.loop.receive(c),
              "250 2.1.0 Sender OK\r\n550 5.1.1 Invalid recipient\r\n550 5.7.1 Domain not served here\r\n");
}

TEST(engine, tells_what_became_of_the_recipients_of_served_domains) {
    world w;
    const auto c = w.hello();
    w.ask(c,
          "MAIL FROM:<>\r\nRCPT TO:<nobody@example.com>\r\nRCPT TO:<x@elsewhere.example>\r\n"
          "RCPT TO:<@a.example:Alice@Example.com>\r\nRCPT TO:<postmaster>\r\nRCPT TO:<Postmaster@example.com>\r\n");
    std::vector<std::string> told;
    for (const seen_recipient* s = w.seen.front(); s != nullptr; w.seen.drop(), s = w.seen.front()) {
        EXPECT_EQ(s->domain, 1U);
        told.push_back(std::to_string(static_cast<int>(s->outcome)) + " " + std::string(s->path()));
    }
    const std::string listed = std::to_string(static_cast<int>(outcome::listed));
    EXPECT_EQ(told,
              (std::vector<std::string>{std::to_string(static_cast<int>(outcome::rejected)) + " nobody@example.com",
                                        listed + " Alice@Example.com", listed + " Postmaster@example.com"}));
}

TEST(engine, tells_of_an_unlisted_recipient_what_the_mail_server_said) {
    auto section = testing::usual_domains();
    section.domains[0].mode = recipients::mode::observe;
    world w(usual_settings(), recipients::testing::snapshot_of(testing::usual_list(), section, 7));
    w.relay.answers.recipient = {"250 2.1.5 OK", "550 5.1.1 No such user", "451 4.3.0 Later"};
    const auto c = w.hello();
    w.ask(c,
          "MAIL FROM:<>\r\nRCPT TO:<one@example.com>\r\nRCPT TO:<two@example.com>\r\nRCPT TO:<three@example.com>\r\n");
    std::vector<std::string> told;
    for (const seen_recipient* s = w.seen.front(); s != nullptr; w.seen.drop(), s = w.seen.front()) {
        told.push_back(std::to_string(static_cast<int>(s->outcome)) + " " + std::string(s->path()));
    }
    const auto line = [](outcome how, const char* path) { return std::to_string(static_cast<int>(how)) + " " + path; };
    EXPECT_EQ(told, (std::vector<std::string>{line(outcome::would_reject, "one@example.com"),
                                              line(outcome::refused_behind, "two@example.com"),
                                              line(outcome::unknown, "three@example.com")}));
}

TEST(engine, tells_the_relay_of_which_recipients_mail_would_be_evidence) {
    auto section = testing::usual_domains();
    section.domains[0].mode = recipients::mode::discover;
    world w(usual_settings(), recipients::testing::snapshot_of(testing::usual_list(), section, 7));
    const auto c = w.hello();
    w.ask(c,
          "MAIL FROM:<ann@sender.example>\r\nRCPT TO:<one@example.com>\r\nRCPT TO:<alice@example.com>\r\n"
          "RCPT TO:<postmaster@example.com>\r\n");
    EXPECT_EQ(std::vector<std::string>(w.relay.log.end() - 3, w.relay.log.end()),
              (std::vector<std::string>{"recipient <one@example.com> unlisted, domain 1 discovers",
                                        "recipient <alice@example.com> listed",
                                        "recipient <postmaster@example.com> listed"}));
}

TEST(engine, sends_the_replies_of_a_turn_at_once) {
    world w;
    const auto c = w.hello();
    const std::size_t before = w.loop.sends(c).size();
    w.ask(c, "MAIL FROM:<>\r\n" + repeated("RCPT TO:<nobody@example.com>\r\n", 50));
    EXPECT_EQ(w.loop.sends(c).size(), before + 1);
}

TEST(engine, keeps_64_recipients_waiting_and_no_more) {
    world w;
    for (int i = 0; i < 200; ++i) {
        w.relay.answers.recipient.emplace_back(std::nullopt);
    }
    const auto c = w.hello();
    EXPECT_EQ(w.ask(c, "MAIL FROM:<>\r\n" + repeated("RCPT TO:<alice@example.com>\r\n", 70)),
              "250 2.1.0 Sender OK\r\n");
    const auto asked = [&] {
        return std::count(w.relay.log.begin(), w.relay.log.end(), "recipient <alice@example.com> listed");
    };
    EXPECT_EQ(asked(), 64);
    EXPECT_EQ(w.loop.unconsumed(c), 6 * std::string("RCPT TO:<alice@example.com>\r\n").size());
    w.relay.answer_recipient("250 2.1.5 OK");
    EXPECT_EQ(w.ask(c, ""), "250 2.1.5 OK\r\n");
    EXPECT_EQ(asked(), 65);
}

TEST(engine, resolves_a_full_batch_within_a_turn) {
    world w;
    std::vector<shard::connection> all;
    all.reserve(12);
    for (int i = 0; i < 12; ++i) {
        all.push_back(w.hello());
    }
    const std::string flood =
        "MAIL FROM:<>\r\n" + repeated("RCPT TO:<nobody@example.com>\r\nRCPT TO:<alice@example.com>\r\n", 31);
    for (const auto c : all) {
        w.loop.send(c, flood);
    }
    w.loop.settle();
    for (const auto c : all) {
        EXPECT_EQ(w.loop.receive(c),
                  "250 2.1.0 Sender OK\r\n" + repeated("550 5.1.1 Invalid recipient\r\n250 2.1.5 OK\r\n", 31));
    }
    EXPECT_EQ(w.count.recipients.get(), 12U * 62U);
    EXPECT_EQ(w.count.recipients_invalid.get(), 12U * 31U);
}

TEST(engine, stops_reading_a_client_that_does_not_take_its_replies) {
    world w;
    w.transport.output_limit = w.transport.max_reserve;
    const auto c = w.hello();
    w.loop.stall(c, true);
    const std::size_t count = 3000;
    w.loop.send(c, "MAIL FROM:<>\r\n" + repeated("RCPT TO:<nobody@example.com>\r\n", count));
    w.loop.settle();
    EXPECT_GT(w.loop.unconsumed(c), 0U);
    w.loop.stall(c, false);
    w.loop.settle();
    const std::string heard = w.loop.receive(c);
    EXPECT_EQ(occurrences(heard, "550 5.1.1 Invalid recipient\r\n"), count);
    EXPECT_EQ(w.loop.unconsumed(c), 0U);
}

TEST(engine, keeps_the_refusal_of_a_single_recipient_until_there_is_room) {
    settings under = usual_settings();
    under.texts = 1;  // and needs no memory but its transaction's for that
    world w(under);
    std::vector<shard::connection> all;
    for (int i = 0; i < 3; ++i) {
        all.push_back(w.hello());
        w.ask(all.back(), "MAIL FROM:<>\r\n");
        w.loop.stall(all.back(), true);
    }
    w.transport.output_limit = 10;
    for (const auto c : all) {
        w.loop.send(c, "RCPT TO:<nobody@example.com>\r\nRSET\r\n");
    }
    w.loop.settle();
    w.transport.output_limit = w.transport.max_reserve;
    for (const auto c : all) {
        w.loop.stall(c, false);
    }
    w.loop.settle();
    for (const auto c : all) {
        EXPECT_EQ(w.loop.receive(c), "550 5.1.1 Invalid recipient\r\n250 2.0.0 OK\r\n");
    }
    EXPECT_EQ(w.count.aborted_memory.get(), 0U);
}

TEST(engine, answers_recipients_of_one_turn_in_order_however_they_came) {
    // One alone, then a second in a segment of its own; a refusal before any lookup; a command that waits for all.
    for (const std::vector<std::string>& parts : std::vector<std::vector<std::string>>{
             {"RCPT TO:<nobody@example.com>\r\n", "RCPT TO:<alice@example.com>\r\n", "NOOP\r\n"},
             {"RCPT TO:<nobody@example.com>\r\nRCPT TO:<alice@example.com>\r\n", "NOOP\r\n"},
             {"RCPT TO:<nobody@example.com>\r\nRCPT TO:<alice@exam", "ple.com>\r\nNOOP\r\n"},
         }) {
        world w;
        const auto c = w.hello();
        w.ask(c, "MAIL FROM:<>\r\n");
        for (const std::string& part : parts) {
            w.loop.send(c, part);
        }
        w.loop.settle();
        EXPECT_EQ(w.loop.receive(c), "550 5.1.1 Invalid recipient\r\n250 2.1.5 OK\r\n250 2.0.0 OK\r\n");
        EXPECT_EQ(w.count.recipients.get(), 2U);
    }
    world w;
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\n");
    EXPECT_EQ(w.ask(c,
                    "RCPT TO:<nobody@example.com>\r\nRCPT TO:<bob@[192.0.2.1]>\r\nRCPT TO:<a b@example.com>\r\n"
                    "RCPT TO:<alice@example.com>\r\n"),
              "550 5.1.1 Invalid recipient\r\n550 5.7.1 Domain not served here\r\n"
              "501 5.1.3 Bad recipient address\r\n250 2.1.5 OK\r\n");
}

TEST(engine, cuts_off_a_client_that_never_takes_its_replies) {
    world w;
    w.transport.output_limit = w.transport.max_reserve;
    const auto c = w.hello();
    w.loop.stall(c, true);
    w.loop.send(c, repeated("NOOP\r\n", 5000));
    w.loop.settle();
    w.loop.advance(299s);
    EXPECT_TRUE(w.loop.is_open(c));
    w.loop.advance(1s);
    EXPECT_FALSE(w.loop.is_open(c));
    EXPECT_EQ(w.count.timeouts.get(), 1U);
}

TEST(engine, holds_the_answer_to_a_message_until_there_is_room) {
    world w;
    w.transport.output_limit = w.transport.max_reserve;
    w.relay.answers.final.emplace_back(std::nullopt);
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    w.loop.stall(c, true);
    w.ask(c, ".\r\n");
    // Another turn's worth of replies can't be had while the final answer waits, so fill the room by a smaller limit.
    w.transport.output_limit = 10;
    w.relay.answer_final("250 2.0.0 Taken");
    w.loop.send(c, "NOOP\r\n");
    w.loop.settle();
    EXPECT_EQ(w.loop.receive(c), "");
    w.transport.output_limit = w.transport.max_reserve;
    w.loop.stall(c, false);
    w.loop.settle();
    EXPECT_EQ(w.loop.receive(c), "250 2.0.0 Taken\r\n250 2.0.0 OK\r\n");
}

TEST(engine, resets_a_session_whose_replies_it_cannot_keep) {
    settings under = usual_settings();
    under.texts = 1;
    world w(under);
    w.relay.answers.recipient = {std::nullopt, std::nullopt, std::nullopt};
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\n");
    w.ask(c, "RCPT TO:<alice@example.com>\r\nRCPT TO:<bob@example.com>\r\n");
    w.transport.output_limit = 10;
    w.relay.answer_recipient("250 2.1.5 OK");
    w.relay.answer_recipient("250 2.1.5 OK");
    w.loop.settle();
    EXPECT_TRUE(w.loop.saw_rst(c));
    EXPECT_EQ(w.count.aborted_memory.get(), 1U);
    EXPECT_EQ(w.relay.open_transactions(), 0U);
    EXPECT_EQ(w.layer.open_sessions(), 0U);
}

TEST(engine, refuses_transactions_beyond_its_memory) {
    settings under = usual_settings();
    under.transactions = 2;
    world w(under);
    const auto a = w.hello();
    const auto b = w.hello();
    const auto c = w.hello();
    EXPECT_EQ(w.ask(a, "MAIL FROM:<>\r\n"), "250 2.1.0 Sender OK\r\n");
    EXPECT_EQ(w.ask(b, "MAIL FROM:<>\r\n"), "250 2.1.0 Sender OK\r\n");
    EXPECT_EQ(w.ask(c, "MAIL FROM:<>\r\n"), "452 4.3.1 Out of memory, try later\r\n");
    w.ask(a, "RSET\r\n");
    EXPECT_EQ(w.ask(c, "MAIL FROM:<>\r\n"), "250 2.1.0 Sender OK\r\n");
}

TEST(engine, drops_what_the_relay_says_of_a_transaction_that_is_over) {
    world w;
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\n");
    const auto old = w.relay.only();
    w.ask(c, "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    w.relay.stray(relay::event_kind::final, old, "250 2.0.0 Taken");
    w.relay.stray(relay::event_kind::aborted, {.slot = 4711, .serial = 1}, "451 4.4.1 Gone");
    EXPECT_EQ(w.ask(c, ""), "");
    EXPECT_EQ(w.count.stale_events.get(), 2U);
    EXPECT_EQ(w.ask(c, ".\r\n"), "250 2.0.0 Delivered\r\n");
}

TEST(engine, never_says_250_to_a_message_before_the_relay_does) {
    world w;
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    w.relay.answer_final("250 2.0.0 Too early");
    EXPECT_EQ(w.ask(c, "text\r\n"), "");
    EXPECT_EQ(w.ask(c, ".\r\n"), "451 4.3.0 Busy, try later\r\n");
    EXPECT_EQ(w.count.messages.get(), 0U);
}

TEST(engine, takes_no_acceptance_for_an_answer_where_only_a_refusal_can_be_meant) {
    world w;
    w.relay.answers.recipient = {std::nullopt};
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\n");
    w.relay.abort("250 2.1.5 OK");
    EXPECT_EQ(w.ask(c, ""), "451 4.3.0 Busy, try later\r\n");
    EXPECT_EQ(w.ask(c, "DATA\r\n"), "554 5.5.1 No valid recipients\r\n");
    w.relay.answers.data = {"250 2.0.0 OK"};
    EXPECT_EQ(w.ask(c, "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n"),
              "250 2.0.0 OK\r\n250 2.1.0 Sender OK\r\n250 2.1.5 OK\r\n451 4.3.0 Busy, try later\r\n");
}

TEST(engine, refuses_a_message_of_which_the_relay_lost_something) {
    world w;
    w.relay.keeps_its_word = false;
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    EXPECT_EQ(w.ask(c, "text\r\n.\r\n"), "451 4.3.0 Busy, try later\r\n");
    EXPECT_EQ(w.relay.log.back(), "abandon");
}

TEST(engine, stamps_its_decisions_with_the_generation) {
    world w;
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\nRCPT TO:<nobody@example.com>\r\n");
    EXPECT_EQ(w.count.generation.get(), 7U);
}

TEST(engine, counts_what_it_does) {
    world w;
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\nRCPT TO:<nobody@example.com>\r\nRCPT TO:<alice@example.com>\r\nFOO\r\nDATA\r\n");
    w.ask(c, "text\r\n.\r\n");
    EXPECT_EQ(w.count.sessions.get(), 1U);
    EXPECT_EQ(w.count.sessions_open.get(), 1U);
    EXPECT_EQ(w.count.recipients_invalid.get(), 1U);
    EXPECT_EQ(w.count.recipients_passed.get(), 1U);
    EXPECT_EQ(w.count.recipients_accepted.get(), 1U);
    EXPECT_EQ(w.count.recipients.get(), 2U);
    EXPECT_EQ(w.count.protocol_errors.get(), 1U);
    EXPECT_EQ(w.count.messages.get(), 1U);
    EXPECT_EQ(w.count.octets.get(), 6U);
    w.ask(c, "QUIT\r\n");
    EXPECT_EQ(w.count.sessions_open.get(), 0U);
    std::size_t names = 0;
    w.count.each([&](std::string_view name, std::uint64_t) {
        EXPECT_EQ(name.substr(0, 5), "smtp_");
        ++names;
    });
    // All but the generation have a name; the rest of the last cache line is empty.
    EXPECT_GE(sizeof(counters), (names + 1) * sizeof(counter));
    EXPECT_LT(sizeof(counters), (names + 1) * sizeof(counter) + alignof(counters));
}

TEST(engine, forgets_a_connection_that_is_reset_with_lookups_outstanding) {
    world w;
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\n");
    // Parsed and then reset within one turn: the batch still has its lookup.
    w.layer.turn_begin();
    const std::string line = "RCPT TO:<alice@example.com>\r\n";
    EXPECT_EQ(w.layer.readable(c, {line.data(), line.size()}), line.size());
    w.layer.reset(c);
    w.layer.turn_end();
    EXPECT_EQ(w.layer.open_sessions(), 0U);
    EXPECT_TRUE(w.relay.log.empty());
}

TEST(engine, tells_sessions_of_one_slot_apart) {
    world w;
    const auto first = w.hello();
    w.ask(first, "MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\n");
    w.loop.reset(first);
    w.loop.settle();
    const auto second = w.connect();
    EXPECT_EQ(second.slot, first.slot);
    EXPECT_EQ(w.ask(second, "RCPT TO:<bob@example.com>\r\n"), "503 5.5.1 EHLO first\r\n");
    EXPECT_EQ(w.count.disconnected.get(), 1U);
    EXPECT_EQ(w.relay.open_transactions(), 0U);
}

TEST(engine, turns_away_new_connections_while_it_drains) {
    world w;
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\n");
    w.loop.drain();
    const auto late = w.loop.connect();
    w.loop.settle();
    EXPECT_EQ(w.loop.receive(late), "421 4.3.2 Shutting down\r\n");
    EXPECT_EQ(w.ask(c, "RSET\r\n"), "250 2.0.0 OK\r\n421 4.3.2 Shutting down\r\n");
    EXPECT_EQ(w.layer.open_sessions(), 0U);
}

TEST(engine, gives_every_message_an_id_of_its_own) {
    // The fake relay checks the length; here: that two differ is in the serial they are made of.
    world w;
    const auto c = w.hello();
    w.ask(c, "MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\n");
    const auto first = w.relay.only();
    w.ask(c, "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\n");
    EXPECT_NE(w.relay.only().serial, first.serial);
}

TEST(settings, without_fault_are_taken) {
    settings under = usual_settings();
    EXPECT_EQ(find_fault(under), std::nullopt);
    under.command_line_limit = 5000;
    EXPECT_EQ(find_fault(under), "the limit of a command line is 5000, but must be 512 to 4096");
    under = usual_settings();
    under.name = std::string(256, 'a');
    EXPECT_NE(find_fault(under), std::nullopt);
    under = usual_settings();
    under.timeouts.idle = 0ms;
    EXPECT_EQ(find_fault(under), "the idle timeout is not more than 0");
    under = usual_settings();
    under.recipient_limit = 99;
    EXPECT_NE(find_fault(under), std::nullopt);
}

}  // namespace

}  // namespace postern::session
