// Edits: what they change, entity tags, idempotency keys, imports.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/control/api/rig.h"

namespace postern::api {
namespace {

TEST(api_edits, a_mailbox_is_added_edited_and_removed_by_its_address) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    const response made = api.post("/v1/mailboxes", R"({"address": "Alice@Example.COM", "first_name": "Alice",
        "aliases": ["al@example.com"], "group": "Sales"})");
    ASSERT_EQ(made.status, 201U) << made.body;
    EXPECT_FALSE(field_of(made, "Postern-Change").empty());
    EXPECT_EQ(api.get(field_of(made, "Location")).status, 200U);
    const auto box = body_of(api.get("/v1/mailboxes/alice%40example.com"));
    EXPECT_EQ(box.at("normal").as_string(), "alice@example.com");
    EXPECT_EQ(box.at("group").as_string(), "Sales");
    EXPECT_EQ(body_of(api.get("/v1/mailboxes/al@example.com")).at("id"), box.at("id"));
    EXPECT_EQ(api.get("/v1/aliases/al@example.com").status, 200U);
    EXPECT_EQ(api.get("/v1/aliases/alice@example.com").status, 404U) << "that is a mailbox";

    const response edited =
        api.ask(method::patch, "/v1/mailboxes/alice@example.com", R"({"last_name": "A.", "group": null})");
    ASSERT_EQ(edited.status, 200U) << edited.body;
    EXPECT_EQ(body_of(edited).at("last_name").as_string(), "A.");
    EXPECT_TRUE(body_of(edited).at("group").is_null());
    EXPECT_EQ(body_of(edited).at("first_name").as_string(), "Alice") << "what is not given stays";

    EXPECT_EQ(api.ask(method::del, "/v1/mailboxes/alice@example.com").status, 204U);
    EXPECT_EQ(api.get("/v1/mailboxes/alice@example.com").status, 404U);
    EXPECT_EQ(api.get("/v1/mailboxes/al@example.com").status, 404U);
}

TEST(api_edits, waiting_until_in_force_says_whether_it_is) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    const response made = api.post("/v1/mailboxes?wait=in_force", R"({"address": "a@example.com"})");
    EXPECT_EQ(made.status, 201U) << made.body;
    EXPECT_EQ(field_of(made, "Postern-In-Force"), "true");
    EXPECT_EQ(first_pointer(api.post("/v1/mailboxes?wait=never", R"({"address": "b@example.com"})")), "?wait");
}

TEST(api_edits, who_and_why_stand_in_the_history) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})", {{"postern-reason", "ticket 4711"}});
    const auto rows = body_of(api.get("/v1/history?domain=example.com")).at("items").as_array();
    ASSERT_FALSE(rows.empty());
    EXPECT_EQ(rows.front().at("who").as_string(), "token:admin");
    EXPECT_EQ(rows.front().at("why").as_string(), "ticket 4711");
}

TEST(api_edits, an_address_can_be_blocked_before_anything_lists_it) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    const response made = api.post("/v1/mailboxes", R"({"address": "x@example.com", "hold": "blocked"})");
    ASSERT_EQ(made.status, 201U) << made.body;
    EXPECT_FALSE(body_of(made).at("valid").as_bool());
    EXPECT_FALSE(body_of(api.get("/v1/explain?address=x@example.com")).at("valid").as_bool());
}

TEST(api_tags, an_edit_on_what_was_changed_meanwhile_is_refused) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    const response first = api.post("/v1/mailboxes", R"({"address": "a@example.com"})");
    const std::string tag = field_of(first, "ETag");
    ASSERT_FALSE(tag.empty());
    EXPECT_EQ(api.get("/v1/mailboxes/1", {{"if-none-match", tag}}).status, 304U);
    EXPECT_EQ(api.ask(method::patch, "/v1/mailboxes/1", R"({"first_name": "A"})", {{"if-match", tag}}).status, 200U);
    const response late = api.ask(method::patch, "/v1/mailboxes/1", R"({"first_name": "B"})", {{"if-match", tag}});
    EXPECT_EQ(late.status, 412U);
    EXPECT_EQ(body_of(api.get("/v1/mailboxes/1")).at("first_name").as_string(), "A");
    EXPECT_EQ(api.ask(method::del, "/v1/mailboxes/1", {}, {{"if-match", tag}}).status, 412U);
    EXPECT_EQ(api.get("/v1/mailboxes/1", {{"if-none-match", tag}}).status, 200U);
    EXPECT_EQ(api.ask(method::del, "/v1/mailboxes/1", {}, {{"if-match", "*"}}).status, 204U);
}

