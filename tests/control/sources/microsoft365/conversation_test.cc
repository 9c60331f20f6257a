// The conversation against scripted answers, in virtual time.
#include "control/sources/microsoft365/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace postern::sources::microsoft365 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using end = enum fetch_outcome::end;
using std::chrono::seconds;

constexpr const char* token = R"({"access_token":"t1","expires_in":3600})";
const std::string host = "https://graph.microsoft.com";

std::string user(const std::string& name) {
    return R"({"id":")" + name + R"(","mail":")" + name + R"(@example.com","userPrincipalName":")" + name +
           R"(@example.com","userType":"Member","accountEnabled":true})";
}
std::string page(const std::vector<std::string>& objects, const std::string& link, const std::string& target) {
    std::string all;
    for (const std::string& each : objects) {
        all += (all.empty() ? "" : ",") + each;
    }
    return R"({"value":[)" + all + R"(],"@odata.)" + link + R"(":")" + (target.starts_with('/') ? host : "") + target +
           R"("})";
}
std::string next(const std::vector<std::string>& objects, const std::string& target) {
    return page(objects, "nextLink", target);
}
std::string last(const std::vector<std::string>& objects, const std::string& target) {
    return page(objects, "deltaLink", target);
}

/// What is in force at the fetch's end, and how it got there.
class collector final : public entry_sink {
public:
    bool entry(directory_entry&& one) override {
        addresses[one.identity] = one.address;
        return --room > 0;
    }
    bool gone(std::string_view identity) override {
        addresses.erase(std::string(identity));
        removed.emplace_back(identity);
        return true;
    }
    bool restart_whole() override {
        ++restarts;
        addresses.clear();
        removed.clear();
        return true;
    }
    std::map<std::string, std::string> addresses;
    std::vector<std::string> removed;
    int restarts = 0;
    int room = 1'000'000;
};

/// One fetch, answer by answer.
class rig {
public:
    explicit rig(std::string cookie = "", tenant_settings with = example()) : settings(std::move(with)) {
        fetch.cookie = std::move(cookie);
    }
    static tenant_settings example() {
        tenant_settings out;
        out.tenant = "example.com";
        out.client_id = "app";
        out.secrets.client_secret = "hush";
        return out;
    }

    conversation& on() {
        if (!_on) {
            conversation_options with;
            with.until = now.at + seconds(settings.fetch_timeout_s);
            with.first_pages = first_pages;
            _on.emplace(settings, fetch, into, out, with);
        }
        return *_on;
    }
    /// Waits if it must, in virtual time, and answers the request.
    std::string answer_with(answer what) {
        todo now_to = on().next(now);
        while (now_to.what == todo::what::wait) {
            waited += now_to.until - now.at;
            now.at = now_to.until;
            now_to = on().next(now);
        }
        EXPECT_EQ(now_to.what, todo::what::ask) << out.reason;
        asked = now_to.ask;
        on().take(std::move(what), now);
        return asked.target;
    }
    std::string with(unsigned status, std::string body = "", std::optional<seconds> retry_after = {}) {
        return answer_with({status, std::move(body), retry_after, {}, false});
    }
    std::string cut(const char* step = "answer", bool may_pass = true) {
        return answer_with({0, "", {}, fail(step, "cut").value(), may_pass});
    }
    bool is_over() { return on().next(now).what == todo::what::end; }

    tenant_settings settings;
    fetch_request fetch;
    collector into;
    fetch_outcome out;
    bool first_pages = false;
    moment now{clock::time_point(seconds(1000)), 1'800'000'000};
    clock::duration waited{0};
    request asked;

private:
    std::optional<conversation> _on;
};

/// The cookie of a whole fetch of ada and bob, and one group.
std::string cookie_of_whole(const tenant_settings& settings = rig::example()) {
    rig one("", settings);
    one.with(200, token);
    one.with(200, last({user("ada"), user("bob")}, "/v1.0/users/delta?$deltatoken=u1"));
    one.with(200, last({R"({"id":"g","displayName":"All","mail":"all@example.com","mailEnabled":true})"},
                       "/v1.0/groups/delta?$deltatoken=g1"));
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::complete) << one.out.reason;
    return one.out.cookie;
}

