#include "control/probe/dialogue.h"

#include <gtest/gtest.h>

namespace postern::probe {
namespace {

dialogue fresh() {
    return dialogue({"us.example", "random@example.com", {"edge.example", "Other.Example"}, {}, {}});
}

/// Plays a server that says each of `replies` after the client's command; gives the client's commands.
std::string play(dialogue& with, std::initializer_list<const char*> replies) {
    std::string said;
    for (const char* reply : replies) {
        with.received(reply);
        said += with.take_output();
    }
    return said;
}

std::string steps(const dialogue& of) {
    std::string out;
    for (const step& each : of.steps()) {
        out += each.name + "=" + std::string(to_string(each.outcome)) + " ";
    }
    return out;
}

TEST(dialogue, goes_to_rcpt_and_no_further) {
    dialogue with = fresh();
    EXPECT_EQ(with.take_output(), "") << "the server speaks first";
    const std::string said = play(with, {"220 mx ESMTP\r\n", "250-mx\r\n250-SIZE 1000\r\n250 PIPELINING\r\n",
                                         "250 ok\r\n", "550 5.1.1 unknown\r\n", "250 ok\r\n", "221 bye\r\n"});
    EXPECT_EQ(said, "EHLO us.example\r\nMAIL FROM:<>\r\nRCPT TO:<random@example.com>\r\nRSET\r\nQUIT\r\n");
    EXPECT_TRUE(with.done());
    EXPECT_TRUE(with.usable());
    EXPECT_EQ(with.catch_all(), false);
    EXPECT_EQ(with.extensions(), (std::vector<std::string>{"SIZE 1000", "PIPELINING"}));
    EXPECT_EQ(steps(with), "greeting=good ehlo=good tls=skipped sender=good recipient=good ");
}

TEST(dialogue, asks_for_the_addresses_that_must_work) {
    dialogue with({"us.example", "random@example.com", {}, "postmaster@example.com", "abuse@example.com"});
    const std::string said = play(with, {"220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "550 no\r\n", "550 no\r\n",
                                         "451 later\r\n", "250 ok\r\n", "221 bye\r\n"});
    EXPECT_EQ(said,
              "EHLO us.example\r\nMAIL FROM:<>\r\nRCPT TO:<random@example.com>\r\nRCPT TO:<postmaster@example.com>\r\n"
              "RCPT TO:<abuse@example.com>\r\nRSET\r\nQUIT\r\n");
    EXPECT_EQ(with.postmaster(), false);
    EXPECT_EQ(with.abuse(), std::nullopt);
    EXPECT_TRUE(with.usable());
    EXPECT_EQ(steps(with),
              "greeting=good ehlo=good tls=skipped sender=good recipient=good postmaster=bad abuse=skipped ");
}

TEST(dialogue, takes_octets_as_they_come) {
    dialogue with = fresh();
    std::string said;
    for (const char c : std::string("220 mx\r\n250 mx\r\n250 ok\r\n550 no\r\n250 ok\r\n221 bye\r\n")) {
        with.received(std::string_view(&c, 1));
        said += with.take_output();
    }
    EXPECT_TRUE(with.done());
    EXPECT_EQ(with.catch_all(), false);
}

TEST(dialogue, a_random_recipient_that_is_accepted_is_a_catch_all) {
    dialogue with = fresh();
    play(with, {"220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "221 bye\r\n"});
    EXPECT_EQ(with.catch_all(), true);
    EXPECT_TRUE(with.usable());
}

TEST(dialogue, a_4xx_to_the_recipient_is_no_finding) {
    dialogue with = fresh();
    play(with, {"220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "451 later\r\n", "250 ok\r\n", "221 bye\r\n"});
    EXPECT_FALSE(with.catch_all());
    EXPECT_TRUE(with.usable());
}

TEST(dialogue, falls_back_to_helo) {
    dialogue with = fresh();
    EXPECT_EQ(play(with, {"220 mx\r\n", "502 no\r\n", "250 mx\r\n"}),
              "EHLO us.example\r\nHELO us.example\r\nMAIL FROM:<>\r\n");
}

TEST(dialogue, our_own_name_in_the_greeting_is_a_loop) {
    for (const char* greeting :
         {"220 edge.example ESMTP\r\n", "220 EDGE.EXAMPLE\r\n", "220-other.example hi\r\n220 more\r\n"}) {
        dialogue with = fresh();
        EXPECT_EQ(play(with, {greeting}), "QUIT\r\n");
        EXPECT_TRUE(with.greets_with_own_name());
        EXPECT_FALSE(with.usable());
    }
    dialogue with = fresh();
    play(with, {"220 edge.example.org ESMTP\r\n"});
    EXPECT_FALSE(with.greets_with_own_name()) << "another name";
}

TEST(dialogue, refusals_end_it_politely) {
    dialogue greeting = fresh();
    EXPECT_EQ(play(greeting, {"554 no\r\n"}), "QUIT\r\n");
    EXPECT_FALSE(greeting.usable());
    dialogue sender = fresh();
    EXPECT_TRUE(play(sender, {"220 mx\r\n", "250 mx\r\n", "550 no\r\n"}).ends_with("QUIT\r\n"));
    EXPECT_FALSE(sender.usable());
}

TEST(dialogue, closing_and_silence_are_findings) {
    dialogue closed = fresh();
    play(closed, {"220 mx\r\n"});
    closed.closed();
    EXPECT_TRUE(closed.done());
    EXPECT_EQ(steps(closed), "greeting=good ehlo=bad ");
    dialogue silent = fresh();
    silent.timed_out();
    EXPECT_EQ(steps(silent), "greeting=bad ");
    EXPECT_FALSE(silent.usable());
}

TEST(dialogue, hostile_replies_are_bounded) {
    dialogue longest = fresh();
    longest.received(std::string(dialogue::max_line + 10, '2'));
    EXPECT_TRUE(longest.done());
    dialogue endless = fresh();
    for (std::size_t each = 0; each <= dialogue::max_reply_lines && !endless.done(); ++each) {
        endless.received("220-more\r\n");
    }
    EXPECT_TRUE(endless.done());
    for (const char* text : {"nonsense\r\n", "22\r\n", "220x\r\n", "\r\n"}) {
        dialogue with = fresh();
        with.received(text);
        EXPECT_TRUE(with.done()) << text;
        EXPECT_FALSE(with.usable());
    }
}

TEST(dialogue, what_the_server_says_is_made_printable) {
    dialogue with = fresh();
    play(with, {"220 \x1b[31mmx\xff\r\n"});
    for (const char c : with.steps().front().detail) {
        EXPECT_GE(c, 0x20);
    }
}

}  // namespace
}  // namespace postern::probe
