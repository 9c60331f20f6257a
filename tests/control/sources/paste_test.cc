#include "control/sources/paste.h"

#include <gmock/gmock.h>

namespace postern::sources {
namespace {

using testing::ElementsAre;

std::string shown(const pasted& of) {
    std::string out = of.text;
    if (!of.first_name.empty() || !of.last_name.empty()) {
        out += " (" + of.first_name + "|" + of.last_name + ")";
    }
    return of.problem.empty() ? out : "!" + out;
}

std::vector<std::string> read(std::string_view text, bool local_parts = false) {
    std::vector<std::string> out;
    const auto got = read_paste(text, local_parts);
    EXPECT_TRUE(got) << got.error();
    for (const pasted& each : *got) {
        out.push_back(shown(each));
    }
    return out;
}

TEST(paste, every_separator_ends_an_address) {
    EXPECT_THAT(read("a@x.y\nb@x.y,c@x.y;d@x.y e@x.y\t f@x.y\r\n\n,;g@x.y"),
                ElementsAre("a@x.y", "b@x.y", "c@x.y", "d@x.y", "e@x.y", "f@x.y", "g@x.y"));
    EXPECT_THAT(read(""), ElementsAre());
    EXPECT_THAT(read(" ,;\n "), ElementsAre());
}

TEST(paste, names_before_angle_brackets_are_taken) {
    EXPECT_THAT(
        read("Alice Archer <alice@x.y>, \"Baker, Bob\" <bob@x.y>; Cher <c@x.y>\n<d@x.y> 'Eve Ann East' <e@x.y>"),
        ElementsAre("alice@x.y (Alice|Archer)", "bob@x.y (Bob|Baker)", "c@x.y (Cher|)", "d@x.y",
                    "e@x.y (Eve Ann|East)"));
}

TEST(paste, links_and_quoted_local_parts_are_addresses) {
    EXPECT_THAT(read("mailto:a@x.y MAILTO:b@x.y \"a b\"@x.y <mailto:c@x.y>"),
                ElementsAre("a@x.y", "b@x.y", "\"a b\"@x.y", "c@x.y"));
}

TEST(paste, a_word_alone_is_a_local_part_where_the_domain_is_known) {
    EXPECT_THAT(read("alice bob\ncarol", true), ElementsAre("alice", "bob", "carol"));
    EXPECT_THAT(read("alice bob\ncarol@x.y"), ElementsAre("!alice", "!bob", "carol@x.y"));
    EXPECT_THAT(read("Alice alice@x.y", true), ElementsAre("!Alice", "alice@x.y"))
        << "a name must not become a mailbox";
}

TEST(paste, what_is_no_address_is_told_with_its_place) {
    const auto got = read_paste("a@x.y\n  \"Alice\n b@x.y, <c@x.y\n<>", false);
    ASSERT_TRUE(got);
    ASSERT_EQ(got->size(), 5U);
    EXPECT_EQ(std::pair((*got)[1].line, (*got)[1].column), std::pair(2U, 3U));
    EXPECT_NE((*got)[1].problem.find("never closed"), std::string::npos);
    EXPECT_EQ((*got)[2].problem, "");
    EXPECT_EQ(std::pair((*got)[3].line, (*got)[3].column), std::pair(3U, 9U));
    EXPECT_NE((*got)[3].problem, "");
    EXPECT_NE((*got)[4].problem, "");
}

TEST(paste, bounds_are_kept) {
    EXPECT_FALSE(read_paste(std::string(longest_paste + 1, 'a'), false));
    std::string many;
    for (std::size_t i = 0; i <= most_pasted; ++i) {
        many += "a ";
    }
    EXPECT_FALSE(read_paste(many, true));
    const auto one = read_paste(std::string(5000, 'a') + "@x.y", false);
    ASSERT_TRUE(one);
    EXPECT_NE(one->at(0).problem, "");
    EXPECT_LE(one->at(0).text.size(), 200U);
}

}  // namespace
}  // namespace postern::sources
