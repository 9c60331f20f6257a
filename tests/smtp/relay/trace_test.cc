// The trace line, and counting those that are there.
#include "smtp/relay/trace.h"

#include <gtest/gtest.h>

#include "tests/smtp/relay/sender.h"

namespace postern::relay::test {
namespace {

trace_facts facts() {
    return {.helo = "client.test",
            .client = address_v4(192, 0, 2, 1),
            .by = "postern.test",
            .extended = true,
            .message_id = "A1-2",
            .only_recipient = "alice@example.com",
            .when = 1767225600};
}

struct counted {
    std::uint32_t received;
    std::uint32_t ours;
    friend bool operator==(const counted&, const counted&) = default;
    friend void PrintTo(const counted& value, std::ostream* out) { *out << value.received << "/" << value.ours; }
};

/// Counted whole, and octet by octet, which must be the same.
counted count(std::string_view content) {
    const std::vector<std::string> names = {"postern2.test", "Postern.Test"};
    loop_guard whole(names);
    whole.take({content.data(), content.size()});
    loop_guard pieces(names);
    for (const char& c : content) {
        pieces.take({&c, 1});
    }
    EXPECT_EQ(whole.received(), pieces.received());
    EXPECT_EQ(whole.received_by_us(), pieces.received_by_us());
    return {whole.received(), whole.received_by_us()};
}

TEST(relay_trace, the_line) {
    EXPECT_EQ(trace_line(facts()),
              "Received: from client.test ([192.0.2.1])\r\n"
              "\tby postern.test with ESMTP id A1-2\r\n"
              "\tfor <alice@example.com>;\r\n"
              "\tThu, 01 Jan 2026 00:00:00 +0000\r\n");
}

TEST(relay_trace, several_recipients_are_not_named) {
    trace_facts several = facts();
    several.only_recipient = {};
    EXPECT_EQ(trace_line(several),
              "Received: from client.test ([192.0.2.1])\r\n"
              "\tby postern.test with ESMTP id A1-2;\r\n"
              "\tThu, 01 Jan 2026 00:00:00 +0000\r\n");
}

TEST(relay_trace, helo_was_said_not_ehlo) {
    trace_facts old = facts();
    old.extended = false;
    EXPECT_NE(trace_line(old).find("with SMTP id"), std::string::npos);
}

TEST(relay_trace, ipv6_is_a_literal_with_its_tag) {
    trace_facts six = facts();
    six.client = {};
    six.client.address[0] = 0x20;
    six.client.address[1] = 0x01;
    six.client.address[2] = 0x0d;
    six.client.address[3] = 0xb8;
    six.client.address[15] = 1;
    EXPECT_TRUE(trace_line(six).starts_with("Received: from client.test ([IPv6:2001:db8::1])\r\n"));
}

TEST(relay_trace, a_client_cannot_write_the_header) {
    trace_facts hostile = facts();
    hostile.helo = "x\r\nBcc: (evil) <a>;\"\\\x80";
    hostile.message_id = "1\r\n2";
    const std::string line = trace_line(hostile);
    EXPECT_TRUE(line.starts_with("Received: from x??Bcc:??evil???a????? ([192.0.2.1])\r\n\tby")) << line;
    EXPECT_NE(line.find("id 1??2"), std::string::npos);
    hostile.helo = {};
    EXPECT_TRUE(trace_line(hostile).starts_with("Received: from unknown ("));
}

TEST(relay_trace, a_recipient_that_would_break_the_header_is_not_named) {
    for (const std::string& path : {std::string("a\r\nX: y@b"), std::string("\xc3\xa9@b"), std::string("a<b>@c"),
                                    std::string(1200, 'a') + "@b"}) {
        trace_facts odd = facts();
        odd.only_recipient = path;
        EXPECT_EQ(trace_line(odd).find("for"), std::string::npos);
    }
    trace_facts quoted = facts();
    quoted.only_recipient = "\"a b\"@example.com";
    EXPECT_NE(trace_line(quoted).find("for <\"a b\"@example.com>;"), std::string::npos);
}

TEST(relay_trace, lines_of_ours_are_recognised) {
    EXPECT_EQ(count(trace_line(facts()) + trace_line(facts()) + "Subject: x\r\n\r\nbody"), (counted{2, 2}));
}

TEST(relay_trace, received_lines_are_counted_in_any_case_and_only_in_the_header) {
    EXPECT_EQ(count("Received: a\r\nRECEIVED : b\r\nreceived:c\r\nX-Received: d\r\nReceived-SPF: e\r\n\r\n"
                    "Received: from x by postern.test\r\n"),
              (counted{3, 0}));
    EXPECT_EQ(count(""), (counted{0, 0}));
    EXPECT_EQ(count("\r\nReceived: by postern.test\r\n"), (counted{0, 0}));
}

TEST(relay_trace, by_is_found_wherever_the_field_is_folded) {
    EXPECT_EQ(count("Received: from a\r\n by\r\n\tPOSTERN.TEST\r\n with ESMTP\r\n\r\n"), (counted{1, 1}));
    EXPECT_EQ(count("Received: by postern2.test; date\r\n\r\n"), (counted{1, 1}));
    EXPECT_EQ(count("Received: by postern.test"), (counted{1, 0})) << "the name may go on";
    EXPECT_EQ(count("Received: by postern.test\r\nTo: x\r\n"), (counted{1, 1}));
    EXPECT_EQ(count("Received: by postern.test\r\n\r\n"), (counted{1, 1}));
}

TEST(relay_trace, our_name_elsewhere_is_not_our_line) {
    EXPECT_EQ(count("Received: from postern.test by other.test\r\n\r\n"), (counted{1, 0}));
    EXPECT_EQ(count("Received: from x (by postern.test) by other.test\r\n\r\n"), (counted{1, 0}));
    EXPECT_EQ(count("Received: from \"by postern.test\" by other.test\r\n\r\n"), (counted{1, 0}));
    EXPECT_EQ(count("Received: from x (a (b) \\) by postern.test) by other\r\n\r\n"), (counted{1, 0}));
    EXPECT_EQ(count("Received: by postern.test.other\r\n\r\n"), (counted{1, 0}));
    EXPECT_EQ(count("X: by\r\nReceived: postern.test\r\n\r\n"), (counted{1, 0}));
}

TEST(relay_trace, one_line_counts_once) {
    EXPECT_EQ(count("Received: by postern.test by postern.test\r\n\r\n"), (counted{1, 1}));
}

TEST(relay_trace, a_line_without_end_is_bounded) {
    const std::vector<std::string> names = {"postern.test"};
    loop_guard guard(names);
    const std::string much(100000, 'a');
    guard.take({much.data(), much.size()});
    EXPECT_EQ(guard.received(), 0U);
    static_assert(sizeof(loop_guard) < 128);
}

}  // namespace
}  // namespace postern::relay::test
