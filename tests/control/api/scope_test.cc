// Tokens for a part: every route of the table is walked with tokens of another tenant, and nothing of the first one is
// seen, told apart from what is not there, or changed.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "control/api/routes.h"
#include "control/directory/connection.h"
#include "tests/control/api/rig.h"

namespace postern::api {
namespace {

/// Texts that a request never has and an answer must not have; what requests do name begins with "zebra".
constexpr std::string_view secret = "Marker";

std::string id_of(const response& made) {
    EXPECT_LT(made.status, 300U) << made.body;
    const auto body = body_of(made);
    const auto* const id = body.if_contains("id");
    if (id == nullptr) {
        return "0";
    }
    return id->is_string() ? std::string(id->get_string()) : std::to_string(id->to_number<std::int64_t>());
}

rig::fields bearer(const std::string& token) {
    return {{"authorization", "Bearer " + token}};
}

/// An organisation with one of each thing, made by the operator.
struct tenant {
    tenant(rig& api, const std::string& name, const std::string& marker, const std::string& parent = "null") {
        const rig::fields why{{"postern-reason", marker + "-reason"}};
        organisation =
            id_of(api.post("/v1/organisations", R"({"name": ")" + marker + R"(-org", "parent": )" + parent + "}", why));
        domain = id_of(api.post("/v1/domains",
                                R"({"name": ")" + name + R"(.example", "organisation": )" + organisation + "}", why));
        domain_name = name + ".example";
        server = id_of(api.post("/v1/inbound-servers", R"({"name": ")" + marker + R"(-server", "organisation": )" +
                                                           organisation + R"(, "hosts": [{"host": "127.0.0.1"}]})"));
        EXPECT_EQ(api.ask(method::patch, "/v1/domains/" + domain, R"({"inbound_server": )" + server + "}").status,
                  200U);
        group = id_of(api.post("/v1/groups", R"({"name": ")" + marker + R"(-group", "domain": ")" + domain + R"("})"));
        domain_alias = id_of(
            api.post("/v1/domain-aliases", R"({"name": ")" + name + R"(-too.example", "domain": )" + domain + "}"));
        const std::string box = R"({"first_name": ")" + marker + R"(", "group": ")" + marker +
                                R"(-group", "address": ")" + name + "-user@" + domain_name + R"("})";
        mailbox = id_of(api.post("/v1/mailboxes", box, why));
        alias = id_of(api.post(
            "/v1/aliases", R"({"address": ")" + name + "-alias@" + domain_name + R"(", "mailbox": )" + mailbox + "}"));
        admin = token(api, marker + "-admin", R"("organisation": )" + organisation);
        token_id = last_token;
        of_domain = token(api, marker + "-domain", R"("domains": [")" + domain_name + R"("])");
        of_group = token(api, marker + "-grouped", R"("group": )" + group);
        claim = id_of(api.post("/v1/domain-claims",
                               R"({"name": ")" + name + R"(-claimed.example", "organisation": )" + organisation + "}",
                               why));
        import = id_of(api.post("/v1/imports?domain=" + domain_name + "&file_name=" + marker + "-file",
                                "email,first_name\n" + name + "-import@" + domain_name + "," + marker + "\n",
                                {{"content-type", "text/csv"}}));
        source = id_of(api.post("/v1/sources",
                                R"({"name": "test:)" + name + R"(", "organisation": )" + organisation +
                                    R"(, "settings": {"base": ")" + marker + R"("}})",
                                why));
        sync = id_of(api.post("/v1/sources/" + source + "/sync", "{}", why));
        api.syncs().wait_idle();
    }

    std::string token(rig& api, const std::string& name, const std::string& scope) {
        const response made = api.post("/v1/tokens", R"({"name": ")" + name + R"(", "role": "admin", )" + scope + "}");
        EXPECT_EQ(made.status, 201U) << made.body;
        last_token = id_of(made);
        return std::string(body_of(made).at("secret").as_string());
    }

    std::string organisation, domain, domain_name, server, group, domain_alias, mailbox, alias, claim, import, source,
        sync;
    std::string admin, of_domain, of_group, token_id, last_token;
};