TEST(api_tags, an_address_more_makes_no_other_domain) {
    rig api;
    const std::string tag = field_of(api.post("/v1/domains", R"({"name": "example.com"})"), "ETag");
    api.post("/v1/mailboxes", R"({"address": "a@example.com"})");
    EXPECT_EQ(api.ask(method::patch, "/v1/domains/example.com", R"({"on_hold": true})", {{"if-match", tag}}).status,
              200U);
}

TEST(api_keys, the_same_request_gets_the_first_answer_and_changes_nothing) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    const std::string body = R"({"address": "a@example.com"})";
    const response first = api.post("/v1/mailboxes", body, {{"idempotency-key", "k1"}});
    ASSERT_EQ(first.status, 201U) << first.body;
    const response again = api.post("/v1/mailboxes", body, {{"idempotency-key", "k1"}});
    EXPECT_EQ(again.status, 201U);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(field_of(again, "Idempotency-Replayed"), "true");
    EXPECT_EQ(api.post("/v1/mailboxes", body).status, 409U) << "without the key it is a second try";
}

TEST(api_keys, another_request_under_the_same_key_is_refused) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    api.post("/v1/mailboxes", R"({"address": "a@example.com"})", {{"idempotency-key", "k1"}});
    const response other = api.post("/v1/mailboxes", R"({"address": "b@example.com"})", {{"idempotency-key", "k1"}});
    EXPECT_EQ(other.status, 422U);
    EXPECT_EQ(body_of(other).at("type").as_string(), "urn:postern:problem:idempotency-key-reused");
    EXPECT_EQ(api.post("/v1/mailboxes", R"({"address": "c@example.com"})",
                       {{"idempotency-key", "k1"},
                        {"authorization", "Bearer " + api.make_token("o", directory::role::editor)}})
                  .status,
              201U)
        << "keys of different tokens are different keys";
}

TEST(api_keys, a_refused_request_keeps_no_answer) {
    rig api;
    const std::string body = R"({"address": "a@example.com"})";
    EXPECT_EQ(api.post("/v1/mailboxes", body, {{"idempotency-key", "k"}}).status / 100, 4U);
    api.post("/v1/domains", R"({"name": "example.com"})");
    EXPECT_EQ(api.post("/v1/mailboxes", body, {{"idempotency-key", "k"}}).status, 201U);
}

TEST(api_bulk, is_all_or_nothing_and_shows_every_wrong_item) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    const response wrong = api.post("/v1/mailboxes/bulk", R"({"items": [{"address": "a@example.com"}, {"address": "b"},
        {"address": "c@example.com"}, {"address": "d@example.net"}]})");
    EXPECT_EQ(wrong.status, 422U);
    EXPECT_EQ(body_of(wrong).at("errors").as_array().size(), 2U) << wrong.body;
    EXPECT_EQ(first_pointer(wrong).substr(0, 8), "/items/1");
    EXPECT_TRUE(body_of(api.get("/v1/mailboxes")).at("items").as_array().empty());
}

