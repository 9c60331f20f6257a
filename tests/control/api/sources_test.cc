// Directory sources, syncs and restores over the API, with a directory in memory.
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "tests/control/api/rig.h"

namespace postern::api {
namespace {

using boost::json::object;

class sources_api : public ::testing::Test {
protected:
    sources_api() {
        EXPECT_EQ(rig_.post("/v1/domains", R"({"name": "example.com"})").status, 201U);
        rig_.directory_has = {entry("1", "ada@example.com"), entry("2", "bob@example.com")};
    }

    static sources::directory_entry entry(const std::string& identity, const std::string& address) {
        sources::directory_entry out;
        out.identity = identity;
        out.name = "cn=" + identity;
        out.address = address;
        return out;
    }
    response add(const std::string& more = "") {
        return rig_.post("/v1/sources", R"({"name": "test:head", "secrets": {"password": "right"})" + more + "}");
    }
    object sync(const std::string& body = "{}") {
        const response queued = rig_.post("/v1/sources/test%3Ahead/sync", body);
        EXPECT_EQ(queued.status, 202U) << queued.body;
        rig_.syncs().wait_idle();
        return body_of(rig_.get(field_of(queued, "Location")));
    }
    static std::string text(const object& of, std::string_view name) { return std::string(of.at(name).as_string()); }
    bool is_valid(const std::string& address) {
        return body_of(rig_.get("/v1/explain?address=" + address)).at("valid").as_bool();
    }