/// Every row of every table but what goes on by itself.
std::string whole_store(directory::store& store) {
    const auto in = store.read();
    std::vector<std::string> tables;
    {
        auto rows = in->on().query(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE "
            "'address_search%' AND name NOT LIKE 'generation%' AND name <> 'change' AND name <> 'idempotency'");
        while (rows.step()) {
            tables.emplace_back(rows.text(0));
        }
    }
    std::string out;
    for (const std::string& table : tables) {
        std::string columns;
        auto named = in->on().query(
            "SELECT group_concat('quote(' || name || ')', '||'',''||') FROM pragma_table_info(?)", table);
        EXPECT_TRUE(named.step());
        columns = named.text(0);
        out += table + ":\n";
        auto rows = in->on().query("SELECT " + columns + " FROM " + table);
        while (rows.step()) {
            out += std::string(rows.text(0)) + "\n";
        }
    }
    return out;
}

using alternatives = std::vector<std::pair<std::string, std::string>>;  // what is the tenant's, what is nobody's

/// By the name of the path's parameter. A new parameter has to be taught here, with a thing of the tenant's.
std::map<std::string, alternatives> arguments_of(const tenant& of) {
    const std::string user = "zebra-user@" + of.domain_name;
    const std::string alias = "zebra-alias@" + of.domain_name;
    return {
        {"organisation", {{of.organisation, "4000000"}}},
        {"domain", {{of.domain, "4000000"}, {of.domain_name, "nowhere.example"}}},
        {"domain_alias", {{of.domain_alias, "4000000"}, {"zebra-too.example", "nowhere.example"}}},
        {"mailbox", {{of.mailbox, "4000000"}, {user, "nobody@nowhere.example"}, {alias, "nobody@nowhere.example"}}},
        {"alias", {{of.alias, "4000000"}, {alias, "nobody@nowhere.example"}}},
        {"group", {{of.group, "4000000"}}},
        {"inbound_server", {{of.server, "4000000"}}},
        {"import", {{of.import, "0123456789abcdef"}}},
        {"token", {{of.token_id, "4000000"}}},
        {"domain_claim", {{of.claim, "4000000"}}},
        {"source", {{of.source, "4000000"}, {"test:zebra", "test:nobody"}}},
        {"sync", {{of.sync, "4000000"}}},
    };
}

