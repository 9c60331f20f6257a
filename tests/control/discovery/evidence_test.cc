#include "control/discovery/evidence.h"

#include <gtest/gtest.h>

namespace postern::discovery {
namespace {

TEST(evidence, is_for_the_address_or_for_the_base_of_a_tagged_one) {
    const recipients::domain_settings usual;
    const auto plain = subject_of("bob@example.com", usual);
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->local, "bob");
    EXPECT_FALSE(plain->tagged);
    const auto tagged = subject_of("bob+news@example.com", usual);
    ASSERT_TRUE(tagged);
    EXPECT_EQ(tagged->local, "bob");
    EXPECT_TRUE(tagged->tagged);
    recipients::domain_settings none = usual;
    none.subaddress_delimiter = '\0';
    EXPECT_EQ(subject_of("bob+news@example.com", none)->local, "bob+news");
}

TEST(evidence, is_never_for_what_always_passes_or_is_rewritten) {
    const recipients::domain_settings usual;
    for (const char* const address :
         {"postmaster@example.com", "abuse@example.com", "postmaster+x@example.com", "prvs=12ab=bob@example.com",
          "srs0=aa=bb=other.example=bob@example.com", "bounce+bob=other.example@example.com", "@example.com"}) {
        EXPECT_FALSE(subject_of(address, usual)) << address;
    }
    recipients::domain_settings not_always = usual;
    not_always.abuse_always = false;
    EXPECT_TRUE(subject_of("abuse@example.com", not_always));
}

TEST(message_times, keeps_the_last_ones_in_order_whatever_order_they_come_in) {
    message_times times;
    for (directory::timestamp at = 30; at > 0; --at) {
        times.add(at);
    }
    EXPECT_EQ(times.count(0), message_times::most_times);
    EXPECT_EQ(times.count(30), 1U);
    const message_times again(times.text());
    EXPECT_EQ(again.text(), times.text());
    EXPECT_EQ(message_times("").count(0), 0U);
    EXPECT_EQ(message_times("5 what").count(0), 1U);
}

}  // namespace
}  // namespace postern::discovery