TEST(api_inbound, is_confirmed_by_a_person_after_a_good_probe) {
    rig api;
    const response made =
        api.post("/v1/inbound-servers", R"({"name": "mx", "hosts": [{"host": "127.0.0.1", "port": 1}]})");
    ASSERT_EQ(made.status, 201U) << made.body;
    EXPECT_EQ(api.post("/v1/inbound-servers/1/confirm", "").status, 409U) << "never probed";
    const response probed = api.ask(method::post, "/v1/inbound-servers/1/probe");
    ASSERT_EQ(probed.status, 200U) << probed.body;
    EXPECT_FALSE(body_of(probed).at("usable").as_bool()) << "nothing listens on port 1";
    EXPECT_EQ(api.post("/v1/inbound-servers/1/confirm", "").status, 409U);
    const response confirmed = api.post("/v1/inbound-servers/1/confirm", R"({"unprobed": true})");
    ASSERT_EQ(confirmed.status, 200U) << confirmed.body;
    EXPECT_EQ(body_of(confirmed).at("confirmed_by").as_string(), "token:admin");
    const response moved = api.ask(method::patch, "/v1/inbound-servers/1", R"({"hosts": [{"host": "127.0.0.2"}]})");
    EXPECT_FALSE(body_of(moved).at("confirmed").as_bool()) << "other hosts are to be confirmed anew";
}

/// Asks for the import until it is in one of the states that last.
boost::json::object settled(rig& api, const std::string& path) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < end) {
        auto now = body_of(api.get(path));
        const auto state = now.at("state").as_string();
        if (state != "waiting" && state != "reading" && state != "queued" && state != "applying") {
            return now;
        }
        std::this_thread::yield();
    }
    ADD_FAILURE() << "the import does not end";
    return {};
}

TEST(api_imports, are_previewed_and_then_applied) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    const std::string csv = "email,first_name\na@example.com,A\nb@example.com,B\nnonsense@@,C\n";
    const response taken = api.post("/v1/imports?file_name=x.csv", csv, {{"content-type", "text/csv"}});
    ASSERT_EQ(taken.status, 202U) << taken.body;
    const std::string path = field_of(taken, "Location");
    const auto preview = settled(api, path);
    EXPECT_EQ(preview.at("state").as_string(), "previewed");
    EXPECT_EQ(preview.at("report").at("new").to_number<int>(), 2);
    EXPECT_TRUE(body_of(api.get("/v1/mailboxes")).at("items").as_array().empty()) << "a preview changes nothing";
    const auto errors = body_of(api.get(path + "/errors"));
    EXPECT_EQ(errors.at("total").to_number<int>(), 1);
    EXPECT_EQ(errors.at("items").as_array().front().at("line").to_number<int>(), 4);

    EXPECT_EQ(api.ask(method::post, path + "/apply").status, 202U);
    const auto applied = settled(api, path);
    EXPECT_EQ(applied.at("state").as_string(), "applied");
    EXPECT_EQ(body_of(api.get("/v1/mailboxes")).at("items").as_array().size(), 2U);
    EXPECT_EQ(api.ask(method::post, path + "/apply").status, 202U) << "applying twice does nothing more";
    EXPECT_EQ(api.ask(method::del, path).status, 204U);
    EXPECT_EQ(api.get(path).status, 404U);
}

TEST(api_imports, under_one_key_are_one) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    const rig::fields fields{{"content-type", "text/csv"}, {"idempotency-key", "i"}};
    const response first = api.post("/v1/imports?apply=true", "email\na@example.com\n", fields);
    const response again = api.post("/v1/imports?apply=true", "email\na@example.com\n", fields);
    EXPECT_EQ(field_of(first, "Location"), field_of(again, "Location"));
    EXPECT_EQ(api.post("/v1/imports?apply=true", "email\nb@example.com\n", fields).status, 422U);
}

TEST(api_imports, an_export_comes_back_unchanged) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    api.post("/v1/mailboxes", R"({"address": "a@example.com", "first_name": "A", "aliases": ["b@example.com"]})");
    response out = api.get("/v1/exports?domain=example.com");
    ASSERT_TRUE(out.stream);
    std::string csv;
    for (std::string part; out.stream(part) && !part.empty();) {
        csv += part;
    }
    EXPECT_NE(csv.find("a@example.com"), std::string::npos);
    const response taken = api.post("/v1/imports", csv, {{"content-type", "text/csv"}});
    const auto preview = settled(api, field_of(taken, "Location"));
    EXPECT_EQ(preview.at("report").at("new").to_number<int>(), 0) << csv;
    EXPECT_EQ(preview.at("report").at("invalid").to_number<int>(), 0);
}

}  // namespace
}  // namespace postern::api
