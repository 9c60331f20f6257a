// The client's state machine: server lines in, octets out, virtual time.
#include "smtp/relay/client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace postern::relay::test {
namespace {

using namespace std::chrono_literals;

/// One client and the test as its server.
struct talk {
    talk() : conf(own()), smtp(conf) {}
    static settings own() {
        settings out;
        out.own_name = "postern.test";
        return out;
    }

    /// Events as text: "ready", "mail 250 ok", "failed timeout at mail [421 text]".
    std::string event() {
        const std::optional<client_event> one = smtp.next_event();
        if (!one) {
            return "nothing";
        }
        static constexpr const char* steps[] = {"greeting", "ehlo",    "helo",  "mail", "rcpt",
                                                "data",     "content", "final", "rset", "quit"};
        static constexpr const char* troubles[] = {"lost",      "closing",     "early",   "timeout",  "too_slow",
                                                   "malformed", "unavailable", "refused", "ourselves"};
        std::string out;
        switch (one->kind) {
            case client_event::kind::ready:
                return "ready";
            case client_event::kind::answer:
                out = steps[static_cast<int>(one->step)];
                break;
            case client_event::kind::failed:
                out = std::string("failed ") + troubles[static_cast<int>(one->trouble)] + " at " +
                      steps[static_cast<int>(one->step)];
                break;
        }
        return one->reply.code == 0 ? out : out + " " + std::to_string(one->reply.code) + " " + one->reply.text;
    }
    void say(std::string_view octets) { smtp.received({octets.data(), octets.size()}, now); }
    /// Takes what the client sent.
    std::string heard() {
        std::string out(smtp.output());
        smtp.sent(out.size(), now);
        return out;
    }
    void pass(shard::instant time) {
        now += time;
        smtp.tick(now);
    }

    void greet(std::string_view ehlo =
                   "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n") {
        smtp.opened(now);
        say("220 mx.test ESMTP\r\n");
        EXPECT_EQ(heard(), "EHLO postern.test\r\n");
        say(ehlo);
        EXPECT_EQ(event(), "ready");
    }
    void to_content() {
        greet();
        smtp.mail("s@x", 0, body_type::unspecified, now);
        smtp.rcpt("r@y", now);
        heard();
        say("250 ok\r\n250 ok\r\n");
        event();
        event();
        smtp.data(now);
        heard();
        say("354 go\r\n");
        EXPECT_EQ(event(), "data 354 go");
    }

