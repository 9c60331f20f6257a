// What the relay tells of recipients: whom the server does not know, and which messages are evidence.
#include <gtest/gtest.h>

#include "tests/smtp/relay/engine_rig.h"

namespace postern::relay::test {
namespace {

using judge::absence;
using judge::finding;

/// A judge that notes down what it is given.
class noting_judge final : public judge::intake {
public:
    std::optional<judge::bounded_copy> begin() override {
        if (taken == places) {
            return std::nullopt;
        }
        ++taken;
        return judge::bounded_copy(judge::place(taken), 32);
    }
    void ask(judge::message&& accepted) override { asked.push_back(std::move(accepted)); }
    void tell(finding&& found) override { told.push_back(std::move(found)); }
    void no_evidence(absence why) noexcept override { absences.push_back(why); }

    std::uint32_t places = 4;
    std::atomic<std::uint32_t> taken{0};
    std::vector<judge::message> asked;
    std::vector<finding> told;
    std::vector<absence> absences;
};

constexpr list_word unlisted{.listed = false, .discovers = true, .domain = 7};
constexpr list_word on_the_list{.in_table = true, .domain = 7};

struct rig {
    noting_judge judge;
    engine_rig t{with_judge()};
    std::shared_ptr<recipients::route> route = one_host();

    settings with_judge() {
        settings out = engine_rig::plain_settings();
        out.judge = &judge;
        return out;
    }
    /// The server's answers to RCPTs, in one transaction; -> its id and link.
    engine_rig::open_transaction ask(const std::vector<std::pair<std::string, list_word>>& recipients,
                                     const std::string& answers, envelope env = engine_rig::default_envelope()) {
        const std::size_t before = t.net.opened.size();
        engine_rig::open_transaction out{.id = t.begin(route, env)};
        for (const auto& [path, word] : recipients) {
            t.port.recipient(out.id, path, word);
        }
        t.run();
        out.link = t.last_link();
        if (t.net.opened.size() != before) {
            t.greet(out.link);
        }
        t.say(out.link, "250 2.1.0 ok\r\n" + answers);
        for (std::size_t i = 0; i < recipients.size(); ++i) {
            EXPECT_TRUE(t.event_of(out.id).starts_with("recipient "));
        }
        return out;
    }
    /// The message, up to the server's answer to its end.
    void message(const engine_rig::open_transaction& in, std::string_view content = "From: a@b.example\r\n\r\n") {
        t.data(in.id);
        t.say(in.link, "354 go\r\n");
        t.content(in.id, content);
        t.end(in.id);
    }
    void take_back(const engine_rig::open_transaction& in) {
        t.abandon(in.id);
        t.say(in.link, "250 2.0.0 reset\r\n");
    }
};

TEST(relay_evidence, a_message_to_an_unlisted_recipient_goes_to_the_judge_when_the_server_has_it_whole) {
    rig r;
    const auto one = r.ask({{"Bob@example.com", unlisted}}, "250 2.1.5 ok\r\n");
    r.message(one, "From: a@b.example\r\n\r\n.twenty octets and more\r\n");
    EXPECT_TRUE(r.judge.asked.empty()) << "the server has not answered yet";
    r.t.say(one.link, "250 2.0.0 queued\r\n");
    ASSERT_EQ(r.judge.asked.size(), 1U);
    const judge::message& given = r.judge.asked.front();
    EXPECT_EQ(given.sender, "s@else.test");
    EXPECT_EQ(given.helo, "client.test");
    EXPECT_EQ(given.id, "ID1");
    EXPECT_EQ(given.peer, address_v4(192, 0, 2, 1).address);
    ASSERT_EQ(given.recipients.size(), 1U);
    EXPECT_EQ(given.recipients[0].path, "Bob@example.com");
    EXPECT_EQ(given.recipients[0].domain, 7U);
    EXPECT_EQ(given.content.octets(), "From: a@b.example\r\n\r\n.twenty oct") << "without our trace line, and cut off";
    EXPECT_TRUE(r.judge.absences.empty());
    r.judge.asked.clear();
    EXPECT_EQ(r.judge.taken, 0U);
}

TEST(relay_evidence, is_none_of_what_the_server_refuses_after_data) {
    rig r;
    const auto one = r.ask({{"bob@example.com", unlisted}}, "250 2.1.5 ok\r\n");
    r.message(one);
    r.t.say(one.link, "550 5.7.1 spam\r\n250 2.0.0 reset\r\n");
    EXPECT_TRUE(r.judge.asked.empty());
    EXPECT_EQ(r.judge.taken, 0U) << "its place is free again";
}

TEST(relay_evidence, is_none_of_a_message_whose_sender_goes_away) {
    rig r;
    const auto one = r.ask({{"bob@example.com", unlisted}}, "250 2.1.5 ok\r\n");
    r.t.data(one.id);
    r.t.say(one.link, "354 go\r\n");
    r.t.content(one.id, "From: a@b.example\r\n");
    r.t.abandon(one.id);
    EXPECT_TRUE(r.judge.asked.empty());
    EXPECT_EQ(r.judge.taken, 0U);
}

TEST(relay_evidence, is_looked_for_in_domains_that_discover_only) {
    rig r;
    const auto one = r.ask({{"bob@example.com", {.listed = false, .domain = 7}}}, "250 2.1.5 ok\r\n");
    r.message(one);
    r.t.say(one.link, "250 2.0.0 queued\r\n");
    EXPECT_TRUE(r.judge.asked.empty());
    EXPECT_TRUE(r.judge.absences.empty());
}

TEST(relay_evidence, is_none_from_the_null_sender) {
    rig r;
    envelope env = engine_rig::default_envelope();
    env.reverse_path = "";
    r.message(r.ask({{"bob@example.com", unlisted}}, "250 2.1.5 ok\r\n", env));
    EXPECT_EQ(r.judge.absences, std::vector{absence::null_sender});
    EXPECT_EQ(r.judge.taken, 0U) << "nothing is kept of it";
}

TEST(relay_evidence, is_none_to_several_until_the_server_has_refused_an_unknown_one_at_rcpt) {
    rig r;
    const auto first =
        r.ask({{"bob@example.com", unlisted}, {"alice@example.com", on_the_list}}, "250 2.1.5 ok\r\n250 2.1.5 ok\r\n");
    r.message(first);
    r.t.say(first.link, "250 2.0.0 queued\r\n250 2.0.0 reset\r\n");
    EXPECT_EQ(r.judge.absences, std::vector{absence::several_recipients});

    const auto guess =
        r.ask({{"zoe@example.com", unlisted}, {"bob@example.com", unlisted}}, "550 5.1.1 unknown\r\n250 2.1.5 ok\r\n");
    r.message(guess);
    r.t.say(guess.link, "250 2.0.0 queued\r\n250 2.0.0 reset\r\n");
    EXPECT_EQ(r.judge.absences.back(), absence::refused_recipient);

    const auto again = [&] {
        const auto one =
            r.ask({{"bob@example.com", unlisted}, {"carl@example.com", unlisted}}, "250 2.1.5 ok\r\n250 2.1.5 ok\r\n");
        r.message(one);
        r.t.say(one.link, "250 2.0.0 queued\r\n250 2.0.0 reset\r\n");
    };
    again();
    ASSERT_EQ(r.judge.asked.size(), 1U);
    EXPECT_EQ(r.judge.asked[0].recipients.size(), 2U);
    r.t.pass(25h);
    again();
    EXPECT_EQ(r.judge.asked.size(), 1U) << "a day later that is no longer known";
    EXPECT_EQ(r.judge.absences.back(), absence::several_recipients);
}

TEST(relay_evidence, is_not_to_be_had_when_the_judge_has_no_place) {
    rig r;
    r.judge.places = 0;
    const auto one = r.ask({{"bob@example.com", unlisted}}, "250 2.1.5 ok\r\n");
    r.message(one);
    r.t.say(one.link, "250 2.0.0 queued\r\n");
    EXPECT_EQ(r.t.answer_of(one.id), "data 354 Go ahead");
    EXPECT_EQ(r.t.answer_of(one.id), "final 250 2.0.0 queued");
    EXPECT_TRUE(r.judge.asked.empty());
}

TEST(relay_evidence, a_listed_recipient_that_the_server_does_not_know_is_told_once_it_knows_another) {
    rig r;
    r.take_back(r.ask({{"Gone@example.com", on_the_list}, {"Gone@example.com", on_the_list}},
                      "550 5.1.1 <gone> no such user\r\n550 5.1.1 <gone> no such user\r\n"));
    EXPECT_TRUE(r.judge.told.empty()) << "it may have lost its whole list";
    r.take_back(r.ask({{"alice@example.com", on_the_list}}, "250 2.1.5 ok\r\n"));
    ASSERT_EQ(r.judge.told.size(), 1U);
    EXPECT_EQ(r.judge.told[0].what, finding::kind::listed_refused);
    EXPECT_EQ(r.judge.told[0].recipient, "Gone@example.com");
    EXPECT_EQ(r.judge.told[0].domain, 7U);
    EXPECT_EQ(r.judge.told[0].why, "550 5.1.1 <gone> no such user");
    r.take_back(r.ask({{"alice@example.com", on_the_list}}, "250 2.1.5 ok\r\n"));
    EXPECT_EQ(r.judge.told.size(), 1U);
}

TEST(relay_evidence, other_refusals_of_listed_recipients_say_nothing_of_the_list) {
    rig r;
    for (const char* answer : {"550 5.7.1 not you\r\n", "550 no such user\r\n", "450 4.1.1 not now\r\n",
                               "550 5.1.10 null MX\r\n", "554 5.7.1 Relay access denied\r\n"}) {
        r.take_back(r.ask({{"gone@example.com", on_the_list}}, answer));
    }
    // Neither is postmaster a promise of the list's.
    r.take_back(r.ask({{"postmaster@example.com", {.domain = 7}}}, "550 5.1.1 no such user\r\n"));
    r.take_back(r.ask({{"alice@example.com", on_the_list}}, "250 2.1.5 ok\r\n"));
    EXPECT_TRUE(r.judge.told.empty());
}

TEST(relay_evidence, a_server_that_refuses_everybody_says_nothing_of_anybody) {
    rig r;
    for (std::uint32_t i = 0; i < settings{}.limits.refused_listed_in_a_row; ++i) {
        r.take_back(r.ask({{"user" + std::to_string(i) + "@example.com", on_the_list}}, "550 5.1.1 unknown\r\n"));
    }
    EXPECT_EQ(r.t.alarms.size(), 1U);
    r.take_back(r.ask({{"alice@example.com", on_the_list}}, "250 2.1.5 ok\r\n"));
    EXPECT_TRUE(r.judge.told.empty());
}

}  // namespace
}  // namespace postern::relay::test