TEST(conversation, a_whole_fetch_is_token_users_groups) {
    rig one;
    EXPECT_EQ(one.with(200, token), "/example.com/oauth2/v2.0/token");
    EXPECT_EQ(one.asked.to.host, "login.microsoftonline.com");
    EXPECT_THAT(one.asked.form, HasSubstr("client_secret=hush"));
    EXPECT_EQ(one.asked.token, "");
    EXPECT_THAT(one.with(200, next({user("ada")}, "/v1.0/users/delta?$skiptoken=1")),
                StartsWith("/v1.0/users/delta?$select"));
    EXPECT_EQ(one.asked.to.host, "graph.microsoft.com");
    EXPECT_EQ(one.asked.token, "t1");
    EXPECT_EQ(one.with(200, next({}, "/v1.0/users/delta?$skiptoken=2")), "/v1.0/users/delta?$skiptoken=1");
    EXPECT_EQ(one.with(200, last({user("bob")}, "/v1.0/users/delta?$deltatoken=u")), "/v1.0/users/delta?$skiptoken=2");
    EXPECT_THAT(one.with(200, last({}, "/v1.0/groups/delta?$deltatoken=g")), StartsWith("/v1.0/groups/delta?$select"));
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::complete);
    EXPECT_TRUE(one.out.whole);
    EXPECT_EQ(one.out.server, host);
    EXPECT_EQ(one.out.read, 2U);
    EXPECT_EQ(one.into.addresses.size(), 2U);
    EXPECT_EQ(one.into.restarts, 0);
    EXPECT_EQ(one.waited.count(), 0);
}

TEST(conversation, groups_are_left_alone_by_choice) {
    rig one;
    one.settings.groups = false;
    one.with(200, token);
    one.with(200, last({user("ada")}, "/v1.0/users/delta?$deltatoken=u"));
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::complete);
    rig again(one.out.cookie, one.settings);
    again.with(200, token);
    EXPECT_EQ(again.with(200, last({}, "/v1.0/users/delta?$deltatoken=u2")), "/v1.0/users/delta?$deltatoken=u");
    EXPECT_TRUE(again.is_over());
    EXPECT_FALSE(again.out.whole);
}

TEST(conversation, changes_begin_at_the_delta_links) {
    rig one(cookie_of_whole());
    one.with(200, token);
    EXPECT_EQ(one.with(200, last({user("eve"), R"({"id":"bob","@removed":{"reason":"changed"}})"}, "/u2")),
              "/v1.0/users/delta?$deltatoken=u1");
    EXPECT_EQ(one.with(200, last({R"({"id":"g","@removed":{"reason":"deleted"}})"}, "/g2")),
              "/v1.0/groups/delta?$deltatoken=g1");
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::complete);
    EXPECT_FALSE(one.out.whole);
    EXPECT_THAT(one.into.removed, ElementsAre("bob", "g"));
    EXPECT_EQ(one.into.addresses.at("eve"), "eve@example.com");
    EXPECT_EQ(one.into.restarts, 0);
    const auto cookie = decode_cookie(one.out.cookie);
    ASSERT_TRUE(cookie);
    EXPECT_THAT(cookie->targets, ElementsAre("/u2", "/g2"));
}

TEST(conversation, repeated_and_replayed_objects_end_as_they_were_told_last) {
    rig one;
    one.with(200, token);
    one.with(200, next({user("ada"), user("bob"), user("eve")}, "/v1.0/a"));
    one.with(200, next({user("ada"), R"({"id":"bob","@removed":{"reason":"changed"}})"}, "/v1.0/b"));
    std::string guest = user("eve");
    guest.replace(guest.find("Member"), 6, "Guest");
    one.with(200, last({user("ada"), guest}, "/v1.0/c"));
    one.with(200, last({}, "/v1.0/d"));
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::complete);
    EXPECT_EQ(one.into.addresses.size(), 1U) << "bob went and eve is a guest, though a page before had them";
}

