#include "dataplane/edge/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "fake_view.h"
#include "table_files.h"

namespace postern::edge {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

struct answers : ::testing::Test {
    /// The answer to a line, parsed; a test fails if it is not one line of JSON.
    json::object say(const std::string& line) {
        const auto said = parse_command(line);
        const std::string text = !said                     ? refusal(said.error())
                                 : needs_table(said->what) ? answer_table(*said, holder, view)
                                                           : answer(*said, view);
        EXPECT_EQ(text.find('\n'), std::string::npos);
        return json::parse(text).as_object();
    }
    std::string error(const std::string& line) {
        const json::object answered = say(line);
        EXPECT_FALSE(answered.at("ok").as_bool());
        return std::string(answered.at("error").as_string());
    }

    temporary_folder state;
    temporary_folder tables;
    fake_view view;
    table_holder holder{state.fd(), tables.fd(), [] {}};
};

TEST_F(answers, a_table_is_prepared_compared_committed_shown_and_rolled_back) {
    make_base(tables.path("b1"), 11, {"a@example.com"});
    make_overlay(tables.path("o1"), 12, tables.path("b1"), {"b@example.com", "c@example.com"}, {"a@example.com"});
    EXPECT_EQ(say("show table"), json::parse(R"({"ok":true,"loaded":false,"generation":0,"base":null,"overlay":null,
        "addresses":0,"domains":0,"manifest":[],"kept":[],"prepared":null})"));
    const auto b1 = R"({"file":"b1","generation":11,"addresses":1,"domains":1})";
    const auto o1 = R"({"file":"o1","generation":12,"addresses":2,"domains":0,"removals":1})";
    EXPECT_EQ(say("table prepare b1"),
              json::parse(std::string(R"({"ok":true,"prepared":{"base":)") + b1 + R"(,"overlay":null}})"));
    EXPECT_EQ(say("table diff"), json::parse(R"({"ok":true,"from":null,"to":{"base":"b1","overlay":null,"addresses":1},
        "domains_added":["example.com"],"domains_removed":[],"domains_changed":[]})"));
    EXPECT_EQ(say("table commit 5"), json::parse(R"({"ok":true,"generation":5,"base":"b1","overlay":null})"));
    EXPECT_EQ(say("table prepare - o1"),
              json::parse(std::string(R"({"ok":true,"prepared":{"base":)") + b1 + R"(,"overlay":)" + o1 + "}}"));
    EXPECT_EQ(say("table commit"), json::parse(R"({"ok":true,"generation":6,"base":"b1","overlay":"o1"})"));
    EXPECT_EQ(say("show table"), json::parse(std::string(R"({"ok":true,"loaded":true,"generation":6,"base":)") + b1 +
                                             R"(,"overlay":)" + o1 + R"(,"addresses":2,"domains":1,
        "manifest":[{"generation":6,"base":"b1","overlay":"o1"},{"generation":5,"base":"b1","overlay":null}],
        "kept":[{"generation":5,"base":"b1","overlay":null}],"prepared":null})"));
    EXPECT_EQ(say("table rollback"), json::parse(R"({"ok":true,"generation":7,"base":"b1","overlay":null})"));
    EXPECT_EQ(say("table prepare b1").at("ok"), true);
    EXPECT_EQ(say("table discard"), json::parse(R"({"ok":true})"));
    EXPECT_THAT(error("table commit"), HasSubstr("nothing is prepared"));
}

TEST_F(answers, errors_are_sentences) {
    EXPECT_THAT(error("table prepare absent"), HasSubstr("put it into the tables folder"));
    EXPECT_THAT(error("table rollback"), HasSubstr("no pair is kept"));
    EXPECT_THAT(error("nonsense \"\\ quoted"), HasSubstr("is not a command"));
}

TEST_F(answers, the_process_tells_of_itself) {
    EXPECT_EQ(say("show counters"), json::parse(R"({"ok":true,"counters":{"one":1,"big":18446744073709551615}})"));
    EXPECT_EQ(say("show sessions"), json::parse(R"({"ok":true,"sessions":5,"shards":[{"sessions":2},{"sessions":3}],
        "relay":{"connections":4}})"));
    EXPECT_EQ(say("show listeners"), json::parse(R"({"ok":true,"listeners":[{"address":"::1","port":25,
        "several_routes":true,"connections":5}]})"));
    const json::object version = say("show version");
    EXPECT_EQ(version.at("uptime_s"), 77);
    EXPECT_GT(version.at("pid").as_int64(), 1);
    EXPECT_TRUE(version.at("version").is_string());
    EXPECT_EQ(version.at("format_version").to_number<int>(), 1);
    EXPECT_EQ(say("help").at("commands").as_array().size(), command_forms().size());
}

