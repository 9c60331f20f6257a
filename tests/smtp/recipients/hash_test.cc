// SipHash-1-3: the known answers, and every SIMD variant against the plain one.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "smtp/recipients/octets.h"
#include "smtp/recipients/siphash.h"

namespace postern::recipients {
namespace {

TEST(siphash, gives_the_known_answers) {
    // `openssl mac -macopt hexkey:000102…0f -macopt size:8 -macopt c-rounds:1 -macopt d-rounds:3 SIPHASH` of the octets
    // 0, 1, 2, …; its output is the number's octets, low first.
    const std::vector<std::pair<std::size_t, std::uint64_t>> answers = {
        {0, 0xABAC0158050FC4DCU},  {1, 0xC9F49BF37D57CA93U},  {7, 0xD3927D989BB11140U},  {8, 0x369095118D299A8EU},
        {9, 0x25A48EB36C063DE4U},  {15, 0xD320D86D2A519956U}, {16, 0xCC4FDD1A7D908B66U}, {17, 0x9CF2689063DBD80CU},
        {25, 0x45CD5928705B0979U}, {31, 0x2370DD1F8C21D1BCU}, {63, 0x9D199062B7BBB3A8U}};
    const hash_key key{0x0706050403020100U, 0x0F0E0D0C0B0A0908U};
    for (const auto& [size, answer] : answers) {
        std::string text(size, '\0');
        for (std::size_t i = 0; i < size; ++i) {
            text[i] = static_cast<char>(i);
        }
        EXPECT_EQ(siphash13(key, text), answer) << size << " octets";
    }
    // Python 3.11 with PYTHONHASHSEED=0 has the key 0: hash(b"alice@example.com").
    EXPECT_EQ(siphash13({}, "alice@example.com"), 0xA810B55682D9A68DU);
}

class hash_variants_test : public ::testing::TestWithParam<std::size_t> {};

TEST_P(hash_variants_test, agrees_with_the_plain_hash_for_every_mix_of_lengths) {
    if (GetParam() >= hash_variants().size()) {
        GTEST_SKIP() << "this CPU has no further variant";
    }
    const hash_variant variant = hash_variants()[GetParam()];
    std::mt19937_64 random(GetParam());
    for (int round = 0; round < 20000; ++round) {
        const hash_key key{random(), random()};
        const std::size_t used = 1 + random() % hash_lanes_count;
        const std::size_t longest = round % 100 == 0 ? max_hashed_text : 40;
        std::array<std::string, hash_lanes_count> texts;
        for (std::size_t lane = 0; lane < used; ++lane) {
            texts[lane].resize(random() % (longest + 1));
            for (char& c : texts[lane]) {
                c = static_cast<char>(random());
            }
        }
        std::array<std::string_view, hash_lanes_count> views;
        std::copy(texts.begin(), texts.end(), views.begin());
        std::array<std::uint64_t, hash_lanes_count> out{};
        variant.hash(key, views.data(), used, out.data());
        for (std::size_t lane = 0; lane < used; ++lane) {
            ASSERT_EQ(out[lane], siphash13(key, texts[lane])) << variant.name << ", lane " << lane << " of " << used;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(all, hash_variants_test, ::testing::Values(0, 1, 2));

TEST(hash_variants, begin_with_the_plain_one_and_serve_any_number_of_lanes) {
    ASSERT_FALSE(hash_variants().empty());
    EXPECT_STREQ(hash_variants().front().name, "plain");
    std::array<std::uint64_t, hash_lanes_count> out{};
    for (std::size_t used = 1; used <= hash_lanes_count; ++used) {
        std::array<std::string, hash_lanes_count> texts;
        std::array<std::string_view, hash_lanes_count> views;
        for (std::size_t lane = 0; lane < used; ++lane) {
            texts[lane] = "text " + std::to_string(lane);
            views[lane] = texts[lane];
        }
        hash_texts({1, 2}, views.data(), used, out.data());
        for (std::size_t lane = 0; lane < used; ++lane) {
            EXPECT_EQ(out[lane], siphash13({1, 2}, "text " + std::to_string(lane)));
        }
    }
}

TEST(hash_key, is_drawn_anew_each_time) {
    hash_key a;
    hash_key b;
    ASSERT_TRUE(draw_key(a));
    ASSERT_TRUE(draw_key(b));
    EXPECT_FALSE(a == b);
}

}  // namespace
}  // namespace postern::recipients