/// A body that names the tenant's things, for each route that takes one.
std::map<std::string, std::string> bodies_of(const tenant& of) {
    const std::string user = "zebra-user@" + of.domain_name;
    const std::string fresh = "zebra-new@" + of.domain_name;
    return {
        {"POST /v1/organisations", R"({"name": "x", "parent": )" + of.organisation + "}"},
        {"PATCH /v1/organisations/{organisation}", R"({"name": "zebra-x"})"},
        {"POST /v1/domains", R"({"name": "x.example", "organisation": )" + of.organisation + "}"},
        {"PATCH /v1/domains/{domain}", R"({"mode": "observe", "on_hold": true})"},
        {"POST /v1/domains/{domain}/what-if", "a@" + of.domain_name + "\n"},
        {"PATCH /v1/domains/{domain}/discovery", R"({"clean_messages": 3})"},
        {"POST /v1/domains/{domain}/discovery/triage",
         R"({"items": [{"address": ")" + user + R"(", "action": "block"}]})"},
        {"POST /v1/domain-aliases", R"({"name": "x.example", "domain": )" + of.domain + "}"},
        {"POST /v1/mailboxes", R"({"address": ")" + fresh + R"("})"},
        {"POST /v1/mailboxes/bulk", R"({"items": [{"address": ")" + fresh + R"("}]})"},
        {"POST /v1/mailboxes/paste", fresh},
        {"POST /v1/mailboxes/{mailbox}/reassign", R"({"mailboxes": [")" + user + R"("]})"},
        {"POST /v1/holds", R"({"address": ")" + user + R"(", "hold": "blocked"})"},
        {"POST /v1/domain-claims", R"({"name": "x.example", "organisation": )" + of.organisation + "}"},
        {"PATCH /v1/domain-aliases/{domain_alias}", R"({"domain": )" + of.domain + "}"},
        {"PATCH /v1/mailboxes/{mailbox}", R"({"hold": "blocked"})"},
        {"POST /v1/aliases", R"({"address": ")" + fresh + R"(", "mailbox": )" + of.mailbox + "}"},
        {"POST /v1/aliases/bulk", R"({"items": [{"address": ")" + fresh + R"(", "mailbox": ")" + user + R"("}]})"},
        {"PATCH /v1/aliases/{alias}", R"({"hold": "blocked"})"},
        {"POST /v1/groups", R"({"name": "x", "organisation": )" + of.organisation + "}"},
        {"PATCH /v1/groups/{group}", R"({"name": "x"})"},
        {"POST /v1/inbound-servers",
         R"({"name": "x", "hosts": [{"host": "127.0.0.1"}], "organisation": )" + of.organisation + "}"},
        {"PATCH /v1/inbound-servers/{inbound_server}", R"({"name": "x"})"},
        {"POST /v1/inbound-servers/{inbound_server}/confirm", R"({"unprobed": true})"},
        {"POST /v1/imports", "email\n" + fresh + "\n"},
        {"POST /v1/sources", R"({"name": "test:x", "organisation": )" + of.organisation + "}"},
        {"POST /v1/sources/test", R"({"name": "test:x", "settings": {}, "organisation": )" + of.organisation + "}"},
        {"PATCH /v1/sources/{source}", R"({"enabled": false})"},
        {"POST /v1/sources/{source}/sync", "{}"},
        {"POST /v1/sources/{source}/push/whole", "{\"address\": \"" + fresh + "\"}\n{\"end\": 1}\n"},
        {"POST /v1/sources/{source}/push/changes", "{\"address\": \"" + fresh + "\"}\n{\"end\": 1}\n"},
        {"POST /v1/restore", R"({"organisation": )" + of.organisation + R"(, "at": "2026-01-01T00:00:00Z"})"},
        {"POST /v1/tokens", R"({"name": "x", "role": "reader", "organisation": )" + of.organisation + "}"},
    };
}

/// Queries to try on every list and question; those that a route does not know are a 400.
std::vector<std::string> queries_of(const tenant& of) {
    const std::string user = "zebra-user@" + of.domain_name;
    return {"",
            "?domain=" + of.domain_name,
            "?domain=" + of.domain,
            "?organisation=" + of.organisation,
            "?q=zebra",
            "?q=arker",
            "?q=zebra-user@zebra&count=true",
            "?count=true",
            "?address=" + user,
            "?address=" + user + "&at=2100-01-01T00:00:00Z",
            "?mailbox=" + user,
            "?mailbox=" + of.mailbox,
            "?subject=domain:" + of.domain_name,
            "?subject=organisation:" + of.organisation,
            "?source=manual",
            "?source=test:zebra",
            "?source=test:zebra&at=2100-01-01T00:00:00Z",
            "?organisation=" + of.organisation + "&at=2100-01-01T00:00:00Z",
            "?parent=" + of.organisation,
            "?apply=true",
            "?apply=true&domain=" + of.domain_name,
            "?by=domain",
            "?by=domain&organisation=" + of.organisation,
            "?revoked=true",
            "?inbound_server=" + of.server,
            "?limit=1000"};
}

/// Ids only where they are whole numbers.
std::string replaced(std::string text, const std::string& what, const std::string& with) {
    const auto digit = [&](std::size_t at) { return at < text.size() && std::isdigit(text[at]) != 0; };
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
        const bool part = std::isdigit(what[0]) != 0 && ((at != 0 && digit(at - 1)) || digit(at + what.size()));
        if (!part) {
            text.replace(at, what.size(), with);
            at += with.size() - 1;
        }
    }
    return text;
}

