#include "control/api/routes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "control/api/openapi.h"

namespace postern::api {
namespace {

struct operation {
    std::string role;
    std::string scope;
    bool has_body = false;
};

/// "GET /v1/domains" -> its facts, from the description's own layout: paths at two spaces, methods at four, x-role and
/// requestBody at six.
std::map<std::string, operation> described() {
    std::map<std::string, operation> out;
    std::istringstream lines{openapi_yaml()};
    std::string path;
    operation* current = nullptr;
    bool in_paths = false;
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty() && line.front() != ' ') {
            in_paths = line == "paths:";
            continue;
        }
        if (!in_paths) {
            continue;
        }
        if (line.starts_with("  /")) {
            path = line.substr(2, line.find_last_not_of(": ") - 1);
            current = nullptr;
        } else if (line.starts_with("    ") && line[4] != ' ') {
            std::string verb = line.substr(4, line.find(':') - 4);
            std::transform(verb.begin(), verb.end(), verb.begin(), [](unsigned char c) { return std::toupper(c); });
            current = verb == "PARAMETERS" ? nullptr : &out[verb.append(" ").append(path)];
        } else if (current != nullptr && line.starts_with("      x-role: ")) {
            current->role = line.substr(14);
        } else if (current != nullptr && line.starts_with("      x-scope: ")) {
            current->scope = line.substr(15);
        } else if (current != nullptr && line.starts_with("      requestBody:")) {
            current->has_body = true;
        }
    }
    return out;
}

TEST(routes, are_those_of_the_description_both_ways) {
    const auto wanted = described();
    ASSERT_GT(wanted.size(), 40U);
    std::set<std::string> served;
    for (const route& each : routes()) {
        const std::string name = std::string(to_string(each.verb)) + " " + std::string(each.path);
        EXPECT_TRUE(served.insert(name).second) << name << " is served twice";
        const auto found = wanted.find(name);
        ASSERT_NE(found, wanted.end()) << name << " is served and not described";
        EXPECT_EQ(found->second.role, each.least == role::nobody ? "none" : to_string(each.least)) << name;
        EXPECT_EQ(found->second.scope, to_string(each.narrowest)) << name;
        EXPECT_EQ(found->second.has_body, each.body != body_kind::none) << name;
    }
    for (const auto& [name, facts] : wanted) {
        EXPECT_TRUE(served.contains(name)) << name << " is described and not served";
    }
}

TEST(routes, the_description_within_the_program_is_the_file) {
    std::ifstream file(POSTERN_SOURCE_DIR "/control/api/openapi.yaml");
    std::stringstream whole;
    whole << file.rdbuf();
    EXPECT_EQ(whole.str(), openapi_yaml());
}

TEST(routes, parameters_are_taken_from_the_path) {
    const auto found = match(method::get, "/v1/mailboxes/alice%40example.com");
    ASSERT_NE(found.found, nullptr);
    EXPECT_EQ(found.found->path, "/v1/mailboxes/{mailbox}");
    ASSERT_EQ(found.arguments.size(), 1U);
    EXPECT_EQ(found.arguments[0], "alice@example.com");
}

TEST(routes, a_literal_part_wins_over_a_parameter) {
    EXPECT_EQ(match(method::get, "/v1/imports/sample").found->path, "/v1/imports/sample");
    EXPECT_EQ(match(method::post, "/v1/mailboxes/bulk").found->path, "/v1/mailboxes/bulk");
}

TEST(routes, a_method_that_the_path_does_not_know_says_which_it_knows) {
    const auto found = match(method::put, "/v1/domains/example.com");
    EXPECT_EQ(found.found, nullptr);
    EXPECT_EQ(found.allowed, (std::vector<method>{method::get, method::patch, method::del}));
}

TEST(routes, nothing_else_is_a_path) {
    for (const char* path : {"", "v1/domains", "/v1", "/v1/domains/", "/v1//domains", "//", "/v1/domains/a/b",
                             "/v1/domains/%", "/v1/domains/%00", "/v1/domains/%ff", "/v2/domains"}) {
        const auto found = match(method::get, path);
        EXPECT_EQ(found.found, nullptr) << path;
        EXPECT_TRUE(found.allowed.empty()) << path;
    }
}

}  // namespace
}  // namespace postern::api
