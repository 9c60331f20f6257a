#include "control/api/query.h"

#include <gtest/gtest.h>

namespace postern::api {
namespace {

query parsed(std::string_view raw) {
    auto out = query::parse(raw);
    EXPECT_TRUE(out) << raw;
    return out ? std::move(*out) : query();
}

/// The pointers that the query's problem names, "" if it is good.
std::string faults(query& of) {
    const auto good = of.finish();
    std::string out;
    if (!good) {
        EXPECT_EQ(good.error().status, 400U);
        for (const field_error& each : good.error().errors) {
            out += each.pointer + " ";
        }
    }
    return out;
}

TEST(query, values_are_decoded) {
    query of = parsed("q=a%40b+c&mode=defer&empty=");
    EXPECT_EQ(of.text("q"), "a@b c");
    EXPECT_EQ(of.word("mode", {"observe", "defer"}), "defer");
    EXPECT_EQ(of.text("empty"), "");
    EXPECT_FALSE(of.text("absent"));
    EXPECT_EQ(faults(of), "");
}

TEST(query, a_parameter_that_nobody_asked_for_is_an_error) {
    query of = parsed("domian=example.com");
    EXPECT_EQ(faults(of), "?domian ");
}

TEST(query, what_cannot_be_read_is_refused) {
    for (const char* raw : {"a=%", "a=%zz", "a=%00", "a=1&a=2", "a=%ff"}) {
        EXPECT_FALSE(query::parse(raw)) << raw;
    }
}

TEST(query, its_size_and_its_parameters_are_bounded) {
    EXPECT_FALSE(query::parse("a=" + std::string(max_query_octets, 'x')));
    std::string many;
    for (std::size_t each = 0; each <= max_query_parameters; ++each) {
        many += "p" + std::to_string(each) + "=1&";
    }
    EXPECT_FALSE(query::parse(many));
}

TEST(query, numbers_are_whole_and_within_bounds) {
    for (const char* value : {"0", "1001", "-1", "1x", "", " 1", "1.0", "99999999999999999999"}) {
        query of = parsed("limit=" + std::string(value));
        of.paging({"id"});
        EXPECT_EQ(faults(of), "?limit ") << value;
    }
    query of = parsed("limit=1000");
    EXPECT_EQ(of.paging({"id"}).limit, 1000U);
}

TEST(query, flags_are_true_or_false) {
    query of = parsed("a=true&b=false&c=1");
    EXPECT_EQ(of.flag("a"), true);
    EXPECT_EQ(of.flag("b"), false);
    EXPECT_FALSE(of.flag("c"));
    EXPECT_EQ(faults(of), "?c ");
}

TEST(query, a_cursor_leads_on_from_its_position) {
    query of = parsed("cursor=" + make_cursor("id", "42"));
    EXPECT_EQ(of.paging({"id"}).after, "42");
    EXPECT_EQ(faults(of), "");
}

TEST(query, a_cursor_of_another_order_is_refused) {
    query of = parsed("cursor=" + make_cursor("name", "x"));
    of.paging({"id"});
    EXPECT_EQ(faults(of), "?cursor ");
}

TEST(query, a_made_up_cursor_is_refused) {
    for (const char* cursor : {"x", "aWQ", "aWQA" /* "id" and nothing after it */, "%20"}) {
        query of = parsed("cursor=" + std::string(cursor));
        of.paging({"id"});
        EXPECT_EQ(faults(of), "?cursor ") << cursor;
    }
}

}  // namespace
}  // namespace postern::api