TEST(conversation, an_object_that_is_told_in_part_is_asked_for) {
    rig one(cookie_of_whole());
    one.with(200, token);
    one.with(200, last({R"({"id":"ada","mail":"new@example.com"})", R"({"id":"bob","accountEnabled":false})"}, "/u2"));
    EXPECT_THAT(one.with(200, user("ada")), StartsWith("/v1.0/users/ada?$select="));
    EXPECT_THAT(one.with(404), StartsWith("/v1.0/users/bob?$select="));
    one.with(200, last({}, "/g2"));
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::complete);
    EXPECT_EQ(one.into.addresses.at("ada"), "ada@example.com");
    EXPECT_THAT(one.into.removed, ElementsAre("bob"));
}

TEST(conversation, a_delta_link_that_is_too_old_begins_the_whole_anew) {
    struct refusal {
        unsigned status;
        const char* body;
    };
    for (const refusal& each :
         {refusal{410, ""}, refusal{400, R"({"error":{"code":"syncStateNotFound","message":"expired"}})"},
          refusal{404, R"({"error":{"code":"SyncStateNotFound"}})"},
          refusal{410, R"({"error":{"code":"resyncRequired"}})"}}) {
        rig one(cookie_of_whole());
        one.with(200, token);
        one.with(200, last({user("eve")}, "/u2"));
        EXPECT_EQ(one.with(each.status, each.body), "/v1.0/groups/delta?$deltatoken=g1");
        EXPECT_THAT(one.with(200, last({user("ada")}, "/u3")), StartsWith("/v1.0/users/delta?$select="));
        one.with(200, last({}, "/g3"));
        EXPECT_TRUE(one.is_over());
        EXPECT_EQ(one.out.end, end::complete) << one.out.reason;
        EXPECT_TRUE(one.out.whole);
        EXPECT_EQ(one.into.restarts, 1);
        EXPECT_EQ(one.out.read, 1U);
        EXPECT_EQ(one.into.addresses.size(), 1U) << "what was yielded before is void";
    }
}

TEST(conversation, beginning_anew_has_an_end) {
    rig one;
    one.with(200, token);
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(one.is_over());
        one.with(410);
    }
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::failed);
    EXPECT_EQ(one.out.step, "changes");
}

TEST(conversation, a_cookie_that_can_not_be_used_makes_it_whole) {
    auto other = rig::example();
    other.exclude = {"x*"};
    for (const std::string& cookie : {std::string("rubbish"), cookie_of_whole(other)}) {
        rig one(cookie);
        one.with(200, token);
        EXPECT_THAT(one.with(200, last({}, "/u")), StartsWith("/v1.0/users/delta?$select="));
        EXPECT_TRUE(one.out.whole);
        EXPECT_EQ(one.into.restarts, 1);
    }
    rig old(cookie_of_whole());
    old.now.unix_s += 24 * 3600;
    old.with(200, token);
    EXPECT_THAT(old.with(200, last({}, "/u")), StartsWith("/v1.0/users/delta?$select="));
}

TEST(conversation, changes_keep_the_time_of_the_last_whole_fetch) {
    rig one(cookie_of_whole());
    one.now.unix_s += 3600;
    one.with(200, token);
    one.with(200, last({}, "/u2"));
    one.with(200, last({}, "/g2"));
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(decode_cookie(one.out.cookie)->whole_at, 1'800'000'000);
}

TEST(conversation, busy_servers_are_asked_again_after_the_pause_that_they_ask_for) {
    rig one;
    one.with(200, token);
    one.with(429, R"({"error":{"code":"TooManyRequests"}})", seconds(17));
    EXPECT_THAT(one.with(503, "", seconds(5)), StartsWith("/v1.0/users/delta"));
    EXPECT_GE(one.waited, seconds(17));
    EXPECT_LE(one.waited, seconds(26));
    one.with(200, last({user("ada")}, "/u"));
    EXPECT_GE(one.waited, seconds(22));
    one.with(200, last({}, "/g"));
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::complete);
    EXPECT_EQ(one.out.read, 1U);
}

