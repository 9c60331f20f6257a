// Who may ask, how lists are paged, and what errors look like.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "control/encoding/base64.h"
#include "tests/control/api/rig.h"

namespace postern::api {
namespace {

TEST(api_tokens, without_one_nothing_is_told) {
    rig api;
    api.admin.clear();
    for (const char* path : {"/v1/domains", "/v1/status", "/v1/nothing", "/nothing", "/", "/metrics"}) {
        const response answered = api.get(path);
        EXPECT_EQ(answered.status, 401U) << path;
        EXPECT_EQ(answered.content_type, "application/problem+json");
        EXPECT_FALSE(field_of(answered, "WWW-Authenticate").empty());
    }
}

TEST(api_tokens, health_and_description_need_none) {
    rig api;
    api.admin.clear();
    EXPECT_EQ(api.get("/healthz").status, 200U);
    EXPECT_EQ(api.get("/v1/openapi.yaml").status, 200U);
}

TEST(api_tokens, an_unknown_one_is_refused) {
    rig api;
    for (const std::string& value : {"Bearer nonsense", "Bearer ", "Bearer", "nonsense", "Basic nonsense", ""}) {
        if (!value.empty()) {
            EXPECT_EQ(api.get("/v1/status", {{"authorization", value}}).status, 401U) << value;
        }
    }
    EXPECT_EQ(api.get("/v1/status", {{"authorization", "bearer " + api.admin}}).status, 200U);
}

TEST(api_tokens, basic_is_for_pages_only) {
    rig api;
    const std::string basic = "Basic " + encoding::to_base64("any:" + api.admin);
    EXPECT_EQ(api.get("/", {{"authorization", basic}}).status, 200U);
    EXPECT_EQ(api.get("/metrics", {{"authorization", basic}}).status, 200U);
    EXPECT_EQ(api.get("/v1/status", {{"authorization", basic}}).status, 401U);
}

TEST(api_tokens, each_role_may_what_it_may) {
    rig api;
    const rig::fields reader{{"authorization", "Bearer " + api.make_token("r", directory::role::viewer)}};
    const rig::fields editor{{"authorization", "Bearer " + api.make_token("o", directory::role::editor)}};
    EXPECT_EQ(api.post("/v1/domains", R"({"name": "example.com"})", reader).status, 403U);
    EXPECT_EQ(api.post("/v1/domains", R"({"name": "example.com"})", editor).status, 403U);
    EXPECT_EQ(api.post("/v1/domains", R"({"name": "example.com"})").status, 201U);
    EXPECT_EQ(api.post("/v1/mailboxes", R"({"address": "a@example.com"})", reader).status, 403U);
    EXPECT_EQ(api.post("/v1/mailboxes", R"({"address": "a@example.com"})", editor).status, 201U);
    EXPECT_EQ(api.get("/v1/mailboxes", reader).status, 200U);
    EXPECT_EQ(api.get("/v1/tokens", editor).status, 403U);
    EXPECT_EQ(api.get("/v1/tokens").status, 200U);
}

TEST(api_tokens, a_revoked_one_is_refused_and_the_last_admin_is_kept) {
    rig api;
    const response made = api.post("/v1/tokens", R"({"name": "second", "role": "admin"})");
    ASSERT_EQ(made.status, 201U) << made.body;
    const auto body = body_of(made);
    const std::string secret(body.at("secret").as_string());
    EXPECT_EQ(body_of(api.get("/v1/tokens/" + std::to_string(body.at("id").as_int64()))).if_contains("secret"),
              nullptr);
    const rig::fields second{{"authorization", "Bearer " + secret}};
    EXPECT_EQ(api.get("/v1/status", second).status, 200U);
    EXPECT_EQ(api.ask(method::del, "/v1/tokens/1", {}, second).status, 204U);
    EXPECT_EQ(api.get("/v1/status").status, 401U);
    EXPECT_EQ(api.ask(method::del, "/v1/tokens/2", {}, second).status, 409U);
    EXPECT_EQ(api.get("/v1/status", second).status, 200U);
}

TEST(api_tokens, one_cannot_be_made_under_an_idempotency_key) {
    rig api;
    EXPECT_EQ(api.post("/v1/tokens", R"({"name": "x", "role": "reader"})", {{"idempotency-key", "k"}}).status, 400U);
}

TEST(api_tokens, the_first_is_written_to_a_file_that_only_the_owner_reads) {
    rig api;
    EXPECT_EQ(write_first_token(api.store(), api.folder() + "/t"), false) << "an admin is there already";
    auto fresh = directory::store::open(api.folder() + "/fresh.db");
    ASSERT_TRUE(fresh);
    const std::string path = api.folder() + "/admin.token";
    ASSERT_EQ(write_first_token(**fresh, path), true);
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    const auto secret = process::read_file(path, 1000);
    ASSERT_TRUE(secret);
    const auto in = (*fresh)->read();
    EXPECT_TRUE(directory::authenticate(*in, secret->substr(0, secret->size() - 1)));
}

struct page_case {
    const char* host;
    bool loopback;
    const char* extra;
    unsigned status;
};

TEST(api_pages, need_no_token_from_the_machine_itself_only) {
    rig api;
    api.admin.clear();
    const page_case cases[] = {{"127.0.0.1:8025", true, nullptr, 200},     {"localhost:8025", true, nullptr, 200},
                               {"[::1]:8025", true, nullptr, 200},         {"127.0.0.1:8025", false, nullptr, 401},
                               {"evil.example", true, nullptr, 401},       {"", true, nullptr, 401},
                               {"127.0.0.1", true, "x-forwarded-for", 401}};
    for (const page_case& each : cases) {
        request asked;
        asked.path = "/";
        asked.loopback = each.loopback;
        asked.fields = {{"host", each.host}};
        if (each.extra != nullptr) {
            asked.fields.emplace_back(each.extra, "192.0.2.1");
        }
        const admission admitted = api.application.admit(asked);
        EXPECT_EQ(admitted.refusal ? admitted.refusal->status : 200U, each.status) << each.host;
    }
}

TEST(api_pages, the_status_page_shows_what_there_is_without_markup_from_outside) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    api.post("/v1/inbound-servers", R"({"name": "<script>alert(1)</script>", "hosts": [{"host": "127.0.0.1"}]})");
    const response patched = api.ask(method::patch, "/v1/domains/example.com", R"({"inbound_server": 1})");
    ASSERT_EQ(patched.status, 200U) << patched.body;
    const response page = api.get("/");
    EXPECT_EQ(page.status, 200U);
    EXPECT_NE(page.body.find("example.com"), std::string::npos);
    EXPECT_EQ(page.body.find("<script"), std::string::npos);
    EXPECT_NE(field_of(page, "Content-Security-Policy").find("default-src 'none'"), std::string::npos);
}

TEST(api_pages, the_metrics_have_one_head_for_each_family) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    const response page = api.get("/metrics");
    ASSERT_EQ(page.status, 200U) << page.body;
    EXPECT_NE(page.body.find("postern_domain_mode{domain=\"example.com\",mode=\"observe\"} 1\n"), std::string::npos);
    std::set<std::string> heads;
    std::size_t at = 0;
    while ((at = page.body.find("# TYPE ", at)) != std::string::npos) {
        const std::size_t end = page.body.find(' ', at + 7);
        EXPECT_TRUE(heads.insert(page.body.substr(at + 7, end - at - 7)).second);
        at = end;
    }
    EXPECT_GT(heads.size(), 8U);
}

