#include "perf/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

namespace postern::perf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// The curves of a document, as lists of {across, down} in pixels.
std::vector<std::vector<std::pair<double, double>>> curves(const std::string& document) {
    std::vector<std::vector<std::pair<double, double>>> out;
    const std::regex curve("<polyline[^>]* points=\"([^\"]*)\"");
    const std::regex point("([-0-9.]+),([-0-9.]+) ");
    for (std::sregex_iterator at(document.begin(), document.end(), curve), end; at != end; ++at) {
        const std::string points = (*at)[1];
        out.emplace_back();
        for (std::sregex_iterator one(points.begin(), points.end(), point); one != end; ++one) {
            out.back().emplace_back(std::stod((*one)[1]), std::stod((*one)[2]));
        }
    }
    return out;
}

TEST(plot, draws_a_line_from_edge_to_edge) {
    const auto drawn = curves(svg("x", {{"t", "s", "n", scale::even, {{"", {{1, 10}, {2, 20}, {3, 10}}}}, {}}}));
    ASSERT_EQ(drawn.size(), 1U);
    const auto& line = drawn.front();
    ASSERT_EQ(line.size(), 3U);
    EXPECT_LT(line[0].first, line[1].first);
    EXPECT_NEAR(line[1].first - line[0].first, line[2].first - line[1].first, 0.2);
    EXPECT_LT(line[1].second, line[0].second) << "more is higher, so fewer pixels down";
    EXPECT_EQ(line[0].second, line[2].second);
}

TEST(plot, gives_a_decade_the_same_height_everywhere) {
    const auto drawn = curves(svg("x", {{"t", "s", "n", scale::decades, {{"", {{0, 1}, {1, 10}, {2, 100}}}}, {}}}));
    ASSERT_EQ(drawn.size(), 1U);
    EXPECT_NEAR(drawn[0][0].second - drawn[0][1].second, drawn[0][1].second - drawn[0][2].second, 0.2);
}

TEST(plot, keeps_every_point_within_its_chart) {
    const std::vector<double> odd = {0, -5, 1e-12, 1e15, 3};
    for (const scale by : {scale::even, scale::decades}) {
        line all{"", {}};
        for (const double y : odd) {
            all.points.emplace_back(static_cast<double>(all.points.size()), y);
        }
        const auto drawn = curves(svg("x", {{"t", "s", "n", by, {all}, {}}}));
        ASSERT_EQ(drawn.at(0).size(), odd.size());
        for (const auto& [across, down] : drawn[0]) {
            EXPECT_GE(across, 0);
            EXPECT_LE(across, 840);
            EXPECT_GE(down, 40);
            EXPECT_LE(down, 340);
        }
    }
}

TEST(plot, of_one_point_or_of_a_flat_line_divides_by_nothing) {
    for (const scale by : {scale::even, scale::decades}) {
        for (const double y : {0.0, 7.0}) {
            const std::string drawn = svg("x", {{"t", "s", "n", by, {{"", {{5, y}}}}, {}}});
            EXPECT_THAT(drawn, Not(HasSubstr("nan")));
            EXPECT_THAT(drawn, Not(HasSubstr("inf")));
            EXPECT_EQ(curves(drawn).at(0).size(), 1U);
        }
    }
}

TEST(plot, of_nothing_says_so) {
    EXPECT_THAT(svg("x", {{"t", "s", "n", scale::even, {{"a", {}}, {"b", {}}}, {}}}),
                HasSubstr("nothing was measured"));
}

TEST(plot, escapes_what_people_write) {
    const std::string drawn = svg("<script>&\n", {{"a<b", "s", "n", scale::even, {{"p&q", {{1, 1}}}}, {{1, "\"<"}}}});
    EXPECT_THAT(drawn, HasSubstr("&lt;script&gt;&amp; "));
    EXPECT_THAT(drawn, HasSubstr("a&lt;b"));
    EXPECT_THAT(drawn, HasSubstr("p&amp;q"));
    EXPECT_THAT(drawn, Not(HasSubstr("<script")));
}

TEST(plot, puts_charts_below_each_other) {
    const chart one{"t", "s", "n", scale::even, {{"", {{0, 1}, {1, 1}}}}, {}};
    const auto drawn = curves(svg("x", {one, one}));
    ASSERT_EQ(drawn.size(), 2U);
    EXPECT_NEAR(drawn[1][0].second - drawn[0][0].second, 300, 0.1);
}

}  // namespace
}  // namespace postern::perf