TEST(conversation, without_a_word_pauses_grow_and_end_as_partial) {
    rig one;
    one.with(200, token);
    one.with(200, next({user("ada")}, "/v1.0/a"));
    for (int i = 0; i < 8; ++i) {
        EXPECT_FALSE(one.is_over());
        one.with(i % 2 == 0 ? 429 : 500);
    }
    EXPECT_TRUE(one.is_over());
    EXPECT_GE(one.waited, seconds(1 + 2 + 4 + 8 + 16 + 32 + 60));
    EXPECT_EQ(one.out.end, end::partial);
    EXPECT_EQ(one.out.step, "users");
    EXPECT_THAT(one.out.reason, HasSubstr("Graph is busy (500), after 8 tries"));
    EXPECT_EQ(one.out.cookie, "");
}

TEST(conversation, a_pause_that_is_too_long_is_left_to_the_next_sync) {
    rig one;
    one.with(200, token);
    one.with(429, "", seconds(7200));
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::failed);
    EXPECT_THAT(one.out.reason, HasSubstr("asks for a pause of 7200 s"));
}

TEST(conversation, cut_connections_and_broken_pages_are_tried_again) {
    rig one;
    one.with(200, token);
    one.cut();
    one.with(200, R"({"value":[)");
    one.with(200, last({user("ada")}, "/u"));
    one.cut("TCP");
    one.with(200, last({}, "/g"));
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::complete) << one.out.reason;
    EXPECT_EQ(one.out.read, 1U);
}

TEST(conversation, at_the_beginning_a_host_that_is_not_there_is_not_waited_for) {
    for (const char* const step : {"name", "TCP"}) {
        rig one;
        one.cut(step);
        EXPECT_TRUE(one.is_over());
        EXPECT_EQ(one.out.step, step);
        EXPECT_EQ(one.out.end, end::failed);
    }
    rig one;
    one.cut("TLS", false);
    EXPECT_TRUE(one.is_over());
}

TEST(conversation, a_failure_in_changes_keeps_the_cookie) {
    const std::string cookie = cookie_of_whole();
    rig one(cookie);
    one.with(200, token);
    one.with(200, last({user("eve")}, "/u2"));
    for (int i = 0; i < 8; ++i) {
        one.cut();
    }
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::partial);
    EXPECT_EQ(one.out.cookie, cookie);
}

TEST(conversation, links_to_elsewhere_are_never_followed) {
    for (const char* const bad : {"https://evil.example/v1.0/x", "http://graph.microsoft.com/v1.0/x",
                                  "https://169.254.169.254/latest", "https://graph.microsoft.com@evil.example/x"}) {
        rig one;
        one.with(200, token);
        one.with(200, next({user("ada")}, bad));
        EXPECT_TRUE(one.is_over());
        EXPECT_NE(one.out.end, end::complete);
        EXPECT_THAT(one.out.reason, HasSubstr("leads away from https://graph.microsoft.com"));
        EXPECT_THAT(one.into.addresses, IsEmpty()) << "nothing of such a page counts";
    }
}

TEST(conversation, a_page_that_leads_to_itself_does_not_go_on_for_ever) {
    rig one;
    one.with(200, token);
    one.with(200, next({}, "/v1.0/a"));
    one.with(200, next({}, "/v1.0/a"));
    EXPECT_TRUE(one.is_over());
    EXPECT_THAT(one.out.reason, HasSubstr("leads to itself"));
}

