#include "control/api/import_record.h"

#include <gtest/gtest.h>

namespace postern::api {
namespace {

import_record full() {
    import_record out;
    out.job.id = "0123";
    out.job.file_name = "pe\"ople.csv";
    out.job.size = 12'345'678'901;
    out.job.state = import_state::held;
    out.job.apply_at_once = true;
    out.job.options.organisation = 3;
    out.job.options.domain = 7;
    out.job.options.source = "csv:a/b";
    out.job.options.replace = true;
    out.job.options.strict = true;
    out.job.options.header = false;
    out.job.options.max_row_errors = 1000;
    out.job.confirmed = 5;
    out.job.approved = 0;
    out.job.by = "token:ops";
    out.job.created = 1'700'000'000'000;
    out.job.finished = 1'700'000'000'500;
    out.by = {"token:other", "be\ncause"};
    out.idempotency = "abcd";
    out.digest = "ef";
    out.begun = 2;
    sources::import_report& report = out.job.report.emplace();
    report.guess = {"UTF-16LE", true, '\t', "CRLF", true, "Postern", {"email", "-"}};
    report.source = "csv:a/b";
    report.rows = 1;
    report.created = 2;
    report.updated = 3;
    report.unchanged = 4;
    report.missing = 5;
    report.withdrawn = 6;
    report.held = 7;
    report.guard = "it would remove 7";
    report.invalid = 8;
    report.duplicates = 9;
    report.aliases = 10;
    report.errors = {{4, 0, "email", "x@@", "no address"}, {5, 2, "", "", "?"}};
    report.errors_total = 2000;
    report.new_rows = {{2, "a@example.com", "A", "B", "g", "user", "c@example.com"}};
    report.missing_rows = {{0, "b@example.com", "", "", "", "user", ""}};
    report.seq = 99;
    report.applied = true;
    return out;
}

TEST(import_record, comes_back_as_it_was_written) {
    const auto back = parse_import_record(to_text(full()));
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(to_text(*back), to_text(full()));
    EXPECT_EQ(back->job.report->errors[0].reason, "no address");
    EXPECT_EQ(back->job.report->missing_rows[0].address, "b@example.com");
    EXPECT_EQ(back->job.report->guess.delimiter, '\t');
    EXPECT_EQ(back->by.why, "be?cause");
    EXPECT_EQ(back->job.options.header, false);
    EXPECT_EQ(back->job.confirmed, 5U);
    EXPECT_EQ(back->job.state, import_state::held);
}

TEST(import_record, of_a_job_that_has_found_nothing_yet_comes_back_too) {
    import_record plain;
    plain.job.id = "1";
    const auto back = parse_import_record(to_text(plain));
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(to_text(*back), to_text(plain));
    EXPECT_FALSE(back->job.report);
    EXPECT_FALSE(back->job.options.header);
}

TEST(import_record, cut_off_anywhere_is_refused) {
    const std::string text = to_text(full());
    for (std::size_t size = 0; size + 2 < text.size(); size += 7) {
        EXPECT_FALSE(parse_import_record(text.substr(0, size))) << size;
    }
}

TEST(import_record, with_a_member_of_another_kind_is_refused_in_words) {
    const std::string good = to_text(full());
    const std::pair<std::string, std::string> changes[] = {
        {R"("begun":2)", R"("begun":-1)"},
        {R"("size":12345678901)", R"("size":"x")"},
        {R"("state":"held")", R"("state":"on")"},
        {R"("domain":7)", R"("domain":7000000000)"},
        {R"("who":)", R"("whom":)"},
        {R"("line":4)", R"("line":[])"},
    };
    for (const auto& [from, to] : changes) {
        std::string text = good;
        const std::size_t at = text.find(from);
        ASSERT_NE(at, std::string::npos) << from;
        text.replace(at, from.size(), to);
        const auto parsed = parse_import_record(text);
        ASSERT_FALSE(parsed) << to;
        EXPECT_NE(parsed.error().find("not as Postern writes it"), std::string::npos) << parsed.error();
    }
    EXPECT_FALSE(parse_import_record("[]"));
}

}  // namespace
}  // namespace postern::api