/// One token against everything of the tenant's.
void walk(rig& api, const tenant& zebra, const std::string& token, const char* whose) {
    const auto arguments = arguments_of(zebra);
    const auto bodies = bodies_of(zebra);
    const std::string before = whole_store(api.store());
    for (const route& each : routes()) {
        const std::string name = std::string(to_string(each.verb)) + " " + std::string(each.path);
        SCOPED_TRACE(name + " by " + whose);
        if (each.narrowest == directory::reach::everything) {
            std::string path(each.path);
            if (const std::size_t open = path.find('{'); open != std::string::npos) {
                path.replace(open, path.find('}') - open + 1, "1");
            }
            EXPECT_EQ(api.ask(each.verb, path, {}, bearer(token)).status, 403U);
            continue;
        }
        std::string body;
        if (each.body != body_kind::none) {
            ASSERT_TRUE(bodies.contains(name)) << "teach this test a body for it that names the tenant's things";
            body = bodies.at(name);
        }
        const bool upload = each.body == body_kind::upload;
        rig::fields fields = bearer(token);
        if (upload) {
            const bool pushed = each.path.find("/push/") != std::string_view::npos;
            fields.emplace_back("content-type", pushed ? "application/x-ndjson" : "text/csv");
        } else if (each.path == "/v1/mailboxes/paste") {
            fields.emplace_back("content-type", "text/plain");
        }
        const std::size_t open = each.path.find('{');
        if (open == std::string::npos) {
            for (const std::string& query : queries_of(zebra)) {
                if (upload && (query.empty() || query == "?apply=true")) {
                    continue;  // into one's own list: below
                }
                const response said = api.ask(each.verb, std::string(each.path) + query, body, fields);
                EXPECT_EQ(said.body.find(secret), std::string::npos) << query << ": " << said.body;
                if (query.find("zebra") == std::string::npos && body.find("zebra") == std::string::npos &&
                    each.path != "/v1/openapi.yaml") {
                    EXPECT_EQ(said.body.find("zebra"), std::string::npos) << query << ": " << said.body;
                }
                if (each.path == "/v1/mailboxes/paste" && said.status == 200) {
                    EXPECT_EQ(body_of(said).at("new").as_int64(), 0) << said.body;
                    continue;
                }
                if (each.verb != method::get) {
                    EXPECT_GE(said.status, 400U) << query << ": " << said.body;
                }
                if (query.find("count=true") != std::string::npos && each.verb == method::get &&
                    each.path == "/v1/mailboxes") {
                    EXPECT_EQ(field_of(said, "Postern-Total"), query.size() > 11 ? "0" : "1");
                }
            }
            continue;
        }
        const std::string parameter(each.path.substr(open + 1, each.path.find('}') - open - 1));
        ASSERT_TRUE(arguments.contains(parameter)) << "teach this test the parameter";
        for (const auto& [theirs, nobodys] : arguments.at(parameter)) {
            const auto ask = [&](const std::string& argument) {
                std::string path(each.path);
                path.replace(open, path.find('}') - open + 1, replaced(argument, "@", "%40"));
                path += path.ends_with("/push/changes") ? "?base=1" : "";
                return api.ask(each.verb, path, body, fields);
            };
            const response said = ask(theirs);
            const response absent = ask(nobodys);
            EXPECT_TRUE(said.status == 404 || said.status == 403) << theirs << ": " << said.status << " " << said.body;
            EXPECT_EQ(said.status, absent.status) << theirs;
            const auto domain_of = [](const std::string& text) { return text.substr(text.find('@') + 1); };
            EXPECT_EQ(replaced(replaced(said.body, theirs, nobodys), domain_of(theirs), domain_of(nobodys)),
                      absent.body)
                << "it can be told apart from what is not there";
            EXPECT_EQ(said.body.find(secret), std::string::npos) << said.body;
        }
    }
    EXPECT_EQ(before, whole_store(api.store()));
}

TEST(api_scopes, a_tenants_tokens_neither_see_nor_change_what_is_anothers) {
    rig api;
    const tenant zebra(api, "zebra", "Marker");
    const tenant lion(api, "lion", "lion");
    walk(api, zebra, lion.admin, "the organisation's administrator");
    walk(api, zebra, lion.of_domain, "the domain's administrator");
    walk(api, zebra, lion.of_group, "the group's administrator");
}

