// The grammar of addresses line by line, and that every spelling of an address has one normal form.
#include "smtp/recipients/address.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/recipients/address_grammar.h"
#include "smtp/recipients/address_parser.h"

namespace postern::recipients {
namespace {

using namespace std::string_literals;

std::string normal(std::string_view text, const address_options& options = {}) {
    normal_address out;
    const auto parsed = parse_address(text, options, out);
    return parsed ? std::string(out.text()) : "error: " + std::string(to_string(parsed.error()));
}

address_error error_of(std::string_view text, const address_options& options = {}) {
    normal_address out;
    const auto parsed = parse_address(text, options, out);
    EXPECT_FALSE(parsed) << text << " is taken as " << out.text();
    EXPECT_TRUE(out.text().empty());
    return parsed ? address_error::empty : parsed.error();
}

struct accepted {
    std::string given;
    std::string text;
};

TEST(address, has_one_normal_form) {
    const std::vector<accepted> cases = {
        // Plain: ASCII case folded in both parts.
        {"alice@example.com", "alice@example.com"},
        {"Alice@EXAMPLE.Com", "alice@example.com"},
        {"a@b", "a@b"},
        {"first.last@sub.example.com", "first.last@sub.example.com"},
        {"a+b=c-d_e@x-y.example", "a+b=c-d_e@x-y.example"},
        {"!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"},
        {"-@example.com", "-@example.com"},
        {"1@2.example", "1@2.example"},
        // The domain: trailing dot dropped, underscores taken, digits at either end.
        {"alice@example.com.", "alice@example.com"},
        {"alice@_dmarc.my_host.example", "alice@_dmarc.my_host.example"},
        {"alice@1and1.9", "alice@1and1.9"},
        {"alice@a--b.example", "alice@a--b.example"},
        // Quoted strings: unquoted where the content is a dot-string.
        {"\"alice\"@example.com", "alice@example.com"},
        {"\"Alice.B\"@example.com", "alice.b@example.com"},
        {"\"al\\ice\"@example.com", "alice@example.com"},
        {"\"alice bob\"@example.com", "\"alice bob\"@example.com"},
        {"\"ALICE BOB\"@example.com", "\"alice bob\"@example.com"},
        {"\"alice\\ bob\"@example.com", "\"alice bob\"@example.com"},
        {"\"a@b\"@example.com", "\"a@b\"@example.com"},
        {"\"a\\\"b\"@example.com", "\"a\\\"b\"@example.com"},
        {"\"a\\\\b\"@example.com", "\"a\\\\b\"@example.com"},
        {"\"\"@example.com", "\"\"@example.com"},
        {"\".a\"@example.com", "\".a\"@example.com"},
        {"\"a..b\"@example.com", "\"a..b\"@example.com"},
        {"\"a,b:c;<d>\"@example.com", "\"a,b:c;<d>\"@example.com"},
        // Source routes are accepted and ignored.
        {"@a.example:alice@example.com", "alice@example.com"},
        {"@a.example,@b.example:alice@example.com", "alice@example.com"},
        {"@[192.0.2.1],@[IPv6:2001:db8::1]:alice@example.com", "alice@example.com"},
        {"@a.example:\"a b\"@example.com", "\"a b\"@example.com"},
        // Address literals.
        {"alice@[192.0.2.1]", "alice@[192.0.2.1]"},
        {"alice@[192.000.002.001]", "alice@[192.0.2.1]"},
        {"alice@[255.255.255.255]", "alice@[255.255.255.255]"},
        {"alice@[IPv6:2001:DB8::1]", "alice@[ipv6:2001:db8::1]"},
        {"alice@[ipv6:2001:0db8:0:0:0:0:0:1]", "alice@[ipv6:2001:db8::1]"},
        {"alice@[IPv6:::ffff:192.0.2.1]", "alice@[ipv6:::ffff:192.0.2.1]"},
        {"alice@[IPv6:::]", "alice@[ipv6:::]"},
        // The bare postmaster.
        {"postmaster", "postmaster"},
        {"PostMaster", "postmaster"},
        {"\"postmaster\"", "postmaster"},
        {"@a.example:postmaster", "postmaster"},
        // Internationalised domains become A-labels, whichever way they are written.
        {"alice@b\u00fccher.example", "alice@xn--bcher-kva.example"},
        {"alice@B\u00dcCHER.example", "alice@xn--bcher-kva.example"},
        {"alice@bu\u0308cher.example", "alice@xn--bcher-kva.example"},
        {"alice@XN--BCHER-KVA.example", "alice@xn--bcher-kva.example"},
        {"alice@b\u00fccher.example.", "alice@xn--bcher-kva.example"},
        {"alice@fa\u00df.example", "alice@xn--fa-hia.example"},
        {"alice@\u65e5\u672c\u8a9e\u3002\u4f8b\u3048", "alice@xn--wgv71a119e.xn--r8jz45g"},
        // Unicode local parts: NFC and case folded.
        {"j\u00fcrgen@example.com", "j\u00fcrgen@example.com"},
        {"J\u00dcRGEN@example.com", "j\u00fcrgen@example.com"},
        {"ju\u0308rgen@example.com", "j\u00fcrgen@example.com"},
        {"stra\u00dfe@example.com", "strasse@example.com"},
        {"\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2@example.com",
         "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c3@example.com"},
        {"\u212a@example.com", "k@example.com"},
        {"\"j\u00fcrgen\"@example.com", "j\u00fcrgen@example.com"},
        {"\"j\u00fcrgen b\"@example.com", "\"j\u00fcrgen b\"@example.com"},
        {"\u7528\u6237@example.com", "\u7528\u6237@example.com"},
        {"\U0001f600@example.com", "\U0001f600@example.com"},
        // What normalising turns into a character that an atom can't have is quoted.
        {"\u03b1\u037e\u03b2@example.com", "\"\u03b1;\u03b2\"@example.com"},
    };
    for (const accepted& c : cases) {
        EXPECT_EQ(normal(c.given), c.text) << c.given;
        EXPECT_EQ(normal(c.text), c.text) << "not the same again";
    }
}

TEST(address, refuses_what_is_no_mailbox) {
    const std::vector<std::pair<std::string, address_error>> cases = {
        {"", address_error::empty},
        {"@a.example:", address_error::empty},
        {"alice", address_error::no_domain},
        {"postmaste", address_error::no_domain},
        {"\"\"", address_error::no_domain},
        {"@", address_error::domain_syntax},
        {"@example.com", address_error::domain_syntax},
        {"@a@b", address_error::domain_syntax},
        {"@:alice@example.com", address_error::domain_syntax},
        {"@a.example,:alice@example.com", address_error::domain_syntax},
        {"@a.example,b.example:alice@example.com", address_error::domain_syntax},
        {"@a.example;alice@example.com", address_error::domain_syntax},
        {"@[192.0.2.1", address_error::domain_syntax},
        // The local part.
        {".alice@example.com", address_error::local_syntax},
        {"alice.@example.com", address_error::local_syntax},
        {"al..ice@example.com", address_error::local_syntax},
        {".@example.com", address_error::local_syntax},
        {"al ice@example.com", address_error::local_syntax},
        {" alice@example.com", address_error::local_syntax},
        {"<alice@example.com>", address_error::local_syntax},
        {"alice,bob@example.com", address_error::local_syntax},
        {"al\"ice@example.com", address_error::local_syntax},
        {"\"alice@example.com", address_error::local_syntax},
        {"\"alice\\\"@example.com", address_error::local_syntax},
        {"\"alice\"bob@example.com", address_error::local_syntax},
        {"\"alice\".bob@example.com", address_error::local_syntax},
        {"\"alice\\", address_error::local_syntax},
        {"\"alice\\\r\"@example.com", address_error::local_syntax},
        {"\"ali\tce\"@example.com", address_error::local_syntax},
        {"ali\x7f@example.com", address_error::local_syntax},
        {"ali\0ce@example.com"s, address_error::local_syntax},
        {"\"ali\0ce\"@example.com"s, address_error::local_syntax},
        {"alice\r\n@example.com", address_error::local_syntax},
        {"ali\u0085ce@example.com", address_error::local_syntax},
        {"ali\u2028ce@example.com", address_error::local_syntax},
        // The domain.
        {"alice@", address_error::domain_syntax},
        {"alice@.", address_error::domain_syntax},
        {"alice@.example.com", address_error::domain_syntax},
        {"alice@example..com", address_error::domain_syntax},
        {"alice@example.com..", address_error::domain_syntax},
        {"alice@-example.com", address_error::domain_syntax},
        {"alice@example-.com", address_error::domain_syntax},
        {"alice@example.com-", address_error::domain_syntax},
        {"alice@example.-com", address_error::domain_syntax},
        {"alice@exam ple.com", address_error::domain_syntax},
        {"alice@example.com ", address_error::domain_syntax},
        {"alice@exam+ple.com", address_error::domain_syntax},
        {"alice@bob@example.com", address_error::domain_syntax},
        {"alice@example.com\0"s, address_error::domain_syntax},
        {"alice@b\u00fc\0cher.example"s, address_error::domain_syntax},
        {"alice@b\u00fc cher.example", address_error::domain_syntax},
        {"alice@\"example\".com", address_error::domain_syntax},
        // Literals.
        {"alice@[192.0.2.1", address_error::domain_syntax},
        {"alice@[]", address_error::domain_syntax},
        {"alice@[", address_error::domain_syntax},
        {"alice@[192.0.2]", address_error::domain_syntax},
        {"alice@[192.0.2.1.5]", address_error::domain_syntax},
        {"alice@[192.0.2.256]", address_error::domain_syntax},
        {"alice@[192.0.2.0001]", address_error::domain_syntax},
        {"alice@[192.0.2.1].", address_error::domain_syntax},
        {"alice@[192.0.2.1]x", address_error::domain_syntax},
        {"alice@[2001:db8::1]", address_error::domain_syntax},
        {"alice@[IPv6:]", address_error::domain_syntax},
        {"alice@[IPv6:2001:db8::1%eth0]", address_error::domain_syntax},
        {"alice@[IPv6:1:2:3:4:5:6:7]", address_error::domain_syntax},
        {"alice@[IPv6:1:2:3:4:5:6:7:8:9]", address_error::domain_syntax},
        {"alice@[IPv6:::1\0]"s, address_error::domain_syntax},
        {"alice@[X400:c=de]", address_error::domain_syntax},
        {"alice@[IPv6:0000000000000000000000000000000000000000000000000000000001]", address_error::domain_syntax},
        // UTF-8: no overlong forms, surrogates, truncated sequences, nothing over U+10FFFF.
        {"\xff@example.com", address_error::not_utf8},
        {"\xc0\xaf@example.com", address_error::not_utf8},
        {"\xe0\x80\xaf@example.com", address_error::not_utf8},
        {"\xed\xa0\x80@example.com", address_error::not_utf8},
        {"\xf4\x90\x80\x80@example.com", address_error::not_utf8},
        {"\xe6\x97@example.com", address_error::not_utf8},
        {"\x80@example.com", address_error::not_utf8},
        {"alice@ex\xff"
         "ample.com",
         address_error::not_utf8},
        // IDNA: symbols and labels that begin with a mark have no A-label.
        {"alice@\u0301a.example", address_error::bad_idn},
        {"alice@\u2028.example", address_error::bad_idn},
    };
    for (const auto& [given, error] : cases) {
        EXPECT_EQ(to_string(error_of(given)), to_string(error)) << given;
    }
}

TEST(address, takes_local_parts_over_64_octets) {
    const std::string local(500, 'a');
    EXPECT_EQ(normal(local + "@example.com"), local + "@example.com");
}

TEST(address, is_at_most_its_capacity) {
    const std::string local(normal_address::capacity - 12, 'a');
    EXPECT_EQ(normal(local + "@example.com"), local + "@example.com");
    EXPECT_EQ(error_of(local + "a@example.com"), address_error::too_long);
    EXPECT_EQ(error_of(std::string(normal_address::capacity, 'a')), address_error::too_long);
    EXPECT_EQ(error_of(std::string(100000, 'a') + "@example.com"), address_error::too_long);
    EXPECT_EQ(error_of("\"" + std::string(2000, ' ') + "\"@example.com"), address_error::too_long);
    // Every quote is two octets in normal form.
    std::string quotes;
    for (int i = 0; i < 600; ++i) {
        quotes += "\\\"";
    }
    EXPECT_EQ(error_of("\"" + quotes + "\"@example.com"), address_error::too_long);
    // Folding makes some letters longer: U+0149 from two octets to three.
    std::string longer;
    for (int i = 0; i < 500; ++i) {
        longer += "\u0149";
    }
    EXPECT_EQ(error_of(longer + "@example.com"), address_error::too_long);
    EXPECT_EQ(error_of(longer + longer + longer + longer + longer + "@example.com"), address_error::too_long);
}

TEST(address, limits_domains_to_255_octets_and_labels_to_63) {
    const std::string label(63, 'x');
    EXPECT_EQ(normal("a@" + label + ".example"), "a@" + label + ".example");
    EXPECT_EQ(error_of("a@" + label + "x.example"), address_error::domain_too_long);
    std::string name;
    for (int i = 0; i < 127; ++i) {
        name += "x.";
    }
    EXPECT_EQ(normal("a@" + name + "x"), "a@" + name + "x");   // 255
    EXPECT_EQ(normal("a@" + name + "x."), "a@" + name + "x");  // the trailing dot does not count
    EXPECT_EQ(error_of("a@" + name + "xx"), address_error::domain_too_long);
    std::string unicode_label;
    for (int i = 0; i < 70; ++i) {
        unicode_label += "\u00fc";
    }
    EXPECT_EQ(error_of("a@" + unicode_label + ".example"), address_error::domain_too_long);
}

TEST(address, takes_eight_bit_octets_only_where_they_are_allowed) {
    const address_options ascii{.allow_utf8 = false};
    EXPECT_EQ(error_of("j\u00fcrgen@example.com", ascii), address_error::not_ascii);
    EXPECT_EQ(error_of("alice@b\u00fccher.example", ascii), address_error::not_ascii);
    EXPECT_EQ(error_of("\xff@example.com", ascii), address_error::not_ascii);
    EXPECT_EQ(normal("Alice@example.com", ascii), "alice@example.com");
}

TEST(address, takes_the_bare_postmaster_only_where_it_is_allowed) {
    const address_options none{.allow_bare_postmaster = false};
    EXPECT_EQ(error_of("postmaster", none), address_error::no_domain);
    EXPECT_EQ(normal("postmaster@example.com", none), "postmaster@example.com");
    normal_address out;
    ASSERT_TRUE(parse_address("postmaster", {}, out));
    EXPECT_TRUE(out.is_bare_postmaster());
    EXPECT_EQ(out.domain(), "");
    ASSERT_TRUE(parse_address("postmaster@example.com", {}, out));
    EXPECT_FALSE(out.is_bare_postmaster());
}

TEST(address, tells_its_parts) {
    normal_address out;
    ASSERT_TRUE(parse_address("\"a@b\"@Example.COM", {}, out));
    EXPECT_EQ(out.local(), "\"a@b\"");
    EXPECT_EQ(out.domain(), "example.com");
    EXPECT_FALSE(out.is_literal());
    ASSERT_TRUE(parse_address("a@[192.0.2.1]", {}, out));
    EXPECT_EQ(out.domain(), "[192.0.2.1]");
    EXPECT_TRUE(out.is_literal());
}

TEST(address, leaves_nothing_of_an_earlier_parse) {
    normal_address out;
    ASSERT_TRUE(parse_address("a@[192.0.2.1]", {}, out));
    EXPECT_FALSE(parse_address("nobody", {}, out));
    EXPECT_EQ(out.text(), "");
    EXPECT_EQ(out.domain(), "");
    EXPECT_FALSE(out.is_literal());
    ASSERT_TRUE(parse_address("alice@example.com", {}, out));
    EXPECT_FALSE(out.is_literal());
}

TEST(domain, has_the_normal_form_of_an_address) {
    const std::vector<accepted> cases = {{"Example.COM.", "example.com"},
                                         {"b\u00fccher.example", "xn--bcher-kva.example"},
                                         {"[192.0.2.1]", "[192.0.2.1]"},
                                         {"[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"}};
    for (const accepted& c : cases) {
        normal_address out;
        ASSERT_TRUE(parse_domain(c.given, out)) << c.given;
        EXPECT_EQ(out.domain(), c.text);
        EXPECT_EQ(out.local(), "");
        EXPECT_FALSE(out.is_bare_postmaster());
    }
    normal_address out;
    EXPECT_EQ(parse_domain("", out).error(), address_error::empty);
    EXPECT_EQ(parse_domain("a@b", out).error(), address_error::domain_syntax);
    EXPECT_EQ(parse_domain("exam ple", out).error(), address_error::domain_syntax);
    EXPECT_EQ(parse_domain("\xff", out).error(), address_error::not_utf8);
}

/// What the fast way says, it says as the plain one does.
void expect_same_both_ways(const std::string& text) {
    normal_address fast;
    if (!address_parser::plain_mailbox(text, fast)) {
        return;
    }
    normal_address plain;
    const address_options options;
    ASSERT_TRUE(address_parser(options, plain).mailbox(text)) << text;
    EXPECT_EQ(fast.text(), plain.text()) << text;
    EXPECT_EQ(fast.local(), plain.local()) << text;
    EXPECT_EQ(fast.domain(), plain.domain()) << text;
    EXPECT_EQ(fast.is_literal(), plain.is_literal()) << text;
    EXPECT_EQ(fast.may_be_tagged(), plain.local().find_first_of("+=") != std::string_view::npos) << text;
    EXPECT_TRUE(plain.may_be_tagged());
}

/// Before a bracket, whatever stands behind it, the same is found; but for what is as long as it looks at.
void expect_same_before_a_bracket(const std::string& text, const std::string& behind) {
    const std::string whole = text + '>' + behind;
    normal_address alone;
    const bool plain = address_parser::plain_mailbox(text, alone);
    if (whole.size() < 16) {
        normal_address unused;
        ASSERT_EQ(address_parser::plain_mailbox_before('>', whole, unused), 0U) << whole;
        return;
    }
    for (const address_parser::finder find : address_parser::finders()) {
        // Exactly as long as it is, so that a look behind it is seen.
        const std::vector<char> exact(whole.begin(), whole.end());
        normal_address before;
        const std::size_t found = find('>', {exact.data(), exact.size()}, before);
        ASSERT_EQ(found, plain && text.size() < 64 ? text.size() : 0) << whole;
        if (found != 0) {
            EXPECT_EQ(before.text(), alone.text()) << whole;
            EXPECT_EQ(before.local(), alone.local()) << whole;
            EXPECT_EQ(before.may_be_tagged(), alone.may_be_tagged()) << whole;
        }
    }
}

TEST(address, the_fast_way_agrees_with_the_plain_one) {
    std::mt19937 random(1);
    const std::string common = "aZ09.-_+=@";
    for (int round = 0; round < 300000; ++round) {
        std::string text(random() % 70, ' ');
        for (char& c : text) {
            const auto draw = random() % 100;
            c = draw < 70 ? static_cast<char>('a' + draw % 26)
                          : (draw < 99 ? common[random() % common.size()] : static_cast<char>(random()));
        }
        if (round % 2 == 0 && text.size() > 4) {
            text[1 + random() % (text.size() - 2)] = '@';
        }
        expect_same_both_ways(text);
        if (text.find('>') == std::string::npos) {
            expect_same_before_a_bracket(text, std::string(random() % 40, "a.@->"[random() % 5]));
        }
    }
}

TEST(address, nothing_is_plain_before_a_bracket_that_is_not_there) {
    for (std::size_t size = 0; size < 100; ++size) {
        const std::string text = "a@b" + std::string(size, 'c');
        normal_address out;
        EXPECT_EQ(address_parser::plain_mailbox_before('>', text, out), 0U) << text;
        for (const address_parser::finder find : address_parser::finders()) {
            if (text.size() >= 16) {
                EXPECT_EQ(find('>', text, out), 0U) << text;
            }
        }
    }
}

TEST(address, the_fast_way_takes_every_plain_address) {
    for (std::size_t size = 3; size <= 64; ++size) {
        for (std::size_t at = 1; at + 1 < size; ++at) {
            std::string text(size, 'A');
            text[at] = '@';
            normal_address out;
            ASSERT_TRUE(address_parser::plain_mailbox(text, out)) << text;
            EXPECT_EQ(out.local(), std::string(at, 'a'));
            EXPECT_EQ(out.domain(), std::string(size - at - 1, 'a'));
        }
    }
}

TEST(address, every_single_octet_is_judged_alike_both_ways) {
    for (int octet = 0; octet < 256; ++octet) {
        for (const std::size_t place : {0U, 3U, 6U, 7U, 10U, 16U}) {
            std::string text = "abc.ef@example.com";
            text[place] = static_cast<char>(octet);
            expect_same_both_ways(text);
        }
    }
}

TEST(address, normal_forms_of_random_text_are_stable) {
    std::mt19937 random(2);
    const std::vector<std::string> pieces = {"a",      "B",          ".",      "@",      "\"",     "\\",     " ",
                                             "\u00df", "\u0130",     "\u0345", "\u0301", "\u03a3", "\u1e9e", "\ufb03",
                                             "\u037e", "\u1fef",     "\u212a", "\u0390", "\u1f80", "\u3002", "\u00ad",
                                             "\u200d", "\U0001f1e6", "-",      "xn--",   "[",      "]",      "1"};
    std::size_t taken = 0;
    for (int round = 0; round < 30000; ++round) {
        std::string text;
        const auto count = 1 + random() % 8;
        for (std::size_t i = 0; i < count; ++i) {
            text += pieces[random() % pieces.size()];
        }
        if (random() % 2 == 0) {
            text.insert(0, 1, '"').push_back('"');
        }
        text += round % 8 == 0 ? "@ex\u00e4mple.com" : "@example.com";
        normal_address once;
        if (!parse_address(text, {}, once)) {
            continue;
        }
        ++taken;
        normal_address twice;
        ASSERT_TRUE(parse_address(once.text(), {}, twice)) << text << " gives " << once.text();
        EXPECT_EQ(once.text(), twice.text()) << text;
    }
    EXPECT_GT(taken, 3000U);
}

TEST(address, every_error_has_a_sentence) {
    for (int i = 0; i <= static_cast<int>(address_error::bad_idn); ++i) {
        EXPECT_NE(to_string(static_cast<address_error>(i)), "unknown error");
    }
}

}  // namespace
}  // namespace postern::recipients