TEST_F(answers, events_are_told_from_a_number_on_until_they_are_acknowledged) {
    session::seen_recipients ring(8);
    view.log.add_shard(ring);
    const std::array<std::uint8_t, 16> v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 77};
    ring.add("Alice@Example.COM", session::outcome::listed, 7, v4);
    ring.add("\"no body\"@example.com", session::outcome::rejected, 7, v4);
    const auto alice = R"({"number":1,"at":1700000000000,"address":"alice@example.com","outcome":"listed","domain":7,
        "source":"192.0.2.0/24"})";
    const auto nobody = R"({"number":2,"at":1700000000000,"address":"\"no body\"@example.com","outcome":"rejected",
        "domain":7,"source":"192.0.2.0/24"})";
    const auto answer_with = [](const std::string& events) {
        return json::parse(R"({"ok":true,"run":"run-1","last":2,"overwritten":0,"missed":0,"events":[)" + events +
                           "]}");
    };
    EXPECT_EQ(say("events 0"), answer_with(std::string(alice) + "," + nobody));
    EXPECT_EQ(say("events 0 1"), answer_with(alice));
    EXPECT_EQ(say("events 1"), answer_with(nobody));
    EXPECT_EQ(say("events 18446744073709551615"), answer_with(""));
    EXPECT_EQ(say("events ack 1"), json::parse(R"({"ok":true})"));
    EXPECT_EQ(say("events 0"), answer_with(nobody));
}

TEST_F(answers, events_about_messages_have_their_sender_as_a_hash_and_who_judged) {
    const std::array<std::uint8_t, 16> v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 77};
    const auto find = [&](judge::finding::kind what, std::uint64_t sender, std::string_view by, const char* why) {
        view.log.take({.what = what,
                       .domain = 7,
                       .peer = v4,
                       .sender = sender,
                       .recipient = "Bob@example.com",
                       .judged_by = by,
                       .why = why},
                      1'700'000'000'000);
    };
    find(judge::finding::kind::good_mail, 0x0123456789abcdef, "rspamd", "");
    find(judge::finding::kind::bad_mail, 0xff, "rspamd", "reject: GTUBE");
    find(judge::finding::kind::listed_refused, 0, "", "550 5.1.1 User unknown");
    const auto common = [](int number, const std::string& outcome) {
        return R"({"number":)" + std::to_string(number) +
               R"(,"at":1700000000000,"address":"bob@example.com","domain":7,"source":"192.0.2.0/24","outcome":")" +
               outcome + "\"";
    };
    EXPECT_EQ(say("events 0").at("events"),
              json::parse("[" + common(1, "good_mail") + R"(,"sender":"0123456789abcdef","judged_by":"rspamd"},)" +
                          common(2, "bad_mail") +
                          R"(,"sender":"00000000000000ff","judged_by":"rspamd","why":"reject: GTUBE"},)" +
                          common(3, "listed_refused") + R"(,"why":"550 5.1.1 User unknown"}])"));
}

TEST_F(answers, drain_is_passed_on) {
    EXPECT_EQ(say("drain"), json::parse(R"({"ok":true})"));
    EXPECT_EQ(view.drains, 1);
}

TEST_F(answers, explain_leaves_out_what_is_not_known) {
    EXPECT_EQ(say("explain x@example.com"),
              json::parse(R"({"ok":true,"address":"x@example.com","normal":"x@example.com","standing":null,"mode":null,
        "reply":"451 4.3.0","generation":0,"why":"because"})"));
}

}  // namespace
}  // namespace postern::edge
