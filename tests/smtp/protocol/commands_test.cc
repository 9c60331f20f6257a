#include "smtp/protocol/commands.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>

#include "smtp/protocol/octets.h"
#include "smtp/protocol/paths.h"

namespace postern::protocol {

namespace {

constexpr extension_set all_extensions = usual_extensions;

tl::expected<command, reply> parsed(std::string_view line, extension_set announced = all_extensions) {
    static recipients::normal_address address;
    return parse(find_command(line), line, {.extensions = announced, .address = address});
}

TEST(find_command, knows_each_by_its_name_in_any_case) {
    const std::pair<std::string_view, verb> all[] = {
        {"HELO x", verb::helo}, {"ehlo x", verb::ehlo}, {"Mail FROM:<>", verb::mail}, {"rCpT TO:<a@b>", verb::rcpt},
        {"DATA", verb::data},   {"RSET", verb::rset},   {"NOOP x", verb::noop},       {"QUIT", verb::quit},
        {"VRFY x", verb::vrfy}, {"EXPN x", verb::expn}, {"HELP", verb::help}};
    for (const auto& [line, expected] : all) {
        EXPECT_EQ(find_command(line).verb, expected) << line;
    }
}

TEST(find_command, takes_nothing_that_only_looks_like_one) {
    for (const char* line :
         {"", "QUI", "QUITE", "QUIT\t", " QUIT", "QU\x09T", "\x11UIT", "qu\x49", "RCPTTO:<a@b>", "DATA\r"}) {
        EXPECT_EQ(find_command(line).verb, verb::unknown) << line;
    }
}

TEST(plain_recipient, is_a_whole_line_with_a_plain_address) {
    recipients::normal_address address;
    const auto found = find_plain_recipient("rCpT tO:<Alice.B@Example.COM>\r\nQUIT\r\n", address);
    EXPECT_EQ(found.path, "Alice.B@Example.COM");
    EXPECT_EQ(found.size, 31U);
    EXPECT_EQ(address.text(), "alice.b@example.com");
}

TEST(plain_recipient, is_nothing_else) {
    recipients::normal_address address;
    for (const std::string_view line :
         {"RCPT TO:<alice.b@example.com>\n", "RCPT TO:<alice.b@example.com>\r", "RCPT TO:<alice.b@example.com> \r\n",
          "RCPT TO: <alice.b@example.com>\r\n", "RCPT  TO:<alice.b@example.com>\r\n",
          "RCPT TO:alice.b@example.com>\r\n", "RCPT\0TO:<alice.b@example.com>\r\n",
          "RCPT TO\x1a<alice.b@example.com>\r\n", "MAIL TO:<alice.b@example.com>\r\n",
          "RCPT TO:<@a:alice.b@example.com>\r\n", "RCPT TO:<\"alice\"@example.com>\r\n",
          "RCPT TO:<postmaster>\r\n......", "RCPT TO:<alice.b@example.com", "RCPT TO:<>\r\n...............",
          "RCPT TO:<", "RCPT TO:", ""}) {
        EXPECT_TRUE(find_plain_recipient(line, address).path.empty()) << line;
    }
}

TEST(commands, have_room_for_each_reply_of_their_own) {
    for (const char* line : {"MAIL", "RSET", "NOOP", "QUIT", "VRFY", "HELP", "FOO", "RCPT", "DATA"}) {
        EXPECT_GE(find_command(line).longest_reply, longest_own_reply()) << line;
    }
    const std::string name(longest_name, 'a');
    const extension_set everything = all_extensions.with(extension::one_recipient_domain);
    const std::string ehlo = ehlo_reply(name, everything, std::numeric_limits<std::uint64_t>::max());
    EXPECT_LE(ehlo.size(), find_command("EHLO x").longest_reply);
    EXPECT_LE(greeting(name).size(), longest_reply);
}

TEST(commands, say_where_they_are_allowed) {
    const command_spec& mail = find_command("MAIL");
    EXPECT_FALSE(mail.allowed(phase::greeted));
    EXPECT_EQ(mail.refusal(phase::greeted), reply::hello_first);
    EXPECT_TRUE(mail.allowed(phase::ready));
    EXPECT_EQ(mail.refusal(phase::transaction), reply::sender_given);
    EXPECT_EQ(find_command("RCPT").refusal(phase::ready), reply::mail_first);
    EXPECT_TRUE(find_command("NOOP").allowed(phase::greeted));
}

TEST(mail, has_a_path_and_parameters) {
    const auto mail = parsed("MAIL FROM:<s@example.org> SIZE=12345 BODY=8BITMIME");
    ASSERT_TRUE(mail);
    EXPECT_EQ(mail->argument, "s@example.org");
    EXPECT_EQ(mail->size, 12345U);
    EXPECT_EQ(mail->body, body_type::eight_bit_mime);
    EXPECT_EQ(parsed("MAIL FROM:<>")->argument, "");
    EXPECT_EQ(parsed("mail from: <s@example.org>   size=1  ")->size, 1U);
    EXPECT_EQ(parsed("MAIL FROM:<s@example.org> SIZE=18446744073709551616")->size,
              std::numeric_limits<std::uint64_t>::max());
}

TEST(mail, takes_only_parameters_that_are_announced) {
    EXPECT_EQ(parsed("MAIL FROM:<> SIZE=1", {extension::eight_bit_mime}).error(), reply::unknown_parameter);
    EXPECT_EQ(parsed("MAIL FROM:<> BODY=7BIT", {extension::size}).error(), reply::unknown_parameter);
    EXPECT_EQ(parsed("MAIL FROM:<> X-A=1").error(), reply::unknown_parameter);
}

TEST(mail, refuses_parameters_out_of_form) {
    for (const char* tail : {"SIZE=", "SIZE=1=2", "SIZE=1x", "SIZE=123456789012345678901", "SIZE", "BODY", "-A=1",
                             "A_B=1", "SIZE=1 size=1", "BODY=7BIT BODY=7BIT"}) {
        EXPECT_EQ(parsed(std::string("MAIL FROM:<> ") + tail).error(), reply::bad_argument) << tail;
    }
}

TEST(rcpt, has_a_path) {
    EXPECT_EQ(parsed("RCPT TO:<alice@example.com>")->argument, "alice@example.com");
    EXPECT_EQ(parsed("RCPT TO:<@a.example,@b.example:alice@example.com>")->argument, "alice@example.com");
    EXPECT_EQ(parsed("RCPT TO:<\"a>b\"@example.com>")->argument, "\"a>b\"@example.com");
    EXPECT_EQ(parsed("RCPT TO:<>").error(), reply::bad_recipient);
    EXPECT_EQ(parsed("RCPT TO:<a@b> NOTIFY=NEVER").error(), reply::unknown_parameter);
}

TEST(paths, are_at_most_a_thousand_octets) {
    const auto rcpt = [](std::size_t local) { return "RCPT TO:<" + std::string(local, 'a') + "@example.com>"; };
    EXPECT_TRUE(parsed(rcpt(longest_path - 12)));
    EXPECT_EQ(parsed(rcpt(longest_path - 11)).error(), reply::bad_recipient);
}

TEST(paths, end_at_the_bracket_that_is_not_quoted) {
    EXPECT_EQ(split_path("<a> b")->rest, "b");
    EXPECT_EQ(split_path("<\"a\\\">\"@b> c")->path, "\"a\\\">\"@b");
    EXPECT_FALSE(split_path("<a"));
    EXPECT_FALSE(split_path("<\"a>"));
    EXPECT_FALSE(split_path("<\"a\\"));
    EXPECT_FALSE(split_path("<a>b"));
}

TEST(octets, of_commands_are_printable) {
    for (int octet = 0; octet < 256; ++octet) {
        for (std::size_t at = 0; at < 20; ++at) {
            std::string text(20, 'a');
            text[at] = static_cast<char>(octet);
            const octet_kinds kinds = kinds_of(text);
            EXPECT_EQ(kinds.control, octet < 32 || octet == 127) << octet << " at " << at;
            EXPECT_EQ(kinds.high, octet > 127) << octet << " at " << at;
        }
    }
    EXPECT_FALSE(kinds_of("").control);
}

TEST(octets, over_127_may_only_stand_in_a_path) {
    EXPECT_EQ(parsed("RCPT TO:<\xc3\xb6@example.com>").error(), reply::utf8_address);
    EXPECT_EQ(parsed("MAIL FROM:<\xc3\xb6@example.com>").error(), reply::utf8_address);
    EXPECT_EQ(parsed("MAIL FROM:<@\xc3\xb6.example:s@example.com>").error(), reply::bad_octets);
    EXPECT_EQ(parsed("EHLO \xc3\xb6").error(), reply::bad_octets);
    EXPECT_EQ(parsed("MAIL FROM:<> X=\xc3\xb6").error(), reply::bad_octets);
    EXPECT_EQ(parsed(std::string_view("NOOP \0", 6)).error(), reply::bad_octets);
}

TEST(replies, have_an_enhanced_code_of_their_class) {
    for (std::size_t i = 0; i < reply_count; ++i) {
        const std::string_view line = text(static_cast<reply>(i));
        ASSERT_GT(line.size(), 12U);
        EXPECT_EQ(line.substr(line.size() - 2), "\r\n");
        EXPECT_EQ(line.substr(0, line.size() - 2).find_first_of("\r\n"), std::string_view::npos) << line;
        EXPECT_EQ(line[3], ' ') << line;
        EXPECT_EQ(line[4], line[0]) << line;
        EXPECT_EQ(line[5], '.') << line;
        EXPECT_LE(line.size(), longest_own_reply());
    }
}

TEST(extensions, are_announced_last_line_without_a_dash) {
    EXPECT_EQ(ehlo_reply("mx.example", {}, 0), "250 mx.example\r\n");
    EXPECT_EQ(ehlo_reply("mx.example", {extension::size}, 0), "250-mx.example\r\n250 SIZE 0\r\n");
    EXPECT_EQ(ehlo_reply("mx.example", {extension::one_recipient_domain, extension::pipelining}, 0),
              "250-mx.example\r\n250-PIPELINING\r\n250 LIMITS RCPTDOMAINMAX=1\r\n");
    EXPECT_EQ(longer_lines({extension::size, extension::eight_bit_mime}), 43U);
    EXPECT_EQ(longer_lines({}), 0U);
}

}  // namespace

}  // namespace postern::protocol