TEST(conversation, a_token_is_renewed_before_it_ends_and_once_when_it_is_refused) {
    rig one;
    one.with(200, token);
    one.with(200, next({}, "/v1.0/a"));
    one.now.at += seconds(3500);
    one.fetch.cookie = "";
    EXPECT_EQ(one.with(200, R"({"access_token":"t2","expires_in":3600})"), "/example.com/oauth2/v2.0/token");
    EXPECT_EQ(one.with(401, R"({"error":{"code":"InvalidAuthenticationToken"}})"), "/v1.0/a");
    EXPECT_EQ(one.asked.token, "t2");
    EXPECT_EQ(one.with(200, R"({"access_token":"t3","expires_in":3600})"), "/example.com/oauth2/v2.0/token");
    EXPECT_EQ(one.with(401, R"({"error":{"code":"InvalidAuthenticationToken"}})"), "/v1.0/a");
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.step, "token");
}

TEST(conversation, a_refused_sign_in_is_said_and_not_repeated) {
    rig one;
    one.with(401, R"({"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret"})");
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::failed);
    EXPECT_EQ(one.out.step, "token");
    EXPECT_THAT(one.out.reason, HasSubstr("the client secret is wrong"));
}

TEST(conversation, a_missing_permission_is_named) {
    rig one;
    one.with(200, token);
    one.with(200, last({user("ada")}, "/u"));
    one.with(403, R"({"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges"}})");
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::partial);
    EXPECT_EQ(one.out.step, "groups");
    EXPECT_THAT(one.out.reason, HasSubstr("give it the application permission GroupMember.Read.All"));
}

TEST(conversation, takes_no_longer_than_its_time) {
    rig one;
    one.settings.fetch_timeout_s = 10;
    one.with(200, token);
    one.with(429, "", seconds(11));
    EXPECT_TRUE(one.is_over());
    EXPECT_THAT(one.out.reason, HasSubstr("goes beyond fetch_timeout_s"));
    rig slow;
    slow.settings.fetch_timeout_s = 10;
    slow.with(200, token);
    slow.now.at += seconds(11);
    EXPECT_TRUE(slow.is_over());
    EXPECT_THAT(slow.out.reason, HasSubstr("raise it"));
}

TEST(conversation, a_sink_that_wants_no_more_stops_it) {
    rig one;
    one.into.room = 1;
    one.with(200, token);
    one.with(200, next({user("ada"), user("bob")}, "/v1.0/a"));
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::stopped);
    EXPECT_EQ(one.into.addresses.size(), 1U);
    rig other;
    other.on().next(other.now);
    other.on().stop();
    EXPECT_TRUE(other.is_over());
    EXPECT_EQ(other.out.end, end::stopped);
}

TEST(conversation, first_pages_are_enough_to_show) {
    rig one;
    one.first_pages = true;
    std::vector<std::string> many;
    for (int i = 0; i < 120; ++i) {
        many.push_back(user("u" + std::to_string(i)));
    }
    one.with(200, token);
    one.with(200, next({}, "/v1.0/a"));
    one.with(200, next(many, "/v1.0/b"));
    EXPECT_THAT(one.with(200, last({}, "/g")), StartsWith("/v1.0/groups"));
    EXPECT_TRUE(one.is_over());
    EXPECT_EQ(one.out.end, end::complete);
    EXPECT_EQ(one.out.cookie, "");
}

TEST(cookie, is_read_back_and_rubbish_is_none) {
    const delta_cookie one{"f", 5, {"/v1.0/users/delta?$deltatoken=a", ""}};
    EXPECT_EQ(decode_cookie(encode(one)), one);
    for (const char* const bad :
         {"", "x", "microsoft365-1 f 5 /a", "microsoft365-1 f x /a /b", "microsoft365-1 f 5 - /b",
          "microsoft365-1 f 5 https://evil.example /b", "ldap1 f 5 /a /b", "microsoft365-1 f 5 /a /b c"}) {
        EXPECT_FALSE(decode_cookie(bad)) << bad;
    }
}

}  // namespace
}  // namespace postern::sources::microsoft365