TEST(api_scopes, a_reseller_sees_its_customers_and_no_others) {
    rig api;
    const std::string first = id_of(api.post("/v1/organisations", R"({"name": "Reseller", "reseller": true})"));
    const std::string second = id_of(api.post("/v1/organisations", R"({"name": "Rival", "reseller": true})"));
    const tenant zebra(api, "zebra", "Marker", second);
    const tenant lion(api, "lion", "lion", first);
    const response made =
        api.post("/v1/tokens", R"({"name": "reseller", "role": "admin", "organisation": )" + first + "}");
    ASSERT_EQ(made.status, 201U) << made.body;
    const std::string token(body_of(made).at("secret").as_string());
    EXPECT_EQ(body_of(api.get("/v1/organisations", bearer(token))).at("items").as_array().size(), 2U);
    EXPECT_EQ(api.get("/v1/mailboxes/lion-user%40lion.example", bearer(token)).status, 200U);
    EXPECT_EQ(api.get("/v1/domains/lion.example", bearer(token)).status, 200U);
    EXPECT_EQ(api.ask(method::patch, "/v1/mailboxes/" + lion.mailbox, R"({"last_name": "Leo"})", bearer(token)).status,
              200U);
    walk(api, zebra, token, "another reseller's administrator");
    // A customer of its own, with a name that another reseller's customer has.
    const response customer = api.post("/v1/organisations", R"({"name": "Marker-org"})", bearer(token));
    EXPECT_EQ(customer.status, 201U) << customer.body;
    EXPECT_EQ(std::to_string(body_of(customer).at("parent").as_int64()), first);
    const response token_for_it = api.post(
        "/v1/tokens", R"({"name": "c", "role": "admin", "organisation": )" + id_of(customer) + "}", bearer(token));
    EXPECT_EQ(token_for_it.status, 201U) << token_for_it.body;
    EXPECT_EQ(api.ask(method::del, "/v1/organisations/" + first, {}, bearer(token)).status, 403U);
    EXPECT_EQ(api.ask(method::del, "/v1/organisations/" + id_of(customer), {}, bearer(token)).status, 204U);
    EXPECT_EQ(api.get("/v1/status", bearer(std::string(body_of(token_for_it).at("secret").as_string()))).status, 401U)
        << "its token went with it";
}

TEST(api_scopes, each_works_on_its_own) {
    rig api;
    const tenant lion(api, "lion", "lion");
    // The organisation's.
    EXPECT_EQ(api.post("/v1/mailboxes", R"({"address": "a@lion.example"})", bearer(lion.admin)).status, 201U);
    EXPECT_EQ(api.ask(method::patch, "/v1/domains/lion.example", R"({"mode": "defer"})", bearer(lion.admin)).status,
              200U);
    const response group = api.post("/v1/groups", R"({"name": "own"})", bearer(lion.admin));
    EXPECT_EQ(std::to_string(body_of(group).at("organisation").as_int64()), lion.organisation) << group.body;
    EXPECT_EQ(api.post("/v1/domains", R"({"name": "new.example"})", bearer(lion.admin)).status, 403U)
        << "nobody has proven that it is theirs";
    const response history = api.get("/v1/history?domain=lion.example", bearer(lion.admin));
    EXPECT_NE(history.body.find("token:" + lion.organisation + "/lion-admin"), std::string::npos) << history.body;
    // The domain's.
    EXPECT_EQ(api.post("/v1/mailboxes", R"({"address": "b@lion.example"})", bearer(lion.of_domain)).status, 201U);
    EXPECT_EQ(
        api.ask(method::patch, "/v1/domains/lion.example", R"({"mode": "observe"})", bearer(lion.of_domain)).status,
        200U);
    EXPECT_EQ(api.ask(method::del, "/v1/domains/lion.example", {}, bearer(lion.of_domain)).status, 403U);
    EXPECT_EQ(api.get("/v1/explain?address=nobody@lion.example", bearer(lion.of_domain)).status, 200U);
    // The group's: what it adds is of the group, and the others of the domain are not there.
    const response added = api.post("/v1/mailboxes", R"({"address": "c@lion.example"})", bearer(lion.of_group));
    EXPECT_EQ(added.status, 201U) << added.body;
    EXPECT_EQ(body_of(added).at("group").as_string(), "lion-group");
    EXPECT_EQ(api.get("/v1/mailboxes/a%40lion.example", bearer(lion.of_group)).status, 404U);
    EXPECT_EQ(api.get("/v1/explain?address=a@lion.example", bearer(lion.of_group)).status, 404U);
    EXPECT_EQ(body_of(api.get("/v1/mailboxes", bearer(lion.of_group))).at("items").as_array().size(), 2U);
    EXPECT_EQ(
        api.post("/v1/mailboxes", R"({"address": "a@lion.example", "hold": "blocked"})", bearer(lion.of_group)).status,
        409U);
    EXPECT_EQ(api.post("/v1/mailboxes", R"({"address": "spam@lion.example", "hold": "blocked"})", bearer(lion.of_group))
                  .status,
              201U);
    EXPECT_EQ(
        api.ask(method::patch, "/v1/mailboxes/" + lion.mailbox, R"({"group": null})", bearer(lion.of_group)).status,
        422U)
        << "a mailbox does not leave by its group's own administrator";
    EXPECT_EQ(api.get("/v1/history", bearer(lion.of_group)).body.find("a@lion.example"), std::string::npos);
    EXPECT_NE(api.get("/v1/history", bearer(lion.of_group)).body.find("c@lion.example"), std::string::npos);
    EXPECT_EQ(body_of(api.get("/v1/status", bearer(lion.of_group))).at("counts").at("mailboxes").as_int64(), 2);
}