    rig rig_;
};

TEST_F(sources_api, what_is_set_is_shown_and_secrets_are_not) {
    const response made = add(
        R"(, "interval_minutes": 15, "settings": {"base": "dc=x"}, "limits": {"removed_percent": 20}, "grace_seconds": 60,
           "notify": {"webhook": "https://hooks.example/x", "emails": ["ops@example.com"], "changes": true},
           "webhook_secret": "sign me", "enabled": false)");
    ASSERT_EQ(made.status, 201U) << made.body;
    EXPECT_EQ(made.body.find("right"), std::string::npos);
    EXPECT_EQ(made.body.find("sign me"), std::string::npos);
    const object shown = body_of(rig_.get("/v1/sources/test%3Ahead"));
    EXPECT_EQ(shown.at("interval_minutes").as_int64(), 15);
    EXPECT_EQ(shown.at("settings").at("base").as_string(), "dc=x");
    EXPECT_EQ(shown.at("limits").at("removed_percent").as_int64(), 20);
    EXPECT_EQ(shown.at("limits").at("removed_count").as_int64(), 500);
    EXPECT_EQ(shown.at("notify").at("emails").as_array().size(), 1U);
    EXPECT_TRUE(shown.at("has_secrets").as_bool());
    EXPECT_TRUE(shown.at("has_webhook_secret").as_bool());
    EXPECT_TRUE(shown.at("state").at("next_sync").is_null()) << "it is not enabled";
    EXPECT_EQ(body_of(rig_.get("/v1/sources")).at("items").as_array().size(), 1U);
}

TEST_F(sources_api, wrong_members_are_named_where_they_stand) {
    EXPECT_EQ(first_pointer(rig_.post("/v1/sources", R"({"name": "nothing:x"})")), "/name");
    EXPECT_EQ(first_pointer(add(R"(, "interval_minutes": 0)")), "/interval_minutes");
    EXPECT_EQ(first_pointer(add(R"(, "limits": {"removed_percent": 101})")), "/limits/removed_percent");
    EXPECT_EQ(first_pointer(add(R"(, "notify": {"emails": ["nobody"]})")), "/notify/emails");
    EXPECT_EQ(first_pointer(add(R"(, "notify": {"webhook": "ftp://x"})")), "/notify/webhook");
    EXPECT_EQ(first_pointer(add(R"(, "settings": {"base": "bad"})")), "/settings/base");
    EXPECT_EQ(first_pointer(add(R"(, "freshness_seconds": 60)")), "/freshness_seconds");
    EXPECT_EQ(first_pointer(add(R"(, "unknown": 1)")), "/unknown");
}

TEST_F(sources_api, an_edit_changes_what_it_names_and_leaves_the_rest) {
    ASSERT_EQ(add(R"(, "settings": {"base": "dc=x", "filter": "a=b"})").status, 201U);
    const response changed = rig_.ask(method::patch, "/v1/sources/test%3Ahead",
                                      R"({"settings": {"base": "dc=y", "filter": null}, "limits": {"floor": 9}})");
    ASSERT_EQ(changed.status, 200U) << changed.body;
    const object now = body_of(changed);
    EXPECT_EQ(now.at("settings").as_object().size(), 1U);
    EXPECT_EQ(now.at("settings").at("base").as_string(), "dc=y");
    EXPECT_EQ(now.at("limits").at("floor").as_int64(), 9);
    EXPECT_TRUE(now.at("has_secrets").as_bool());
    EXPECT_TRUE(body_of(rig_.post("/v1/sources/test%3Ahead/test", "")).at("good").as_bool())
        << "the password is the one that was set";
    ASSERT_EQ(rig_.ask(method::patch, "/v1/sources/test%3Ahead", R"({"secrets": {"password": null}})").status, 200U);
    EXPECT_FALSE(body_of(rig_.get("/v1/sources/test%3Ahead")).at("has_secrets").as_bool());
}

TEST_F(sources_api, a_connection_is_tested_before_it_is_kept) {
    const response good =
        rig_.post("/v1/sources/test", R"({"name": "test:x", "settings": {}, "secrets": {"password": "right"}})");
    ASSERT_EQ(good.status, 200U) << good.body;
    EXPECT_TRUE(body_of(good).at("good").as_bool());
    EXPECT_EQ(body_of(good).at("entries").as_array().size(), 2U);
    const response bad = rig_.post("/v1/sources/test", R"({"name": "test:x", "settings": {}})");
    EXPECT_EQ(body_of(bad).at("steps").as_array().front().at("outcome").as_string(), "bad");
    EXPECT_EQ(rig_.post("/v1/sources/test", R"({"name": "none:x", "settings": {}})").status, 422U);
    EXPECT_TRUE(body_of(rig_.get("/v1/sources")).at("items").as_array().empty());
}

TEST_F(sources_api, presets_are_those_of_the_manual) {
    const object presets = body_of(rig_.get("/v1/source-presets"));
    EXPECT_EQ(presets.at("items").as_array().size(), 7U);
}

TEST_F(sources_api, a_sync_is_watched_to_its_end_and_itemised) {
    ASSERT_EQ(add().status, 201U);
    const object dry = sync(R"({"dry": true})");
    EXPECT_EQ(text(dry, "state"), "previewed");
    EXPECT_FALSE(is_valid("ada@example.com"));
    const object done = sync();
    EXPECT_EQ(text(done, "state"), "succeeded");
    EXPECT_EQ(text(done, "by"), "token:admin");
    EXPECT_EQ(done.at("counts").at("added").as_int64(), 2);
    EXPECT_FALSE(done.at("in_force").is_null());
    EXPECT_TRUE(is_valid("ada@example.com"));
    const std::string path = "/v1/syncs/" + std::to_string(done.at("id").as_int64());
    const object first = body_of(rig_.get(path + "/changes?limit=1"));
    ASSERT_EQ(first.at("items").as_array().size(), 1U);
    EXPECT_EQ(first.at("items").at(0).at("what").as_string(), "added");
    const object rest = body_of(rig_.get(path + "/changes?cursor=" + text(first, "next")));
    EXPECT_EQ(rest.at("items").as_array().size(), 1U);
    EXPECT_TRUE(body_of(rig_.get(path + "/changes?what=removed")).at("items").as_array().empty());
    EXPECT_EQ(rig_.get(path + "/changes?what=nothing").status, 400U);
    EXPECT_TRUE(body_of(rig_.get(path + "/problems")).at("items").as_array().empty());
    EXPECT_EQ(body_of(rig_.get("/v1/syncs?source=test%3Ahead&state=succeeded")).at("items").as_array().size(), 1U);
    EXPECT_EQ(body_of(rig_.get("/v1/syncs")).at("items").as_array().size(), 2U);
}

TEST_F(sources_api, the_same_key_begins_one_sync) {
    ASSERT_EQ(add().status, 201U);
    const response first = rig_.post("/v1/sources/test%3Ahead/sync", "{}", {{"idempotency-key", "k"}});
    rig_.syncs().wait_idle();
    const response again = rig_.post("/v1/sources/test%3Ahead/sync", "{}", {{"idempotency-key", "k"}});
    EXPECT_EQ(body_of(again).at("id"), body_of(first).at("id"));
    EXPECT_EQ(body_of(rig_.get("/v1/syncs")).at("items").as_array().size(), 1U);
}

TEST_F(sources_api, a_held_sync_is_approved_or_discarded_once) {
    ASSERT_EQ(add(R"(, "limits": {"removed_count": 1, "floor": 0})").status, 201U);
    sync();
    rig_.directory_has.clear();
    rig_.directory_has.push_back(entry("3", "cyd@example.com"));
    const object held = sync();
    ASSERT_EQ(text(held, "state"), "held") << boost::json::serialize(held);
    EXPECT_NE(text(held, "guard").find('2'), std::string::npos);
    EXPECT_TRUE(is_valid("ada@example.com"));
    EXPECT_TRUE(is_valid("cyd@example.com"));
    const std::string path = "/v1/syncs/" + std::to_string(held.at("id").as_int64());
    ASSERT_EQ(rig_.post(path + "/approve", "").status, 200U);
    rig_.syncs().wait_idle();
    const object now = body_of(rig_.get(path));
    EXPECT_EQ(text(now, "state"), "succeeded");
    EXPECT_EQ(text(now, "decided_by"), "token:admin");
    EXPECT_FALSE(is_valid("ada@example.com"));
    EXPECT_EQ(rig_.post(path + "/discard", "").status, 409U);
    EXPECT_EQ(rig_.post("/v1/syncs/999/approve", "").status, 404U);
}

TEST_F(sources_api, a_list_is_brought_back_as_it_was) {
    ASSERT_EQ(add().status, 201U);
    sync();
    const auto now = [this] { return text(body_of(rig_.get("/v1/status")), "now"); };
    const std::string then = now();
    while (now() == then) {
        // What happens within the same millisecond has happened then.
    }
    ASSERT_EQ(rig_.ask(method::del, "/v1/sources/test%3Ahead").status, 204U);
    EXPECT_FALSE(is_valid("ada@example.com"));
    const object past = body_of(rig_.get("/v1/explain?address=ada@example.com&at=" + then));
    EXPECT_TRUE(past.at("valid").as_bool());
    EXPECT_EQ(past.at("sources").as_array().front().as_string(), "test:head");
    const object preview = body_of(rig_.get("/v1/restore?source=test%3Ahead&at=" + then));
    EXPECT_EQ(preview.at("returning").as_int64(), 2) << boost::json::serialize(preview);
    EXPECT_FALSE(is_valid("ada@example.com"));
    const response done = rig_.post("/v1/restore", R"({"source": "test:head", "at": ")" + then + R"("})");
    ASSERT_EQ(done.status, 200U) << done.body;
    EXPECT_TRUE(is_valid("ada@example.com"));
    EXPECT_EQ(first_pointer(rig_.post("/v1/restore", R"({"at": ")" + then + R"("})")), "/source");
    EXPECT_EQ(rig_.get("/v1/restore?source=test%3Ahead").status, 400U);
}

TEST_F(sources_api, roles_are_kept) {
    const std::string admin = rig_.admin;
    ASSERT_EQ(add().status, 201U);
    rig_.admin = rig_.make_token("ops", directory::role::editor);
    EXPECT_EQ(rig_.post("/v1/sources", R"({"name": "test:b"})").status, 403U);
    EXPECT_EQ(rig_.ask(method::del, "/v1/sources/test%3Ahead").status, 403U);
    EXPECT_EQ(rig_.post("/v1/sources/test", R"({"name": "test:b", "settings": {}})").status, 403U);
    EXPECT_EQ(rig_.post("/v1/sources/test%3Ahead/sync", "{}").status, 202U);
    rig_.syncs().wait_idle();
    rig_.admin = rig_.make_token("look", directory::role::viewer);
    EXPECT_EQ(rig_.get("/v1/sources").status, 200U);
    EXPECT_EQ(rig_.post("/v1/sources/test%3Ahead/sync", "{}").status, 403U);
    EXPECT_EQ(rig_.post("/v1/syncs/1/approve", "").status, 403U);
    rig_.admin = admin;
}

TEST_F(sources_api, metrics_tell_how_sources_and_syncs_are_doing) {
    ASSERT_EQ(add().status, 201U);
    sync();
    const std::string text = rig_.get("/metrics").body;
    EXPECT_NE(text.find("postern_source_addresses{source=\"test:head\",organisation=\"1\"} 2\n"), std::string::npos);
    EXPECT_NE(text.find("postern_source_failures{source=\"test:head\",organisation=\"1\"} 0\n"), std::string::npos);
    EXPECT_NE(text.find("postern_syncs_total{result=\"succeeded\"} 1\n"), std::string::npos);
    EXPECT_NE(text.find("postern_sync_addresses_total{change=\"added\"} 2\n"), std::string::npos);
}

}  // namespace
}  // namespace postern::api
