#include "perf/recipients.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace postern::perf {
namespace {

using testing::HasSubstr;

address_list list_of(const std::string& text) {
    return address_list::parse(text, "list").value();
}

TEST(address_list, takes_one_address_a_line_and_skips_blanks_and_comments) {
    const auto list = list_of("# staff\nalice@example.com\r\n\nbob@example.com");
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0], "alice@example.com");
    EXPECT_EQ(list[1], "bob@example.com");
}

TEST(address_list, names_file_and_line_of_what_is_no_address) {
    for (const std::string bad : {"alice", "a b@example.com", "<a@example.com>", "a@example.com\x01"}) {
        const auto list = address_list::parse("x@example.com\n" + bad + "\n", "people.txt");
        ASSERT_FALSE(list) << bad;
        EXPECT_THAT(list.error(), HasSubstr("people.txt:2: "));
    }
    EXPECT_FALSE(address_list::parse(std::string(2000, 'a') + "@example.com", "people.txt"));
}

TEST(address_list, refuses_a_file_without_addresses) {
    EXPECT_THAT(address_list::parse("# nobody\n", "people.txt").error(), HasSubstr("people.txt: holds no address"));
    EXPECT_THAT(address_list::load("/nonexistent/people.txt").error(), HasSubstr("/nonexistent/people.txt"));
}

recipient_pool pool_of_all() {
    recipient_pool pool;
    pool.valid = list_of("v1@example.com\nv2@example.com\n");
    pool.only_a = list_of("a@example.com\n");
    pool.only_b = list_of("b@example.com\n");
    pool.stranger_domains = {"example.com", "example.org"};
    pool.valid_share = 0.3;
    pool.swap_share = 0.4;
    return pool;
}

TEST(recipient_pool, keeps_to_its_shares) {
    const recipient_pool pool = pool_of_all();
    ASSERT_TRUE(pool.check());
    random_source random(7);
    std::size_t drawn[4] = {};
    constexpr std::size_t all = 100'000;
    for (std::size_t i = 0; i < all; ++i) {
        ++drawn[static_cast<std::size_t>(pool.draw(random).standing)];
    }
    const auto share = [&](standing of) { return static_cast<double>(drawn[static_cast<std::size_t>(of)]) / all; };
    EXPECT_NEAR(share(standing::valid), 0.3, 0.01);
    EXPECT_NEAR(share(standing::only_a), 0.2, 0.01);
    EXPECT_NEAR(share(standing::only_b), 0.2, 0.01);
    EXPECT_NEAR(share(standing::stranger), 0.3, 0.01);
}

TEST(recipient_pool, draws_the_same_from_the_same_seed_and_not_from_another) {
    const recipient_pool pool = pool_of_all();
    const auto sequence = [&](std::uint64_t seed) {
        random_source random(seed);
        std::string all;
        for (int i = 0; i < 100; ++i) {
            pool.append(pool.draw(random), all);
        }
        return all;
    };
    EXPECT_EQ(sequence(1), sequence(1));
    EXPECT_NE(sequence(1), sequence(2));
}

TEST(recipient_pool, makes_up_strangers_in_its_domains_who_do_not_repeat) {
    recipient_pool pool;
    pool.stranger_domains = {"example.com"};
    random_source random(1);
    std::set<std::string> seen;
    for (int i = 0; i < 10'000; ++i) {
        const recipient who = pool.draw(random);
        ASSERT_EQ(who.standing, standing::stranger);
        EXPECT_TRUE(pool.text(who).ends_with("@example.com"));
        EXPECT_EQ(pool.text(who).size(), 12 + std::string_view("@example.com").size());
        EXPECT_TRUE(seen.insert(pool.text(who)).second);
    }
}

TEST(recipient_pool, says_which_option_is_missing) {
    recipient_pool pool;
    EXPECT_THAT(pool.check().error(), HasSubstr("--strangers"));
    pool.valid_share = 1;
    EXPECT_THAT(pool.check().error(), HasSubstr("--recipients"));
    pool.valid_share = 0;
    pool.swap_share = 1;
    EXPECT_THAT(pool.check().error(), HasSubstr("--only-a"));
    pool.valid_share = 0.5;
    EXPECT_THAT(pool.check().error(), HasSubstr("together at most 1"));
}

}  // namespace
}  // namespace postern::perf