TEST(api_scopes, an_organisation_keeps_its_own_sources_and_names_them_as_it_likes) {
    rig api;
    const tenant lion(api, "lion", "lion");
    const tenant zebra(api, "zebra", "Marker");
    api.directory_has.clear();
    for (const char* const address : {"ada@lion.example", "bob@zebra.example"}) {
        sources::directory_entry entry;
        entry.identity = address;
        entry.name = address;
        entry.address = address;
        api.directory_has.push_back(entry);
    }
    // The name that the other has already.
    const response made = api.post("/v1/sources", R"({"name": "test:zebra"})", bearer(lion.admin));
    ASSERT_EQ(made.status, 201U) << made.body;
    EXPECT_EQ(std::to_string(body_of(made).at("organisation").as_int64()), lion.organisation);
    EXPECT_EQ(api.post("/v1/sources", R"({"name": "test:zebra"})", bearer(lion.admin)).status, 409U);
    const response queued = api.post("/v1/sources/test%3Azebra/sync", "{}", bearer(lion.admin));
    ASSERT_EQ(queued.status, 202U) << queued.body;
    api.syncs().wait_idle();
    const auto run = body_of(api.get(field_of(queued, "Location"), bearer(lion.admin)));
    EXPECT_EQ(run.at("state").as_string(), "succeeded");
    EXPECT_EQ(api.get("/v1/mailboxes/ada%40lion.example", bearer(lion.admin)).status, 200U);
    EXPECT_EQ(api.get("/v1/mailboxes/bob%40zebra.example").status, 404U) << "not its domain";
    // By name each finds its own; the operator is asked which.
    EXPECT_EQ(id_of(api.get("/v1/sources/test%3Azebra", bearer(lion.admin))), id_of(made));
    EXPECT_EQ(id_of(api.get("/v1/sources/test%3Azebra", bearer(zebra.admin))), zebra.source);
    EXPECT_EQ(api.get("/v1/sources/test%3Azebra").status, 422U);
    const auto listed = [&](const std::string& query, const std::string& token) {
        return body_of(api.get("/v1/mailboxes?source=test:zebra" + query, bearer(token))).at("items").as_array().size();
    };
    EXPECT_EQ(listed("", lion.admin), 1U);
    EXPECT_EQ(listed("", lion.of_domain), 1U);
    EXPECT_EQ(listed("", zebra.admin), 0U);
    EXPECT_EQ(listed("&organisation=" + lion.organisation, api.admin), 1U);
    EXPECT_EQ(api.get("/v1/mailboxes?source=test:zebra").status, 422U);
    // Both have their own in lists, and what was it a minute ago comes back for the one alone.
    EXPECT_EQ(body_of(api.get("/v1/sources", bearer(lion.admin))).at("items").as_array().size(), 2U);
    EXPECT_EQ(body_of(api.get("/v1/syncs", bearer(zebra.admin))).at("items").as_array().size(), 1U);
    const std::string past = R"(, "at": "2026-01-01T00:00:00Z"})";
    EXPECT_EQ(api.post("/v1/restore", R"({"source": "manual")" + past, bearer(lion.admin)).status, 422U);
    const response back =
        api.post("/v1/restore", R"({"organisation": )" + lion.organisation + past, bearer(lion.admin));
    ASSERT_EQ(back.status, 200U) << back.body;
    EXPECT_EQ(back.body.find("zebra.example"), std::string::npos) << back.body;
    EXPECT_EQ(api.get("/v1/mailboxes/ada%40lion.example").status, 404U);
    EXPECT_EQ(api.get("/v1/mailboxes/zebra-user%40zebra.example").status, 200U);
}

