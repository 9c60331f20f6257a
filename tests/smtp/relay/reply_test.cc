// Reading, judging and passing on a server's replies.
#include "smtp/relay/reply.h"

#include <gtest/gtest.h>

namespace postern::relay::test {
namespace {

using result = reply_reader::result;

result feed(reply_reader& reader, std::string_view octets, std::size_t* left = nullptr) {
    std::span<const char> rest(octets.data(), octets.size());
    const result out = reader.take(rest);
    if (left != nullptr) {
        *left = rest.size();
    }
    return out;
}

server_reply read(std::string_view octets) {
    reply_reader reader;
    EXPECT_EQ(feed(reader, octets), result::complete) << octets;
    return reader.take_reply();
}

std::string passed(std::string_view octets, answered what = answered::rcpt) {
    return std::string(pass_on(read(octets), what).view());
}

TEST(relay_reply, one_line) {
    const server_reply reply = read("250 2.1.5 ok\r\n");
    EXPECT_EQ(reply.code, 250);
    EXPECT_EQ(reply.text, "2.1.5 ok");
}

TEST(relay_reply, lines_are_put_together) {
    const server_reply reply = read("550-one\r\n550-two\r\n550 three\r\n");
    EXPECT_EQ(reply.code, 550);
    EXPECT_EQ(reply.text, "one\ntwo\nthree");
}

TEST(relay_reply, a_code_alone_is_a_reply) {
    EXPECT_EQ(read("250\r\n").code, 250);
    EXPECT_EQ(read("250 \r\n").text, "");
}

TEST(relay_reply, bare_lf_ends_a_line) {
    EXPECT_EQ(read("250 ok\n").text, "ok");
}

TEST(relay_reply, octet_by_octet_gives_the_same) {
    reply_reader reader;
    const std::string_view octets = "250-a\r\n250 b\r\n";
    for (std::size_t i = 0; i + 1 < octets.size(); ++i) {
        ASSERT_EQ(feed(reader, octets.substr(i, 1)), result::more) << i;
        EXPECT_TRUE(reader.within());
    }
    ASSERT_EQ(feed(reader, octets.substr(octets.size() - 1)), result::complete);
    EXPECT_EQ(reader.take_reply().text, "a\nb");
    EXPECT_FALSE(reader.within());
}

TEST(relay_reply, octets_behind_a_reply_are_left) {
    reply_reader reader;
    std::size_t left = 0;
    EXPECT_EQ(feed(reader, "250 ok\r\n354 go\r\n", &left), result::complete);
    EXPECT_EQ(left, 8U);
}

TEST(relay_reply, what_is_no_reply_is_malformed) {
    for (const char* text : {"hello\r\n", "\r\n", "25\r\n", "2500 ok\r\n", "150 ok\r\n", "650 ok\r\n", "25x ok\r\n",
                             "250+ok\r\n", "250-a\r\n251 b\r\n", "250-a\r\nb\r\n", "\xff\xfe\r\n", "250-a\r\n\r\n"}) {
        reply_reader reader;
        EXPECT_EQ(feed(reader, text), result::malformed) << text;
    }
}

TEST(relay_reply, bounds_hold) {
    {
        reply_reader reader;
        EXPECT_EQ(feed(reader, "250 " + std::string(reply_reader::most_line_octets, 'a')), result::too_long);
    }
    {
        reply_reader reader;
        result last = result::more;
        std::size_t lines = 0;
        while (last == result::more) {
            last = feed(reader, "250-x\r\n");
            ++lines;
        }
        EXPECT_EQ(last, result::too_long);
        EXPECT_EQ(lines, reply_reader::most_lines + 1);
    }
    {
        reply_reader reader;
        result last = result::more;
        std::size_t octets = 0;
        while (last == result::more) {
            last = feed(reader, "250-" + std::string(1000, 'x') + "\r\n");
            octets += 1006;
        }
        EXPECT_EQ(last, result::too_long);
        EXPECT_LT(octets, reply_reader::most_octets + 2048);
    }
}

TEST(relay_reply, the_servers_words_are_passed_on) {
    EXPECT_EQ(passed("550 5.1.1 No such user\r\n"), "550 5.1.1 No such user");
    EXPECT_EQ(passed("452 4.2.2 Mailbox full\r\n"), "452 4.2.2 Mailbox full");
    EXPECT_EQ(passed("250 2.0.0 queued as 7F\r\n", answered::final), "250 2.0.0 queued as 7F");
}

TEST(relay_reply, an_enhanced_code_is_added_where_there_is_none) {
    EXPECT_EQ(passed("550 No such user\r\n"), "550 5.0.0 No such user");
    EXPECT_EQ(passed("450 later\r\n"), "450 4.0.0 later");
    EXPECT_EQ(passed("250 Accepted\r\n"), "250 2.1.5 Accepted");
    EXPECT_EQ(passed("250 Accepted\r\n", answered::final), "250 2.0.0 Accepted");
    EXPECT_EQ(passed("550\r\n"), "550 5.0.0");
}

TEST(relay_reply, an_enhanced_code_of_another_class_is_replaced) {
    EXPECT_EQ(passed("550 2.1.5 fine\r\n"), "550 5.0.0 fine");
    EXPECT_EQ(passed("250 5.1.1 fine\r\n"), "250 2.1.5 fine");
}

TEST(relay_reply, what_only_looks_like_an_enhanced_code_stays) {
    EXPECT_EQ(passed("550 5.1 floors\r\n"), "550 5.0.0 5.1 floors");
    EXPECT_EQ(passed("550 5.1.1234 x\r\n"), "550 5.0.0 5.1.1234 x");
    EXPECT_EQ(passed("550 5.1.1x\r\n"), "550 5.0.0 5.1.1x");
    EXPECT_EQ(passed("550 1.2.3 x\r\n"), "550 5.0.0 1.2.3 x");
}

TEST(relay_reply, many_lines_become_one_with_one_code) {
    EXPECT_EQ(passed("550-5.1.1 The account\r\n550-5.1.1 does not exist.\r\n550 5.1.1 Sorry\r\n"),
              "550 5.1.1 The account does not exist. Sorry");
    EXPECT_EQ(passed("550-\r\n550 5.1.1 gone\r\n"), "550 5.0.0 gone");
}

TEST(relay_reply, nothing_but_printable_ascii_gets_through) {
    EXPECT_EQ(passed(std::string_view("550 5.1.1 a\0b\x01\x7f\xc3\xa9\rc\r\n", 21)), "550 5.1.1 a?b?????c");
}

TEST(relay_reply, a_long_reply_is_cut_at_508_octets) {
    const std::string text = passed("550 5.1.1 " + std::string(1500, 'x') + "\r\n");
    EXPECT_EQ(text.size(), 508U);
    EXPECT_TRUE(text.starts_with("550 5.1.1 xxx"));
}

TEST(relay_reply, odd_positive_codes_become_250) {
    EXPECT_EQ(passed("251 will forward\r\n"), "251 2.1.5 will forward");
    EXPECT_EQ(passed("221 bye\r\n"), "250 2.1.5 bye");
    EXPECT_EQ(pass_on(read("299 x\r\n"), answered::rcpt).code, 250);
}

TEST(relay_reply, go_ahead_has_no_enhanced_code) {
    EXPECT_EQ(passed("354 3.0.0 please\r\n", answered::data), "354 Go ahead");
}

TEST(relay_reply, refusals_of_us_are_known_by_their_words) {
    for (const char* text :
         {"554 5.7.1 <a@b>: Relay access denied\r\n", "550 5.7.1 <a@b>... Relaying denied. IP name lookup failed\r\n",
          "550 relay not permitted\r\n", "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain\r\n",
          "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\r\n",
          "554 Relay rejected for policy reasons.\r\n", "530 5.7.0 Must issue a STARTTLS command first\r\n",
          "530 SMTP authentication is required.\r\n", "550-no\r\n550 RELAYING DENIED\r\n"}) {
        EXPECT_TRUE(refuses_us(read(text))) << text;
    }
    for (const char* text : {"550 5.1.1 No such user\r\n", "450 4.7.1 Relay access denied\r\n",
                             "250 relaying denied\r\n", "554 5.7.1 Spam from this relay\r\n"}) {
        EXPECT_FALSE(refuses_us(read(text))) << text;
    }
}

TEST(relay_reply, own_replies) {
    EXPECT_EQ(make_reply(451, "4.4.1", "Mail server is not available").view(),
              "451 4.4.1 Mail server is not available");
    EXPECT_EQ(make_reply(451, "4.4.1", std::string(600, 'x')).view().size(), 508U);
}

}  // namespace
}  // namespace postern::relay::test
