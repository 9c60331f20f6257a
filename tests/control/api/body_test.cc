#include "control/api/body.h"

#include <gtest/gtest.h>

namespace postern::api {
namespace {

request with_body(std::string body, std::string type = "application/json") {
    request out;
    out.body = std::move(body);
    out.fields = {{"content-type", std::move(type)}};
    return out;
}

unsigned status_of(const request& of) {
    const auto parsed = parse_json_object(of);
    return parsed ? 200U : parsed.error().status;
}

TEST(body, json_is_read) {
    EXPECT_EQ(status_of(with_body("{\"a\": 1}")), 200U);
    EXPECT_EQ(status_of(with_body(" {} ", "Application/JSON; charset=utf-8")), 200U);
}

TEST(body, what_is_no_object_is_refused) {
    for (const char* text : {"", "{", "[]", "1", "{}{}", "{\"a\":}", "{\"a\":\"\xff\"}", "nonsense"}) {
        EXPECT_EQ(status_of(with_body(text)), 400U) << text;
    }
}

TEST(body, another_type_is_refused) {
    EXPECT_EQ(status_of(with_body("{}", "text/plain")), 415U);
    EXPECT_EQ(status_of(with_body("{}", "")), 415U);
}

TEST(body, nesting_is_bounded) {
    EXPECT_EQ(status_of(with_body("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}")), 400U);
}

/// Reads `text` with every kind of getter and gives the pointers of what was wrong.
std::string wrong_in(const char* text) {
    const auto object = parse_json_object(with_body(text));
    EXPECT_TRUE(object) << text;
    std::vector<field_error> errors;
    members given(*object, "", errors);
    given.required_text("name", 10);
    given.number("port", 1, 65535);
    given.flag("on");
    given.word("mode", {"observe", "enforce"});
    given.texts("aliases", 2, 5);
    given.objects("items", 2);
    given.finish();
    std::string out;
    for (const field_error& each : errors) {
        out += each.pointer + " ";
    }
    return out;
}

TEST(body, each_wrong_member_is_pointed_at) {
    EXPECT_EQ(wrong_in(R"({"name": "x", "port": 25, "on": true, "mode": "enforce", "aliases": ["a"], "items": [{}]})"),
              "");
    EXPECT_EQ(wrong_in("{}"), "/name ");
    EXPECT_EQ(wrong_in(R"({"name": ""})"), "/name ");
    EXPECT_EQ(wrong_in(R"({"name": null})"), "/name ");
    EXPECT_EQ(wrong_in(R"({"name": "12345678901"})"), "/name ");
    EXPECT_EQ(wrong_in(R"({"name": "a\nb"})"), "/name ");
    EXPECT_EQ(wrong_in(R"({"name": "x", "port": 0})"), "/port ");
    EXPECT_EQ(wrong_in(R"({"name": "x", "port": 65536})"), "/port ");
    EXPECT_EQ(wrong_in(R"({"name": "x", "port": 2.5})"), "/port ");
    EXPECT_EQ(wrong_in(R"({"name": "x", "port": "25"})"), "/port ");
    EXPECT_EQ(wrong_in(R"({"name": "x", "on": 1})"), "/on ");
    EXPECT_EQ(wrong_in(R"({"name": "x", "mode": "no"})"), "/mode ");
    EXPECT_EQ(wrong_in(R"({"name": "x", "aliases": ["a", 1]})"), "/aliases/1 ");
    EXPECT_EQ(wrong_in(R"({"name": "x", "aliases": ["a", "b", "c"]})"), "/aliases ");
    EXPECT_EQ(wrong_in(R"({"name": "x", "items": [{}, 3]})"), "/items/1 ");
    EXPECT_EQ(wrong_in(R"({"port": 0, "on": 1})"), "/name /port /on ");
}

TEST(body, an_unknown_member_is_an_error) {
    EXPECT_EQ(wrong_in(R"({"name": "x", "a/b~c": 1})"), "/a~1b~0c ");
}

TEST(body, a_reference_is_a_number_or_a_text) {
    std::vector<field_error> errors;
    const auto object = parse_json_object(with_body(R"({"a": 7, "b": "x@y", "c": 0})"));
    ASSERT_TRUE(object);
    members given(*object, "", errors);
    EXPECT_EQ(given.id_or_name("a"), "7");
    EXPECT_EQ(given.id_or_name("b"), "x@y");
    EXPECT_TRUE(errors.empty());
    given.id_or_name("c");
    EXPECT_EQ(errors.size(), 1U);
}

}  // namespace
}  // namespace postern::api