    settings conf;
    client smtp;
    shard::instant now = 5s;
};

// Opening

TEST(relay_client, waits_for_the_greeting_and_says_ehlo) {
    talk t;
    EXPECT_EQ(t.heard(), "");
    t.smtp.opened(t.now);
    EXPECT_EQ(t.heard(), "");
    t.say("220-mx.test\r\n");
    EXPECT_EQ(t.heard(), "");
    t.say("220 hello\r\n");
    EXPECT_EQ(t.heard(), "EHLO postern.test\r\n");
    EXPECT_EQ(t.event(), "nothing");
}

TEST(relay_client, extensions_are_read_in_any_case_and_order) {
    talk t;
    t.greet(
        "250-mx\r\n250-size 35882577\r\n250-8bitMime\r\n250-X-UNKNOWN A=B\r\n250-AUTH PLAIN\r\n"
        "250-EnhancedStatusCodes\r\n250 Pipelining\r\n");
    EXPECT_TRUE(t.smtp.extensions().pipelining);
    EXPECT_TRUE(t.smtp.extensions().eight_bit_mime);
    EXPECT_TRUE(t.smtp.extensions().enhanced_status_codes);
    EXPECT_TRUE(t.smtp.extensions().size);
    EXPECT_EQ(t.smtp.extensions().size_limit, 35882577U);
}

TEST(relay_client, what_is_not_offered_is_not_there) {
    talk t;
    t.greet("250 mx.test PIPELINING\r\n");  // the first line is a greeting
    EXPECT_FALSE(t.smtp.extensions().pipelining);
    EXPECT_FALSE(t.smtp.extensions().size);
}

TEST(relay_client, an_odd_size_is_no_limit) {
    for (const char* size : {"SIZE", "SIZE 0", "SIZE x", "SIZE 12x", "SIZE 99999999999999999999999", "SIZE -1"}) {
        talk t;
        t.greet("250-mx\r\n250 " + std::string(size) + "\r\n");
        EXPECT_TRUE(t.smtp.extensions().size);
        EXPECT_EQ(t.smtp.extensions().size_limit, 0U) << size;
    }
}

TEST(relay_client, an_old_server_gets_helo) {
    for (const char* no : {"500 what\r\n", "501 what\r\n", "502 no\r\n", "503 no\r\n", "504-no\r\n504 no\r\n"}) {
        talk t;
        t.smtp.opened(t.now);
        t.say("220 old\r\n");
        t.heard();
        t.say(no);
        EXPECT_EQ(t.heard(), "HELO postern.test\r\n");
        t.say("250-old\r\n250 PIPELINING\r\n");
        EXPECT_EQ(t.event(), "ready");
        EXPECT_FALSE(t.smtp.extensions().pipelining);
    }
}

struct refusal {
    const char* greeting;
    const char* ehlo;
    const char* helo;
    const char* event;
};

TEST(relay_client, every_refusal_before_ready_has_its_meaning) {
    static constexpr refusal all[] = {
        {"421 busy\r\n", nullptr, nullptr, "failed closing at greeting 421 busy"},
        {"450 busy\r\n", nullptr, nullptr, "failed unavailable at greeting 450 busy"},
        {"554 go away\r\n", nullptr, nullptr, "failed refused at greeting 554 go away"},
        {"250 hello\r\n", nullptr, nullptr, "failed malformed at greeting 250 hello"},
        {"354 hello\r\n", nullptr, nullptr, "failed malformed at greeting 354 hello"},
        {"SSH-2.0-x\r\n", nullptr, nullptr, "failed malformed at greeting"},
        {"220 Postern.TEST ESMTP\r\n", nullptr, nullptr, "failed ourselves at greeting 220 Postern.TEST ESMTP"},
        {"220 mx\r\n", "421 x\r\n", nullptr, "failed closing at ehlo 421 x"},
        {"220 mx\r\n", "451 x\r\n", nullptr, "failed unavailable at ehlo 451 x"},
        {"220 mx\r\n", "550 x\r\n", nullptr, "failed refused at ehlo 550 x"},
        {"220 mx\r\n", "354 x\r\n", nullptr, "failed malformed at ehlo 354 x"},
        {"220 mx\r\n", "250 postern.test\r\n", nullptr, "failed ourselves at ehlo 250 postern.test"},
        {"220 mx\r\n", "502 x\r\n", "550 x\r\n", "failed refused at helo 550 x"},
        {"220 mx\r\n", "502 x\r\n", "502 x\r\n", "failed refused at helo 502 x"},
        {"220 mx\r\n", "502 x\r\n", "421 x\r\n", "failed closing at helo 421 x"},
        {"220 mx\r\n", "502 x\r\n", "450 x\r\n", "failed unavailable at helo 450 x"},
    };
    for (const refusal& one : all) {
        talk t;
        t.smtp.opened(t.now);
        for (const char* line : {one.greeting, one.ehlo, one.helo}) {
            if (line != nullptr) {
                t.say(line);
            }
        }
        std::string text = t.event();
        std::replace(text.begin(), text.end(), '\n', '|');
        EXPECT_EQ(text, one.event);
        EXPECT_TRUE(t.smtp.dead());
    }
}

TEST(relay_client, a_name_that_only_begins_like_ours_is_another) {
    talk t;
    t.smtp.opened(t.now);
    t.say("220 postern.test.example ESMTP\r\n");
    EXPECT_EQ(t.heard(), "EHLO postern.test\r\n");
}

// Commands

TEST(relay_client, commands_go_together_with_pipelining) {
    talk t;
    t.greet();
    t.smtp.mail("s@x", 0, body_type::unspecified, t.now);
    t.smtp.rcpt("a@y", t.now);
    t.smtp.rcpt("b@y", t.now);
    EXPECT_EQ(t.heard(), "MAIL FROM:<s@x>\r\nRCPT TO:<a@y>\r\nRCPT TO:<b@y>\r\n");
    t.say("250 m\r\n550 a\r\n250 ");
    EXPECT_EQ(t.event(), "mail 250 m");
    EXPECT_EQ(t.event(), "rcpt 550 a");
    EXPECT_EQ(t.event(), "nothing");
    EXPECT_FALSE(t.smtp.quiet());
    t.say("b\r\n");
    EXPECT_EQ(t.event(), "rcpt 250 b");
    EXPECT_TRUE(t.smtp.quiet());
}

TEST(relay_client, commands_go_one_by_one_without) {
    talk t;
    t.greet("250 mx\r\n");
    t.smtp.mail("s@x", 0, body_type::unspecified, t.now);
    t.smtp.rcpt("a@y", t.now);
    t.smtp.rcpt("b@y", t.now);
    EXPECT_EQ(t.heard(), "MAIL FROM:<s@x>\r\n");
    t.say("250 m\r\n");
    EXPECT_EQ(t.heard(), "RCPT TO:<a@y>\r\n");
    t.say("250 a\r\n");
    EXPECT_EQ(t.heard(), "RCPT TO:<b@y>\r\n");
    t.smtp.forget_unsent();
    t.say("250 b\r\n");
    EXPECT_EQ(t.heard(), "");
    EXPECT_EQ(t.event(), "mail 250 m");
    EXPECT_EQ(t.event(), "rcpt 250 a");
    EXPECT_EQ(t.event(), "rcpt 250 b");
}

TEST(relay_client, mail_parameters_only_where_offered) {
    const auto mail = [](std::string_view ehlo, std::uint64_t size, body_type body) {
        talk t;
        t.greet(ehlo);
        t.smtp.mail("", size, body, t.now);
        return t.heard();
    };
    constexpr std::string_view all = "250-mx\r\n250-SIZE\r\n250 8BITMIME\r\n";
    constexpr std::string_view none = "250 mx\r\n";
    EXPECT_EQ(mail(all, 77, body_type::eight_bit_mime), "MAIL FROM:<> SIZE=77 BODY=8BITMIME\r\n");
    EXPECT_EQ(mail(all, 0, body_type::seven_bit), "MAIL FROM:<> BODY=7BIT\r\n");
    EXPECT_EQ(mail(all, 0, body_type::unspecified), "MAIL FROM:<>\r\n");
    EXPECT_EQ(mail(none, 77, body_type::seven_bit), "MAIL FROM:<>\r\n");
}

TEST(relay_client, replies_that_cannot_stand_there_are_malformed) {
    struct wrong {
        relay::step to;
        const char* reply;
    };
    for (const wrong& one :
         {wrong{step::mail, "354 x\r\n"}, wrong{step::rcpt, "354 x\r\n"}, wrong{step::rcpt, "300 x\r\n"},
          wrong{step::data, "250 x\r\n"}, wrong{step::data, "334 x\r\n"}, wrong{step::rset, "354 x\r\n"}}) {
        talk t;
        t.greet();
        switch (one.to) {
            case step::mail:
                t.smtp.mail("s", 0, body_type::unspecified, t.now);
                break;
            case step::rcpt:
                t.smtp.rcpt("s", t.now);
                break;
            case step::data:
                t.smtp.data(t.now);
                break;
            default:
                t.smtp.rset(t.now);
        }
        t.say(one.reply);
        EXPECT_TRUE(t.event().starts_with("failed malformed at ")) << one.reply;
        EXPECT_TRUE(t.smtp.dead());
    }
}

TEST(relay_client, a_421_closes_whatever_it_answers) {
    for (const step at : {step::mail, step::rcpt, step::data, step::rset}) {
        talk t;
        t.greet();
        switch (at) {
            case step::mail:
                t.smtp.mail("s", 0, body_type::unspecified, t.now);
                break;
            case step::rcpt:
                t.smtp.rcpt("s", t.now);
                break;
            case step::data:
                t.smtp.data(t.now);
                break;
            default:
                t.smtp.rset(t.now);
        }
        t.say("421 4.3.2 bye\r\n");
        EXPECT_TRUE(t.event().starts_with("failed closing at ")) << static_cast<int>(at);
    }
}

TEST(relay_client, an_answer_nobody_asked_for_ends_an_idle_connection) {
    talk t;
    t.greet();
    t.say("250 surprise\r\n");
    EXPECT_EQ(t.event(), "failed malformed at rset 250 surprise");
    talk other;
    other.greet();
    other.say("421 idle too long\r\n");
    EXPECT_EQ(other.event(), "failed closing at rset 421 idle too long");
}

TEST(relay_client, garbage_and_endless_replies_end_it) {
    for (const std::string& hostile : {std::string("\0\0\0\0\r\n", 6), std::string("hello\n"), std::string(5000, '2'),
                                       std::string("250-") + std::string(3000, 'x')}) {
        talk t;
        t.greet();
        t.smtp.rset(t.now);
        t.say(hostile);
        EXPECT_EQ(t.event(), "failed malformed at rset");
    }
    talk t;
    t.greet();
    t.smtp.rset(t.now);
    for (int i = 0; i < 1000; ++i) {
        t.say("250-more\r\n");
    }
    EXPECT_EQ(t.event(), "failed malformed at rset");
    EXPECT_EQ(t.event(), "nothing");
}

TEST(relay_client, nothing_is_taken_after_the_end) {
    talk t;
    t.greet();
    t.smtp.closed(t.now);
    EXPECT_EQ(t.event(), "failed lost at rset");
    t.say("250 ok\r\n");
    t.smtp.closed(t.now);
    t.smtp.mail("s", 0, body_type::unspecified, t.now);
    t.smtp.quit(t.now);
    t.pass(1h);
    EXPECT_EQ(t.event(), "nothing");
    EXPECT_EQ(t.heard(), "");
    EXPECT_EQ(t.smtp.poll_at(), shard::never);
}

TEST(relay_client, octets_before_the_connection_stands_are_ignored) {
    talk t;
    t.say("220 mx\r\n");
    EXPECT_EQ(t.heard(), "");
    EXPECT_EQ(t.event(), "nothing");
}

// Content

std::string stuffed(const std::vector<std::string_view>& pieces) {
    talk t;
    t.to_content();
    std::string out;
    for (const std::string_view piece : pieces) {
        t.smtp.content(piece, t.now);
        out += t.heard();
    }
    t.smtp.end_of_data(t.now);
    return out + t.heard();
}

TEST(relay_client, dots_at_line_starts_are_doubled) {
    EXPECT_EQ(stuffed({".\r\n"}), "..\r\n.\r\n");
    EXPECT_EQ(stuffed({"a.b\r\n.c\r\n..\r\n"}), "a.b\r\n..c\r\n...\r\n.\r\n");
    EXPECT_EQ(stuffed({}), ".\r\n");
    EXPECT_EQ(stuffed({"\r\n"}), "\r\n.\r\n");
    EXPECT_EQ(stuffed({"a\r.b\n.c\r\n"}), "a\r.b\n.c\r\n.\r\n") << "only CRLF ends a line";
    EXPECT_EQ(stuffed({"a\n\r\n.b\r\r\n.c\r\n"}), "a\n\r\n..b\r\r\n..c\r\n.\r\n");
}

TEST(relay_client, the_cut_between_pieces_does_not_matter) {
    const std::string_view all = ".a\r\n.\r\n..\r\nb.\r\n\r\n.\r\r\n.x\r\n";
    const std::string whole = stuffed({all});
    EXPECT_EQ(whole, "..a\r\n..\r\n...\r\nb.\r\n\r\n..\r\r\n..x\r\n.\r\n");
    for (std::size_t a = 0; a <= all.size(); ++a) {
        for (std::size_t b = a; b <= all.size(); ++b) {
            ASSERT_EQ(stuffed({all.substr(0, a), all.substr(a, b - a), all.substr(b)}), whole) << a << " " << b;
        }
    }
}

TEST(relay_client, content_without_a_last_line_end_gets_one) {
    EXPECT_EQ(stuffed({"abc"}), "abc\r\n.\r\n");
    EXPECT_EQ(stuffed({"abc\r"}), "abc\r\r\n.\r\n");
}

TEST(relay_client, the_final_answer) {
    talk t;
    t.to_content();
    t.smtp.content("a\r\n", t.now);
    t.smtp.end_of_data(t.now);
    EXPECT_FALSE(t.smtp.content_is_gone());
    EXPECT_EQ(t.heard(), "a\r\n.\r\n");
    EXPECT_TRUE(t.smtp.content_is_gone());
    t.say("250 2.0.0 queued\r\n");
    EXPECT_EQ(t.event(), "final 250 2.0.0 queued");
    EXPECT_TRUE(t.smtp.quiet());
}

TEST(relay_client, an_early_refusal_is_the_answer_and_an_early_250_is_not) {
    talk t;
    t.to_content();
    t.smtp.content("a\r\n", t.now);
    t.say("552 5.3.4 too big\r\n");
    EXPECT_EQ(t.event(), "failed early at content 552 5.3.4 too big");

    talk before_all_is_sent;
    before_all_is_sent.to_content();
    before_all_is_sent.smtp.content("a\r\n", before_all_is_sent.now);
    before_all_is_sent.smtp.end_of_data(before_all_is_sent.now);
    before_all_is_sent.say("250 2.0.0 queued\r\n");
    EXPECT_EQ(before_all_is_sent.event(), "failed malformed at final 250 2.0.0 queued");

    talk in_content;
    in_content.to_content();
    in_content.say("250 2.0.0 queued\r\n");
    EXPECT_EQ(in_content.event(), "failed malformed at content 250 2.0.0 queued");
}

TEST(relay_client, a_refused_data_leaves_the_connection_usable) {
    talk t;
    t.greet();
    t.smtp.data(t.now);
    t.heard();
    t.say("554 5.5.1 no valid recipients\r\n");
    EXPECT_EQ(t.event(), "data 554 5.5.1 no valid recipients");
    EXPECT_TRUE(t.smtp.quiet());
    t.smtp.rset(t.now);
    EXPECT_EQ(t.heard(), "RSET\r\n");
}

TEST(relay_client, quit_is_the_last_word) {
    talk t;
    t.greet();
    t.smtp.quit(t.now);
    EXPECT_EQ(t.heard(), "QUIT\r\n");
    t.say("221 bye\r\n");
    EXPECT_EQ(t.event(), "nothing");
}

// Time

TEST(relay_client, each_step_has_its_time) {
    struct wait {
        std::function<void(talk&)> until;
        shard::instant time;
        const char* event;
    };
    const wait all[] = {
        {[](talk& t) { t.smtp.opened(t.now); }, 15s, "failed timeout at greeting"},
        {[](talk& t) {
             t.smtp.opened(t.now);
             t.say("220 mx\r\n");
         },
         15s, "failed timeout at ehlo"},
        {[](talk& t) {
             t.greet();
             t.smtp.mail("s", 0, body_type::unspecified, t.now);
         },
         60s, "failed timeout at mail"},
        {[](talk& t) {
             t.greet();
             t.smtp.rcpt("s", t.now);
         },
         60s, "failed timeout at rcpt"},
        {[](talk& t) {
             t.greet();
             t.smtp.data(t.now);
         },
         60s, "failed timeout at data"},
        {[](talk& t) {
             t.greet();
             t.smtp.rset(t.now);
         },
         60s, "failed timeout at rset"},
        {[](talk& t) {
             t.to_content();
             t.smtp.content(std::string(100000, 'x'), t.now);
             t.smtp.sent(50000, t.now);
         },
         180s, "failed timeout at content"},
        {[](talk& t) {
             t.to_content();
             t.smtp.content(std::string(100000, 'x'), t.now);
             t.smtp.end_of_data(t.now);
         },
         180s, "failed timeout at final"},
        {[](talk& t) {
             t.to_content();
             t.smtp.end_of_data(t.now);
             t.heard();
         },
         570s, "failed timeout at final"},
    };
    for (const wait& one : all) {
        talk t;
        one.until(t);
        EXPECT_EQ(t.smtp.poll_at(), t.now + one.time) << one.event;
        t.pass(one.time - 1ns);
        EXPECT_EQ(t.event(), "nothing") << one.event;
        t.pass(1ns);
        EXPECT_EQ(t.event(), one.event);
    }
}

TEST(relay_client, one_octet_a_second_does_not_prolong_a_reply) {
    talk t;
    t.greet();
    t.smtp.rcpt("s", t.now);
    int seconds = 0;
    while (!t.smtp.dead()) {
        t.say(seconds == 0 ? "250-" : "x");
        t.pass(1s);
        ++seconds;
        ASSERT_LE(seconds, 60);
    }
    EXPECT_EQ(seconds, 60);
}

TEST(relay_client, each_of_pipelined_commands_has_its_own_time) {
    talk t;
    t.greet();
    t.smtp.mail("s", 0, body_type::unspecified, t.now);
    t.smtp.rcpt("a", t.now);
    t.pass(50s);
    t.say("250 ok\r\n");
    EXPECT_EQ(t.event(), "mail 250 ok");
    t.pass(59s);
    EXPECT_EQ(t.event(), "nothing");
    t.pass(1s);
    EXPECT_EQ(t.event(), "failed timeout at rcpt");
}

TEST(relay_client, an_idle_connection_has_no_time_of_its_own) {
    talk t;
    t.greet();
    EXPECT_EQ(t.smtp.poll_at(), shard::never);
    t.smtp.rset(t.now);
    t.say("250 ok\r\n");
    EXPECT_EQ(t.smtp.poll_at(), shard::never);
}

TEST(relay_client, every_block_taken_renews_its_time) {
    talk t;
    t.conf.limits.least_rate_after = 1h;
    t.to_content();
    t.smtp.content(std::string(100000, 'x'), t.now);
    for (int i = 0; i < 10; ++i) {
        t.pass(179s);
        t.smtp.sent(5000, t.now);
    }
    EXPECT_EQ(t.event(), "nothing");
    t.pass(180s);
    EXPECT_EQ(t.event(), "failed timeout at content");
}

TEST(relay_client, content_below_the_least_rate_ends_it) {
    talk t;
    t.to_content();
    t.conf.limits.least_rate_after = 60s;
    // 64 octets a second on average are demanded from then on.
    EXPECT_EQ(t.smtp.poll_at(), t.now + 60s);
    for (int i = 0; i < 59; ++i) {
        t.smtp.content(std::string(100, 'x'), t.now);
        t.heard();
        t.pass(1s);
    }
    EXPECT_EQ(t.event(), "nothing");
    // 5900 octets are enough for 92 seconds.
    t.pass(33s);
    EXPECT_EQ(t.event(), "nothing");
    t.pass(2s);
    EXPECT_EQ(t.event(), "failed too_slow at content");
}

}  // namespace
}  // namespace postern::relay::test
