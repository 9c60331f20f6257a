#include "smtp/judge/rspamd_answer.h"

#include <gtest/gtest.h>

#include "smtp/judge/finding.h"
#include "smtp/judge/rspamd.h"

namespace postern::judge {
namespace {

opinion opinion_of(const std::string& action) {
    const auto said = read_rspamd_answer(R"({"action":")" + action + R"(","score":1.5,"required_score":15})");
    return said ? said->opinion : opinion::undecided;
}

TEST(rspamd_answer, is_an_opinion_by_its_action) {
    EXPECT_EQ(opinion_of("no action"), opinion::good);
    for (const char* bad : {"reject", "add header", "rewrite subject", "discard", "quarantine"}) {
        EXPECT_EQ(opinion_of(bad), opinion::bad) << bad;
    }
    for (const char* neither : {"greylist", "soft reject", "something new", ""}) {
        EXPECT_EQ(opinion_of(neither), opinion::undecided) << neither;
    }
}

TEST(rspamd_answer, says_why_in_short) {
    // As rspamd 3.4 words it, shortened.
    const auto said = read_rspamd_answer(
        R"({"is_skipped":false,"score":8.5,"required_score":15.0,"action":"add header","thresholds":{"reject":15.0},
            "symbols":{"ARC_NA":{"name":"ARC_NA","score":0.0},"BAYES_SPAM":{"name":"BAYES_SPAM","score":5.1},
            "MISSING_DATE":{"name":"MISSING_DATE","score":1.0}},"messages":{},"message-id":"x@y","time_real":0.03})");
    ASSERT_TRUE(said.has_value());
    EXPECT_EQ(said->why, "add header: BAYES_SPAM, score 8.50 of 15.00");
    EXPECT_EQ(read_rspamd_answer(R"({"action":"reject","symbols":{"GTUBE":{"score":0.0}}})")->why, "reject: GTUBE");
    EXPECT_EQ(read_rspamd_answer(R"({"action":"no action","score":0,"required_score":15})")->why, "");
}

TEST(rspamd_answer, that_is_none_says_what_is_wrong) {
    EXPECT_EQ(read_rspamd_answer("<html>").error(), "its answer is not a JSON object");
    EXPECT_EQ(read_rspamd_answer("[]").error(), "its answer is not a JSON object");
    EXPECT_EQ(read_rspamd_answer(R"({"default":{"action":"reject"}})").error(),
              "its answer has no action; the URL must be that of /checkv2");
    EXPECT_EQ(read_rspamd_answer(R"({"error":"out of \n memory"})").error(), "it says: out of ? memory");
    EXPECT_FALSE(read_rspamd_answer(std::string(longest_rspamd_answer + 1, ' ')).has_value());
    EXPECT_FALSE(read_rspamd_answer(std::string(10'000, '[')).has_value());
}

TEST(rspamd_answer, of_a_skipped_message_is_no_opinion_unless_it_is_bad) {
    // As rspamd 3.4 answers to GTUBE.
    const auto said = read_rspamd_answer(
        R"({"is_skipped":true,"score":15.0,"required_score":15.0,"action":"reject","symbols":{"GTUBE":{"name":"GTUBE",
            "score":0.0,"metric_score":0.0}},"messages":{"smtp_message":"Gtube pattern"},"message-id":"undef"})");
    ASSERT_TRUE(said.has_value());
    EXPECT_EQ(said->opinion, opinion::bad);
    EXPECT_EQ(said->why, "reject: GTUBE, score 15.00 of 15.00");
    EXPECT_EQ(read_rspamd_answer(R"({"is_skipped":true,"action":"no action"})")->opinion, opinion::undecided);
}

TEST(rspamd_answer, keeps_its_words_short_and_printable) {
    const auto said =
        read_rspamd_answer(R"({"action":")" + std::string(500, 'x') + R"(","symbols":{"\u00e9)" +
                           std::string(500, 'y') + R"(":{"score":1e300}},"score":1e300,"required_score":-1e300})");
    ASSERT_TRUE(said.has_value());
    EXPECT_LE(said->why.size(), finding::longest_why);
    EXPECT_EQ(said->why.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789?:,. -"),
              std::string::npos)
        << said->why;
}

TEST(rspamd_url, is_http_with_a_host_and_gets_the_path_that_it_lacks) {
    EXPECT_EQ(rspamd_url("http://127.0.0.1:11333").value(), "http://127.0.0.1:11333/checkv2");
    EXPECT_EQ(rspamd_url("https://[::1]:11333/checkv2").value(), "https://[::1]:11333/checkv2");
    EXPECT_EQ(rspamd_url("http://scanner.example/other").value(), "http://scanner.example/other");
    EXPECT_NE(rspamd_url("ftp://127.0.0.1/").error().find("not http or https"), std::string::npos);
    EXPECT_FALSE(rspamd_url("127.0.0.1:11333").has_value());
    EXPECT_FALSE(rspamd_url("http://").has_value());
}

}  // namespace
}  // namespace postern::judge
