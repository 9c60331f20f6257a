#include "control/sources/text.h"

#include <gtest/gtest.h>

#include "control/sources/fingerprint.h"

namespace postern::sources {
namespace {

TEST(text, of_a_server_is_one_bounded_line) {
    EXPECT_EQ(one_line("a\r\nb\x01"), "a  b");
    EXPECT_EQ(one_line(std::string(5000, 'x')).size(), 200U);
}

TEST(text, is_cut_between_characters) {
    EXPECT_EQ(one_line(std::string(199, 'x') + "\xC3\xA4y"), std::string(199, 'x'));
    EXPECT_EQ(one_line(std::string(198, 'x') + "\xC3\xA4y"), std::string(198, 'x') + "\xC3\xA4");
}

TEST(text, is_compared_without_regard_to_ascii_case) {
    EXPECT_TRUE(same("SMTP", "smtp"));
    EXPECT_FALSE(same("smtp", "smtps"));
    EXPECT_EQ(trimmed(" \ta b\r\n"), "a b");
    EXPECT_EQ(trimmed("  "), "");
}

TEST(fingerprint, tells_texts_and_their_borders_apart) {
    const auto of = [](std::initializer_list<std::string_view> texts) {
        fingerprint_maker all;
        for (const std::string_view each : texts) {
            all.add(each);
        }
        return all.text();
    };
    EXPECT_EQ(of({"a", "b"}), of({"a", "b"}));
    EXPECT_NE(of({"a", "b"}), of({"ab", ""}));
    EXPECT_EQ(of({}).size(), 16U);
    fingerprint_maker one;
    one.add(std::vector<std::string>{"a"});
    one.add("b");
    fingerprint_maker other;
    other.add(std::vector<std::string>{"a", "b"});
    EXPECT_NE(one.text(), other.text());
}

}  // namespace
}  // namespace postern::sources
