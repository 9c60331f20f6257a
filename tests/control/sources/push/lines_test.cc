#include "control/sources/push/lines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace postern::sources::push {
namespace {

/// Gives `text` in parts of `part` octets.
octet_source from(std::string text, std::size_t part) {
    return [text = std::move(text), part, at = std::size_t{0}](char* to, std::size_t most) mutable {
        const std::size_t n = std::min({part, most, text.size() - at});
        std::copy_n(text.data() + at, n, to);
        at += n;
        return tl::expected<std::size_t, std::string>(n);
    };
}

struct read_end {
    std::vector<line> lines;
    std::uint64_t count = 0;
    std::uint64_t at = 0;
    std::string error;
};
read_end read(const std::string& text, std::size_t part = 7) {
    read_end out;
    const auto done = read_lines(from(text, part), [&](line&& one) {
        out.lines.push_back(std::move(one));
        return true;
    });
    if (done) {
        out.count = *done;
    } else {
        out.at = done.error().line;
        out.error = done.error().text;
    }
    return out;
}

TEST(push_lines, a_person_is_read_as_it_is_written) {
    directory_entry person;
    person.identity = "3f2504e0";
    person.name = "cn=Alice,dc=example";
    person.address = "Alice@example.com";
    person.aliases = {"a@example.com", "\"x y\"@example.com"};
    person.first_name = "Älice";
    person.last_name = "A";
    person.kind = recipients::mailbox_kind::shared;
    person.internal_only = true;
    for (const std::size_t part : {1U, 7U, 1000U}) {
        const auto got = read(to_line(person) + gone_line("x") + end_line(2), part);
        ASSERT_EQ(got.error, "");
        ASSERT_EQ(got.lines.size(), 2U);
        const directory_entry& back = got.lines[0].person;
        EXPECT_EQ(back.identity, person.identity);
        EXPECT_EQ(back.name, person.name);
        EXPECT_EQ(back.address, person.address);
        EXPECT_EQ(back.aliases, person.aliases);
        EXPECT_EQ(back.first_name, person.first_name);
        EXPECT_EQ(back.last_name, person.last_name);
        EXPECT_EQ(back.kind, person.kind);
        EXPECT_TRUE(back.internal_only);
        EXPECT_EQ(got.lines[1].what, line::kind::gone);
        EXPECT_EQ(got.lines[1].person.identity, "x");
    }
}

TEST(push_lines, a_name_that_no_line_can_carry_does_not_spoil_the_list) {
    directory_entry person;
    person.identity = "x";
    person.address = "a@example.com";
    person.name = std::string(longest_name - 1, 'x') + "\u00e4";
    person.first_name = "\xff\xfe";
    const auto got = read(to_line(person) + end_line(1));
    ASSERT_EQ(got.error, "");
    EXPECT_EQ(got.lines.at(0).person.name, std::string(longest_name - 1, 'x'));
    EXPECT_EQ(got.lines.at(0).person.first_name, "??");
}

TEST(push_lines, without_an_id_the_address_is_it) {
    const auto got = read("{\"address\":\"Alice@Example.com\"}\r\n\r\n{\"end\":1}");
    ASSERT_EQ(got.error, "");
    EXPECT_EQ(got.lines.at(0).person.identity, "alice@example.com");
    EXPECT_EQ(got.lines.at(0).person.kind, recipients::mailbox_kind::user);
}

TEST(push_lines, what_was_cut_off_anywhere_is_refused_whole) {
    const std::string text = "{\"address\":\"a@example.com\"}\n{\"address\":\"b@example.com\"}\n{\"end\":2}\n";
    EXPECT_EQ(read(text).count, 2U);
    for (std::size_t length = 0; length + 1 < text.size(); ++length) {
        EXPECT_NE(read(text.substr(0, length)).error, "") << length;
    }
    EXPECT_NE(read("{\"address\":\"a@example.com\"}\n").error.find("without its end line {\"end\": 1}"),
              std::string::npos);
}

TEST(push_lines, what_is_wrong_is_told_with_its_line) {
    const auto wrong = [](const std::string& bad) {
        const auto got = read("{\"address\":\"a@example.com\"}\n" + bad + "\n{\"end\":2}\n");
        EXPECT_EQ(got.at, 2U) << bad;
        return got.error;
    };
    EXPECT_NE(wrong("nonsense").find("is no JSON object"), std::string::npos);
    EXPECT_NE(wrong("[]").find("is no JSON object"), std::string::npos);
    EXPECT_NE(wrong("[[[[[[]]]]]]").find("is no JSON object"), std::string::npos);
    EXPECT_EQ(wrong("{}"), "\"address\" is missing");
    EXPECT_EQ(wrong("{\"address\":7}"), "\"address\" is not a string of at most 1024 octets");
    EXPECT_EQ(wrong("{\"address\":\"b@example.com\",\"mail\":\"x\"}"), "\"mail\" is no member of a line");
    EXPECT_EQ(wrong("{\"address\":\"b@example.com\",\"kind\":\"alias\"}"),
              "\"kind\" \"alias\" is not user, shared, resource, list or unclassified");
    EXPECT_EQ(wrong("{\"address\":\"b@example.com\",\"internal_only\":1}"), "\"internal_only\" is not true or false");
    EXPECT_EQ(wrong("{\"address\":\"b@example.com\",\"aliases\":[\"\"]}"),
              "\"aliases\" has something else than addresses of at most 1024 octets");
    EXPECT_EQ(wrong("{\"gone\":true}"), "\"id\" is missing");
    EXPECT_EQ(wrong("{\"end\":-1}"), "\"end\" is not the number of lines before it");
    EXPECT_EQ(wrong("{\"end\":3}"), "the end line counts 3 lines before it, but 1 came");
    EXPECT_EQ(read("{\"end\":0}\n{\"address\":\"a@example.com\"}\n").error, "something follows the end line");
}

TEST(push_lines, a_line_has_its_bound) {
    const auto with = [](std::size_t size) {
        std::string text = "{\"address\":\"a@example.com\"}";
        text.append(size - text.size(), ' ');
        return read(text + "\n{\"end\":1}\n", 100'000);
    };
    EXPECT_EQ(with(longest_line).error, "");
    EXPECT_EQ(with(longest_line + 1).error, "is longer than 1048576 octets");
    EXPECT_EQ(with(longest_line * 3).at, 1U);
    const auto endless = read_lines(
        [](char* to, std::size_t most) -> tl::expected<std::size_t, std::string> {
            std::memset(to, 'x', most);
            return most;
        },
        [](line&&) { return true; });
    EXPECT_FALSE(endless);
}

TEST(push_lines, an_error_of_the_reading_is_passed_on) {
    const auto failed = read_lines([](char*, std::size_t) { return tl::unexpected(std::string("disk on fire")); },
                                   [](line&&) { return true; });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().text, "disk on fire");
}

}  // namespace
}  // namespace postern::sources::push
