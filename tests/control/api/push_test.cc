// Pushed lists over the API: what is taken, refused and answered.
#include <gtest/gtest.h>

#include "tests/control/api/rig.h"

namespace postern::api {
namespace {

using boost::json::object;

class push_api : public ::testing::Test {
protected:
    push_api() {
        EXPECT_EQ(rig_.post("/v1/domains", R"({"name": "example.com"})").status, 201U);
        EXPECT_EQ(rig_.post("/v1/sources", R"({"name": "push:agent", "settings": {"pushes_per_hour": 5}})").status,
                  201U);
    }
    static std::string list(const std::string& lines, int count) {
        return lines + "{\"end\": " + std::to_string(count) + "}\n";
    }
    static std::string person(const std::string& name) { return "{\"address\": \"" + name + "@example.com\"}\n"; }
    response push(const std::string& how, const std::string& body, rig::fields more = {}) {
        more.emplace_back("content-type", "application/x-ndjson");
        response out = rig_.ask(method::post, "/v1/sources/push%3Aagent/push/" + how, body, std::move(more));
        rig_.syncs().wait_idle();
        return out;
    }
    std::string state_of(const response& pushed) {
        return std::string(body_of(rig_.get(field_of(pushed, "Location"))).at("state").as_string());
    }
    static std::string type_of(const response& refused) {
        return std::string(body_of(refused).at("type").as_string()).substr(20);
    }
    bool is_valid(const std::string& name) {
        return body_of(rig_.get("/v1/explain?address=" + name + "@example.com")).at("valid").as_bool();
    }

    rig rig_;
};

TEST_F(push_api, a_list_is_taken_and_changes_build_upon_it) {
    EXPECT_TRUE(body_of(rig_.get("/v1/sources/push%3Aagent/push")).at("sequence").is_null());
    const response whole = push("whole?sequence=7", list(person("ada") + person("bob"), 2));
    ASSERT_EQ(whole.status, 202U) << whole.body;
    EXPECT_EQ(body_of(whole).at("sequence").as_int64(), 7);
    EXPECT_EQ(state_of(whole), "succeeded");
    EXPECT_TRUE(is_valid("ada"));
    const object state = body_of(rig_.get("/v1/sources/push%3Aagent/push"));
    EXPECT_EQ(state.at("changes_upon").as_int64(), 7);
    const response changes = push("changes?base=7", list("{\"id\": \"bob@example.com\", \"gone\": true}\n", 1));
    ASSERT_EQ(changes.status, 202U) << changes.body;
    EXPECT_FALSE(is_valid("bob"));
    const response late = push("changes?base=7", list(person("eve"), 1));
    EXPECT_EQ(late.status, 409U);
    EXPECT_EQ(type_of(late), "other-base");
    EXPECT_EQ(first_pointer(push("changes", list("", 0))), "?base");
}

TEST_F(push_api, the_same_list_again_and_an_older_one_change_nothing) {
    ASSERT_EQ(push("whole?sequence=7", list(person("ada"), 1)).status, 202U);
    const response again = push("whole?sequence=7", list(person("ada"), 1));
    EXPECT_EQ(again.status, 200U);
    EXPECT_TRUE(body_of(again).at("again").as_bool());
    const response older = push("whole?sequence=6", list(person("bob"), 1));
    EXPECT_EQ(older.status, 409U);
    EXPECT_EQ(type_of(older), "older-list");
    EXPECT_FALSE(is_valid("bob"));
}

TEST_F(push_api, an_idempotency_key_answers_the_same_list_only) {
    const rig::fields key{{"idempotency-key", "k1"}};
    const response first = push("whole", list(person("ada"), 1), key);
    ASSERT_EQ(first.status, 202U);
    const response again = push("whole", list(person("ada"), 1), key);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(field_of(again, "Idempotency-Replayed"), "true");
    EXPECT_EQ(body_of(rig_.get("/v1/syncs")).at("items").as_array().size(), 1U);
    const response other = push("whole", list(person("bob"), 1), key);
    EXPECT_EQ(other.status, 422U);
    EXPECT_EQ(type_of(other), "idempotency-key-reused");
}

TEST_F(push_api, what_is_cut_off_or_wrong_is_refused_whole_with_its_line) {
    const response cut = push("whole", person("ada") + person("bob"));
    EXPECT_EQ(cut.status, 400U);
    EXPECT_NE(cut.body.find("cut off"), std::string::npos) << cut.body;
    const response wrong = push("whole", list(person("ada") + "{\"mail\": 1}\n", 2));
    EXPECT_EQ(wrong.status, 400U);
    EXPECT_EQ(first_pointer(wrong), "line 2");
    EXPECT_EQ(push("whole", list(person("ada"), 1), {{"content-type", "text/csv"}}).status, 415U);
    EXPECT_TRUE(body_of(rig_.get("/v1/syncs")).at("items").as_array().empty());
    EXPECT_FALSE(is_valid("ada"));
}

TEST_F(push_api, a_test_run_gives_the_diff_and_the_rate_does_not_count_it) {
    for (int i = 0; i < 5; ++i) {
        ASSERT_EQ(push("whole", list(person("ada"), 1)).status, 202U);
    }
    const response sixth = push("whole", list(person("bob"), 1));
    EXPECT_EQ(sixth.status, 429U) << sixth.body;
    EXPECT_EQ(type_of(sixth), "too-many-pushes");
    EXPECT_GT(std::stoi(field_of(sixth, "Retry-After")), 3000);
    const response test = push("whole?dry=true", list(person("bob"), 1));
    ASSERT_EQ(test.status, 202U) << test.body;
    EXPECT_TRUE(body_of(test).at("sequence").is_null());
    EXPECT_EQ(state_of(test), "previewed");
    EXPECT_EQ(body_of(rig_.get(field_of(test, "Location") + "/changes")).at("items").as_array().size(), 2U);
    EXPECT_FALSE(is_valid("bob"));
}

TEST_F(push_api, only_push_sources_of_the_tokens_organisation_take_lists) {
    EXPECT_EQ(rig_.post("/v1/sources", R"({"name": "test:other"})").status, 201U);
    const rig::fields type{{"content-type", "application/x-ndjson"}};
    EXPECT_EQ(rig_.ask(method::post, "/v1/sources/test%3Aother/push/whole", list("", 0), type).status, 404U);
    EXPECT_EQ(rig_.get("/v1/sources/test%3Aother/push").status, 404U);
    EXPECT_EQ(rig_.post("/v1/sources/push%3Aagent/sync", "{}").status, 409U);
    rig_.admin = rig_.make_token("reads", directory::role::viewer);
    EXPECT_EQ(push("whole", list(person("ada"), 1)).status, 403U);
}

}  // namespace
}  // namespace postern::api
