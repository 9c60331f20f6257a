#include "smtp/session/content.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace postern::session {

namespace {

struct result {
    std::string passed;
    std::string rest;  ///< behind the end of data, or what can't be decided yet
    content_kind last = content_kind::need_more;
};

/// Offers `in` whole, `step` octets more at a time, with `room` octets of room each time.
result take(std::string_view in, bare_policy bare, std::size_t step = SIZE_MAX, std::size_t room = SIZE_MAX) {
    result out;
    line_position at = line_position::start;
    std::string held;
    std::size_t given = 0;
    for (;;) {
        const content_step next = next_content({held.data(), held.size()}, at, bare, room);
        EXPECT_LE(next.pass.size(), room);
        out.passed.append(next.pass.begin(), next.pass.end());
        held.erase(0, next.consumed);
        out.last = next.kind;
        if (next.kind == content_kind::content) {
            EXPECT_NE(next.consumed, 0U);
            continue;
        }
        if (next.kind != content_kind::need_more || given == in.size()) {
            break;
        }
        const std::string_view more = in.substr(given, std::min(step, in.size() - given));
        held += more;
        given += more.size();
    }
    out.rest = held + std::string(in.substr(given));
    return out;
}

/// The same, octet by octet and said as plainly as can be: RFC 5321 4.5.2 and nothing else.
std::string plain_unstuffed(std::string_view in) {
    std::string out;
    bool start = true;
    for (std::size_t i = 0; i < in.size(); ++i) {
        if (start && in.substr(i, 3) == ".\r\n") {
            return out;
        }
        if (!(start && in[i] == '.')) {
            out += in[i];
        }
        start = in[i] == '\n' && i > 0 && in[i - 1] == '\r';
    }
    return out;
}

TEST(content, ends_at_a_dot_alone_on_its_line) {
    const result out = take("a\r\n.\r\nQUIT\r\n", bare_policy::refuse);
    EXPECT_EQ(out.last, content_kind::end_of_data);
    EXPECT_EQ(out.passed, "a\r\n");
    EXPECT_EQ(out.rest, "QUIT\r\n");
}

TEST(content, may_be_empty) {
    const result out = take(".\r\n", bare_policy::refuse);
    EXPECT_EQ(out.last, content_kind::end_of_data);
    EXPECT_EQ(out.passed, "");
}

TEST(content, loses_one_leading_dot_of_each_line) {
    EXPECT_EQ(take("..\r\n.a\r\n...b\r\nc.\r\n.\r\n", bare_policy::refuse).passed, ".\r\na\r\n..b\r\nc.\r\n");
}

TEST(content, keeps_back_what_cannot_be_decided) {
    EXPECT_EQ(take("a\r", bare_policy::refuse).rest, "\r");
    EXPECT_EQ(take("a\r\n.", bare_policy::refuse).rest, ".");
    EXPECT_EQ(take("a\r\n.\r", bare_policy::refuse).rest, ".\r");
}

TEST(content, reports_bare_line_ends_where_they_are_refused) {
    for (const char* in : {"a\nb", "a\rb", "\n", "a\r\r\n", "\r\n.\rx", "\r\n.\n", "a\n.\r\n"}) {
        EXPECT_EQ(take(in, bare_policy::refuse).last, content_kind::bare) << in;
    }
}

TEST(content, mends_bare_line_ends_where_they_are_normalised) {
    EXPECT_EQ(take("a\nb\rc\r\r\n.\r\n", bare_policy::normalise).passed, "a\r\nb\r\nc\r\n\r\n");
}

TEST(content, is_never_ended_by_a_mended_line) {
    for (const char* in : {"a\n.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n.\r\n", "a\n.\nb\r\n.\r\n", "a\r\n.\nb\r\n.\r\n"}) {
        const result out = take(in, bare_policy::normalise);
        EXPECT_EQ(out.last, content_kind::end_of_data) << in;
        EXPECT_NE(out.passed.find("b\r\n"), std::string::npos) << in;
        EXPECT_EQ(out.rest, "") << in;
    }
}

TEST(content, loses_a_dot_after_a_mended_line_only_if_it_was_stuffed) {
    EXPECT_EQ(take("a\n..b\n.c\r\n.\r\n", bare_policy::normalise).passed, "a\r\n.b\r\n.c\r\n");
}

TEST(content, takes_no_more_than_there_is_room_for) {
    EXPECT_EQ(take("abcdef\r\n.\r\n", bare_policy::refuse, SIZE_MAX, 0).last, content_kind::no_room);
    EXPECT_EQ(take("abcdef\r\n.\r\n", bare_policy::refuse, SIZE_MAX, 2).passed, "abcdef\r\n");
    EXPECT_EQ(take("\r\n", bare_policy::refuse, SIZE_MAX, 1).last, content_kind::no_room);
}

TEST(content, can_end_without_room) {
    EXPECT_EQ(take(".\r\n", bare_policy::refuse, SIZE_MAX, 0).last, content_kind::end_of_data);
}

TEST(content, is_the_same_however_it_is_cut) {
    std::mt19937 random(1);
    constexpr std::string_view octets = "..\r\n\r\na\r\n.x";
    for (int round = 0; round < 5000; ++round) {
        std::string in;
        for (auto n = random() % 24; n > 0; --n) {
            in += octets[random() % octets.size()];
        }
        in += "\r\n.\r\n";
        for (const bare_policy bare : {bare_policy::refuse, bare_policy::normalise, bare_policy::ignore}) {
            const result whole = take(in, bare);
            for (const std::size_t step : {1U, 2U, 3U}) {
                const result cut = take(in, bare, step, 2 + random() % 4);
                EXPECT_EQ(cut.passed, whole.passed) << round;
                EXPECT_EQ(cut.last, whole.last) << round;
                EXPECT_EQ(cut.rest, whole.rest) << round;
            }
            if (bare == bare_policy::ignore) {
                EXPECT_EQ(whole.passed, plain_unstuffed(in)) << round;
            }
        }
    }
}

TEST(content, mended_has_no_bare_line_end) {
    std::mt19937 random(2);
    constexpr std::string_view octets = "..\r\n\r\nab";
    for (int round = 0; round < 5000; ++round) {
        std::string in;
        for (auto n = random() % 24; n > 0; --n) {
            in += octets[random() % octets.size()];
        }
        const std::string out = take(in + "\r\n.\r\n", bare_policy::normalise).passed;
        for (std::size_t i = 0; i < out.size(); ++i) {
            EXPECT_TRUE(out[i] != '\n' || (i > 0 && out[i - 1] == '\r'));
            EXPECT_TRUE(out[i] != '\r' || (i + 1 < out.size() && out[i + 1] == '\n'));
        }
    }
}

}  // namespace

}  // namespace postern::session
