#include "control/sources/addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::sources {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using outcome = address_collector::outcome;

struct collected {
    outcome end = outcome::none;
    directory_entry entry;
    std::uint64_t unreadable = 0;
};
collected collect(std::initializer_list<std::string_view> values, const std::vector<std::string>& exclude = {}) {
    collected out;
    address_collector from;
    for (const std::string_view each : values) {
        from.take(each);
    }
    out.end = from.finish(exclude, out.entry);
    out.unreadable = from.unreadable();
    return out;
}

TEST(addresses, the_prefix_says_which_is_primary_and_what_is_none) {
    const collected one = collect({"old@example.com", "smtp:a@example.com", "SMTP:ada@example.com",
                                   "x400:C=US;A= ;P=Example", "sip:ada@example.com", "X500:/o=x"});
    EXPECT_EQ(one.end, outcome::entry);
    EXPECT_EQ(one.entry.address, "ada@example.com");
    EXPECT_THAT(one.entry.aliases, ElementsAre("old@example.com", "a@example.com"));
    EXPECT_EQ(one.unreadable, 0U);
}

TEST(addresses, without_a_primary_the_first_counts) {
    const collected one = collect({"ada@example.com", "smtp:a@example.com"});
    EXPECT_EQ(one.entry.address, "ada@example.com");
    EXPECT_THAT(one.entry.aliases, ElementsAre("a@example.com"));
}

TEST(addresses, the_same_in_other_case_is_the_same) {
    const collected one = collect({"Ada@Example.com", "SMTP:ada@example.com"});
    EXPECT_EQ(one.entry.address, "Ada@Example.com");
    EXPECT_THAT(one.entry.aliases, IsEmpty());
}

TEST(addresses, what_is_none_is_counted_and_the_others_count) {
    const collected one = collect({"ada", "smtp:no at sign", "SMTP:ada@example.com"});
    EXPECT_EQ(one.unreadable, 2U);
    EXPECT_EQ(one.entry.address, "ada@example.com");
    EXPECT_EQ(collect({"sip:ada@example.com"}).end, outcome::none);
}

TEST(addresses, patterns_leave_out_an_alias_or_the_whole_object) {
    EXPECT_EQ(collect({"svc-1@example.com", "smtp:a@example.com"}, {"svc-*"}).end, outcome::excluded);
    const collected one = collect({"ada@example.com", "smtp:ada@example.onmicrosoft.com"}, {"*.onmicrosoft.com"});
    EXPECT_EQ(one.end, outcome::entry);
    EXPECT_THAT(one.entry.aliases, IsEmpty());
}

}  // namespace
}  // namespace postern::sources
