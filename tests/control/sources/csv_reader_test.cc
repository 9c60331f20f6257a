#include "control/sources/csv_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace postern::sources {
namespace {

using rows = std::vector<std::vector<std::string>>;

struct file {
    rows fields;
    std::vector<std::uint64_t> lines;
    std::vector<std::string> problems;
    csv_dialect dialect;
};

file read(std::string_view content) {
    file out;
    auto reader = csv_reader::open(from_memory(content));
    EXPECT_TRUE(reader) << reader.error();
    out.dialect = reader->dialect();
    csv_row row;
    while (true) {
        const auto got = reader->next(row);
        EXPECT_TRUE(got) << got.error();
        if (!got || !*got) {
            return out;
        }
        out.lines.push_back(row.line);
        if (!row.problem.empty()) {
            out.problems.push_back(row.problem);
        }
        out.fields.emplace_back(row.fields.begin(), row.fields.begin() + static_cast<std::ptrdiff_t>(row.size));
    }
}

TEST(csv_reader_test, finds_each_delimiter_by_what_the_first_lines_agree_on) {
    EXPECT_EQ(read("a,b\nc,d\n").fields, (rows{{"a", "b"}, {"c", "d"}}));
    EXPECT_EQ(read("a;b,x\nc;d\n").fields, (rows{{"a", "b,x"}, {"c", "d"}}));
    EXPECT_EQ(read("a\tb\nc\td\n").fields, (rows{{"a", "b"}, {"c", "d"}}));
    EXPECT_EQ(read("alone\n").dialect.delimiter, ',');
}

TEST(csv_reader_test, reads_each_kind_of_line_end_and_a_last_line_without_one) {
    EXPECT_EQ(read("a\nb").dialect.line_ends, "LF");
    EXPECT_EQ(read("a\r\nb\r\n").dialect.line_ends, "CRLF");
    EXPECT_EQ(read("a\rb\r").dialect.line_ends, "CR");
    for (const char* text : {"a\nb", "a\r\nb\r\n", "a\rb\r"}) {
        EXPECT_EQ(read(text).fields, (rows{{"a"}, {"b"}})) << text;
    }
}

TEST(csv_reader_test, takes_quotes_as_rfc_4180_has_them) {
    EXPECT_EQ(read("\"a,b\",\"c\"\"d\",\"\"\n").fields, (rows{{"a,b", "c\"d", ""}}));
    EXPECT_EQ(read("\"two\nlines\",x\nnext,y\n").fields, (rows{{"two\nlines", "x"}, {"next", "y"}}));
    EXPECT_EQ(read("\"two\nlines\",x\nnext,y\n").lines, (std::vector<std::uint64_t>{1, 3}));
    EXPECT_EQ(read("5\" pipe,x\n").fields, (rows{{"5\" pipe", "x"}}));
}

TEST(csv_reader_test, reports_a_quote_that_is_never_closed_and_goes_on_with_the_next_line) {
    const file got = read("a,b\n\"open,c\nd,e\n");
    ASSERT_EQ(got.problems.size(), 1U);
    EXPECT_NE(got.problems[0].find("quote is not closed"), std::string::npos);
    EXPECT_EQ(got.lines, (std::vector<std::uint64_t>{1, 2, 3}));
    EXPECT_EQ(got.fields.back(), (std::vector<std::string>{"d", "e"}));
}

TEST(csv_reader_test, bounds_rows_and_fields) {
    EXPECT_EQ(read("a\n" + std::string(70'000, 'x') + "\nb\n").problems.size(), 1U);
    EXPECT_EQ(read("a\n" + std::string(2'000, ',') + "\nb\n").problems.size(), 1U);
    std::string broken;
    for (int i = 0; i < 1'100; ++i) {
        broken += std::string(1'500, ',') + "\n";
    }
    auto reader = csv_reader::open(from_memory(broken));
    csv_row row;
    tl::expected<bool, std::string> got = true;
    while (got && *got) {
        got = reader->next(row);
    }
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().find("is this a CSV file?"), std::string::npos);
}

TEST(csv_reader_test, decodes_each_encoding) {
    EXPECT_EQ(read("\xEF\xBB\xBF"
                   "a,\xC3\xA9\n")
                  .fields,
              (rows{{"a", "\xC3\xA9"}}));
    EXPECT_TRUE(read("\xEF\xBB\xBF"
                     "a\n")
                    .dialect.text.bom);
    EXPECT_EQ(read("a,\xE9\x80\n").fields, (rows{{"a", "\xC3\xA9\xE2\x82\xAC"}}));  // e acute, euro sign
    EXPECT_EQ(read("a,\xE9\n").dialect.text.encoding, encoding::windows1252);
    using namespace std::string_view_literals;
    EXPECT_EQ(read("\xFF\xFE"
                   "a\0,\0\xE9\0\n\0"sv)
                  .fields,
              (rows{{"a", "\xC3\xA9"}}));
    EXPECT_EQ(read("\xFE\xFF"
                   "\0a\0,\0\xE9\0\n"sv)
                  .fields,
              (rows{{"a", "\xC3\xA9"}}));
    EXPECT_EQ(read("\xFF\xFE"
                   "\x3D\xD8\x00\xDE\n\0"sv)
                  .fields,
              (rows{{"\xF0\x9F\x98\x80"}}));  // a surrogate pair
    EXPECT_EQ(read("\xFF\xFE"
                   "\x00\xDE\n\0"sv)
                  .fields,
              (rows{{"\xEF\xBF\xBD"}}));  // half of one
}

TEST(csv_reader_test, a_file_that_turns_out_to_be_windows_1252_late_is_still_read) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) {
        text += "plain,ascii\n";
    }
    EXPECT_EQ(read(text + "late,\xE9\n").fields.back(), (std::vector<std::string>{"late", "\xC3\xA9"}));
}

TEST(csv_reader_test, an_empty_file_has_no_rows) {
    EXPECT_TRUE(read("").fields.empty());
    EXPECT_TRUE(read("\xEF\xBB\xBF").fields.empty());
}

TEST(csv_reader_test, an_error_of_the_source_is_passed_on) {
    const auto reader = csv_reader::open([](std::span<char>) -> tl::expected<std::size_t, std::string> {
        return tl::unexpected(std::string("disk on fire"));
    });
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error(), "disk on fire");
}

}  // namespace
}  // namespace postern::sources