TEST(api_scopes, a_token_makes_only_tokens_for_as_much_or_less) {
    rig api;
    const tenant lion(api, "lion", "lion");
    const auto make = [&](const std::string& token, const std::string& name, const std::string& scope) {
        return api.post("/v1/tokens", R"({"name": ")" + name + R"(", "role": "admin")" + scope + "}", bearer(token))
            .status;
    };
    EXPECT_EQ(make(lion.admin, "same", ""), 201U);
    EXPECT_EQ(make(lion.admin, "domain", R"(, "domains": ["lion.example"])"), 201U);
    EXPECT_EQ(make(lion.of_domain, "domain2", ""), 201U);
    EXPECT_EQ(make(lion.of_domain, "organisation", R"(, "organisation": )" + lion.organisation), 422U);
    EXPECT_EQ(make(lion.of_domain, "group", R"(, "group": )" + lion.group), 201U);
    EXPECT_EQ(make(lion.of_group, "group2", ""), 201U);
    EXPECT_EQ(make(lion.of_group, "domain3", R"(, "domains": ["lion.example"])"), 422U);
    EXPECT_EQ(body_of(api.get("/v1/tokens", bearer(lion.of_group))).at("items").as_array().size(), 3U);
    EXPECT_EQ(body_of(api.get("/v1/tokens", bearer(lion.admin))).at("items").as_array().size(), 8U);
    EXPECT_EQ(api.ask(method::del, "/v1/tokens/" + lion.token_id, {}, bearer(lion.of_domain)).status, 404U);
}

TEST(api_scopes, an_import_tells_foreign_domains_like_unknown_ones) {
    rig api;
    const tenant zebra(api, "zebra", "Marker");
    const tenant lion(api, "lion", "lion");
    rig::fields fields = bearer(lion.admin);
    fields.emplace_back("content-type", "text/csv");
    const response taken = api.post("/v1/imports?apply=true",
                                    "email\nzebra-user@zebra.example\nx@nowhere.example\nnew@lion.example\n", fields);
    ASSERT_EQ(taken.status, 202U) << taken.body;
    const std::string path = "/v1/imports/" + id_of(taken);
    for (int looks = 0; looks < 500 && body_of(api.get(path)).at("state").as_string() != "applied"; ++looks) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    const auto errors = body_of(api.get(path + "/errors", bearer(lion.admin))).at("items").as_array();
    ASSERT_EQ(errors.size(), 2U);
    EXPECT_EQ(replaced(std::string(errors[0].at("reason").as_string()), "zebra.example", "nowhere.example"),
              std::string(errors[1].at("reason").as_string()));
    EXPECT_EQ(api.get("/v1/mailboxes/new%40lion.example", bearer(lion.admin)).status, 200U);
    EXPECT_EQ(api.post("/v1/imports?source=csv:Marker-org/zebra.example", "email\n", fields).status, 422U);
}

}  // namespace
}  // namespace postern::api
