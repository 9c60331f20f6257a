// The judge's thread, over loopback where rspamd would be: what becomes of each message, and that nothing waits for it.
#include "smtp/judge/service.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "tests/smtp/judge/http_server.h"

namespace postern::judge {
namespace {

using namespace std::chrono_literals;
using test::http_server;

constexpr recipients::hash_key key{1, 2};
constexpr const char* plain = "From: ann@sender.example\r\n\r\nhello\r\n";

/// The alarms of a judge, told from its thread.
class alarms {
public:
    std::function<void(std::string_view)> sink() {
        return [this](std::string_view why) {
            const std::lock_guard hold(_mutex);
            _all.emplace_back(why);
        };
    }
    std::vector<std::string> all() {
        const std::lock_guard hold(_mutex);
        return _all;
    }

private:
    std::mutex _mutex;
    std::vector<std::string> _all;
};

void give(service& to, std::string_view content, std::vector<addressee> recipients = {{"Bob@Example.com", 7}}) {
    auto copy = to.begin();
    ASSERT_TRUE(copy.has_value());
    copy->add(content.substr(0, 5));
    copy->add(content.substr(5));
    to.ask({.sender = "ann@sender.example",
            .recipients = std::move(recipients),
            .helo = "mail.sender.example",
            .peer = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 9},
            .id = "0000002a-00000001",
            .content = std::move(*copy)});
}

finding next(service& from) {
    for (int i = 0; i < 30'000; ++i) {
        if (auto found = from.next()) {
            return *found;
        }
        std::this_thread::sleep_for(1ms);
    }
    ADD_FAILURE() << "nothing was found in 30 s";
    return {};
}

template <class Condition>
bool within(Condition&& holds) {
    for (int i = 0; i < 30'000 && !holds(); ++i) {
        std::this_thread::sleep_for(1ms);
    }
    return holds();
}

TEST(judge_service, without_rspamd_the_checks_decide) {
    service judge({}, key);
    ASSERT_TRUE(judge.start().has_value());
    give(judge, plain, {{"Bob@Example.com", 7}, {"carl@example.com", 7}});
    const finding good = next(judge);
    EXPECT_EQ(good.what, finding::kind::good_mail);
    EXPECT_EQ(good.recipient, "Bob@Example.com");
    EXPECT_EQ(good.domain, 7U);
    EXPECT_EQ(good.judged_by, "checks");
    EXPECT_EQ(good.sender, 0U + next(judge).sender) << "each recipient has a finding of its own";
    give(judge, "Subject: x\r\n\r\n");
    const finding bad = next(judge);
    EXPECT_EQ(bad.what, finding::kind::bad_mail);
    EXPECT_EQ(bad.why, "no From field");
    EXPECT_EQ(bad.judged_by, "checks");
    EXPECT_EQ(judge.counts().asked.get(), 2U);
    EXPECT_EQ(judge.counts().good.get(), 1U);
    EXPECT_EQ(judge.counts().bad.get(), 1U);
}

TEST(judge_service, rspamd_is_told_the_envelope_and_its_word_counts) {
    http_server server([](const std::string& request) {
        return http_server::ok(request.find("spam!") != std::string::npos
                                   ? R"({"action":"reject","score":20,"required_score":15})"
                                   : R"({"action":"no action"})");
    });
    service judge({.rspamd = server.url()}, key);
    ASSERT_TRUE(judge.start().has_value());
    give(judge, plain);
    EXPECT_EQ(next(judge).what, finding::kind::good_mail);
    const std::string request = server.requests(1).front();
    EXPECT_TRUE(request.starts_with("POST /checkv2 HTTP/1.1\r\n"));
    for (const char* line :
         {"\r\nFrom: ann@sender.example\r\n", "\r\nRcpt: Bob@Example.com\r\n", "\r\nIP: 192.0.2.9\r\n",
          "\r\nHelo: mail.sender.example\r\n", "\r\nQueue-Id: 0000002a-00000001\r\n"}) {
        EXPECT_NE(request.find(line), std::string::npos) << line << request;
    }
    EXPECT_TRUE(request.ends_with("\r\n\r\n" + std::string(plain)));
    give(judge, "From: ann@sender.example\r\n\r\nspam!\r\n");
    const finding bad = next(judge);
    EXPECT_EQ(bad.what, finding::kind::bad_mail);
    EXPECT_EQ(bad.judged_by, "rspamd");
    EXPECT_EQ(bad.why, "reject, score 20.00 of 15.00");
}

TEST(judge_service, what_would_break_rspamds_headers_does_not) {
    http_server server([](const std::string&) { return http_server::ok(R"({"action":"no action"})"); });
    service judge({.rspamd = server.url()}, key);
    ASSERT_TRUE(judge.start().has_value());
    give(judge, plain, {{"\"a\r\nSettings-ID: x\"@example.com", 7}});
    next(judge);
    EXPECT_NE(server.requests(1).front().find("\r\nRcpt: \"a??Settings-ID: x\"@example.com\r\n"), std::string::npos);
}

TEST(judge_service, keeps_the_first_octets_only) {
    http_server server([](const std::string&) { return http_server::ok(R"({"action":"no action"})"); });
    service judge({.rspamd = server.url(), .copy = 30}, key);
    ASSERT_TRUE(judge.start().has_value());
    give(judge, plain);
    next(judge);
    EXPECT_TRUE(server.requests(1).front().ends_with("\r\n\r\n" + std::string(plain).substr(0, 30)));
}

TEST(judge_service, an_rspamd_that_is_silent_or_wrong_finds_nothing_and_alarms_once) {
    alarms told;
    std::atomic<int> asked = 0;
    http_server server([&](const std::string&) -> std::string {
        switch (asked++) {
            case 0:
                return "";
            case 1:
                return "HTTP/1.1 500 oops\r\nContent-Length: 0\r\n\r\n";
            case 2:
                return http_server::ok("nonsense");
            default:
                return http_server::ok(R"({"action":"no action"})");
        }
    });
    service judge({.rspamd = server.url(), .timeout = 300ms, .alarm = told.sink()}, key);
    ASSERT_TRUE(judge.start().has_value());
    for (std::uint64_t i = 1; i <= 3; ++i) {
        give(judge, plain);
        ASSERT_TRUE(within([&] { return judge.counts().unanswered.get() == i; }));
    }
    EXPECT_FALSE(judge.next().has_value());
    EXPECT_EQ(told.all().size(), 1U);
    give(judge, plain);
    EXPECT_EQ(next(judge).what, finding::kind::good_mail);
    EXPECT_EQ(told.all(), (std::vector<std::string>{told.all().front(), ""})) << "and when it answers again";
}

TEST(judge_service, no_rspamd_there_at_all_is_an_alarm) {
    alarms told;
    std::string nobody;
    {
        http_server gone([](const std::string&) { return std::string(); });
        nobody = gone.url();
    }
    service judge({.rspamd = nobody, .timeout = 2s, .alarm = told.sink()}, key);
    ASSERT_TRUE(judge.start().has_value());
    give(judge, plain);
    ASSERT_TRUE(within([&] { return judge.counts().unanswered.get() == 1; }));
    EXPECT_EQ(told.all().size(), 1U);
    EXPECT_FALSE(judge.next().has_value());
}

TEST(judge_service, when_every_place_is_taken_nothing_more_is_learned_and_nothing_waits) {
    http_server server([](const std::string&) { return std::string(); });
    service judge({.rspamd = server.url(), .timeout = 60s, .messages = 3}, key);
    ASSERT_TRUE(judge.start().has_value());
    for (int i = 0; i < 3; ++i) {
        give(judge, plain);
    }
    EXPECT_FALSE(judge.begin().has_value());
    EXPECT_EQ(judge.counts().overflow.get(), 1U);
    server.requests(3);
    judge.stop();  // gives up what hangs, and so does not take 60 s
    EXPECT_EQ(judge.counts().unanswered.get(), 0U);
}

TEST(judge_service, a_place_comes_free_with_its_message) {
    service judge({.messages = 1}, key);
    ASSERT_TRUE(judge.start().has_value());
    for (int i = 0; i < 5; ++i) {
        give(judge, plain);
        next(judge);
        ASSERT_TRUE(within([&] { return judge.begin().has_value(); }));
    }
    {
        const auto held = judge.begin();
        EXPECT_TRUE(held.has_value());
        EXPECT_FALSE(judge.begin().has_value());
    }
    EXPECT_TRUE(judge.begin().has_value());
}

TEST(judge_service, many_messages_of_many_threads_are_all_judged) {
    http_server server([](const std::string&) { return http_server::ok(R"({"action":"no action"})"); });
    service judge({.rspamd = server.url(), .messages = 1'000}, key);
    ASSERT_TRUE(judge.start().has_value());
    std::vector<std::thread> relays;
    for (int i = 0; i < 4; ++i) {
        relays.emplace_back([&] {
            for (int k = 0; k < 20; ++k) {
                give(judge, plain);
            }
        });
    }
    for (std::thread& each : relays) {
        each.join();
    }
    for (int i = 0; i < 80; ++i) {
        ASSERT_EQ(next(judge).what, finding::kind::good_mail);
    }
    EXPECT_EQ(judge.counts().good.get(), 80U);
}

}  // namespace
}  // namespace postern::judge