TEST(api_lists, are_paged_without_gaps_or_repeats) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    std::string items;
    for (int each = 0; each < 25; ++each) {
        items +=
            (each == 0 ? "" : ",") + std::string(R"({"address": "user)") + std::to_string(each) + R"(@example.com"})";
    }
    const response bulk = api.post("/v1/mailboxes/bulk", "{\"items\": [" + items + "]}");
    ASSERT_EQ(bulk.status, 200U) << bulk.body;
    std::set<std::string> seen;
    std::string cursor;
    int pages = 0;
    do {
        const auto page = body_of(api.get("/v1/mailboxes?limit=7" + (cursor.empty() ? "" : "&cursor=" + cursor)));
        for (const auto& each : page.at("items").as_array()) {
            EXPECT_TRUE(seen.insert(std::string(each.at("address").as_string())).second);
        }
        cursor = page.at("next").is_null() ? "" : std::string(page.at("next").as_string());
        ++pages;
    } while (!cursor.empty());
    EXPECT_EQ(seen.size(), 25U);
    EXPECT_EQ(pages, 4);
    EXPECT_EQ(field_of(api.get("/v1/mailboxes?count=true"), "Postern-Total"), "25");
}

TEST(api_lists, filters_narrow_them) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    api.post("/v1/domains", R"({"name": "example.org"})");
    api.post("/v1/mailboxes", R"({"address": "alice@example.com", "kind": "shared"})");
    api.post("/v1/mailboxes", R"({"address": "bob@example.org"})");
    const auto count = [&](const std::string& query) {
        return body_of(api.get("/v1/mailboxes?" + query)).at("items").as_array().size();
    };
    EXPECT_EQ(count("domain=example.com"), 1U);
    EXPECT_EQ(count("kind=user"), 1U);
    EXPECT_EQ(count("q=alice"), 1U);
    EXPECT_EQ(count("q=nobody"), 0U);
    EXPECT_EQ(count("valid=false"), 0U);
    EXPECT_EQ(api.get("/v1/mailboxes?domain=example.net").status, 400U);
    EXPECT_EQ(first_pointer(api.get("/v1/mailboxes?kind=x")), "?kind");
    EXPECT_EQ(first_pointer(api.get("/v1/mailboxes?nonsense=x")), "?nonsense");
    EXPECT_EQ(first_pointer(api.get("/v1/mailboxes?limit=0")), "?limit");
}

TEST(api_errors, have_type_title_status_detail_and_pointers) {
    rig api;
    const response wrong = api.post("/v1/domains", R"({"name": 7, "nmae": "x"})");
    EXPECT_EQ(wrong.status, 422U);
    EXPECT_EQ(wrong.content_type, "application/problem+json");
    const auto body = body_of(wrong);
    EXPECT_EQ(body.at("type").as_string(), "urn:postern:problem:invalid");
    EXPECT_EQ(body.at("status").to_number<int>(), 422);
    EXPECT_FALSE(body.at("title").as_string().empty());
    EXPECT_FALSE(body.at("detail").as_string().empty());
    EXPECT_EQ(body.at("errors").as_array().size(), 2U);
    EXPECT_EQ(first_pointer(wrong), "/name");
}

TEST(api_errors, say_what_kind_of_thing_went_wrong) {
    rig api;
    api.post("/v1/domains", R"({"name": "example.com"})");
    EXPECT_EQ(api.post("/v1/domains", R"({"name": "example.com"})").status, 409U);
    EXPECT_EQ(api.post("/v1/domains", R"({"name": "not a domain"})").status, 422U);
    EXPECT_EQ(api.post("/v1/domains", "nonsense").status, 400U);
    EXPECT_EQ(api.post("/v1/domains", "{}", {{"content-type", "text/plain"}}).status, 415U);
    EXPECT_EQ(api.get("/v1/domains/example.net").status, 404U);
    EXPECT_EQ(api.get("/v1/domains/99999999999999999999").status, 404U);
    EXPECT_EQ(api.get("/v1/nothing").status, 404U);
    const response wrong = api.ask(method::put, "/v1/domains");
    EXPECT_EQ(wrong.status, 405U);
    EXPECT_EQ(field_of(wrong, "Allow"), "GET, POST");
    EXPECT_EQ(api.post("/v1/mailboxes", R"({"address": "a@example.net"})").status / 100, 4U) << "a domain not served";
    EXPECT_EQ(api.ask(method::patch, "/v1/domains/example.com", R"({"mode": "enforce"})").status, 409U)
        << "enforce on an empty list";
}

}  // namespace
}  // namespace postern::api
