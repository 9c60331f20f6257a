// Whole tables: every size keeps every address with its payload, and strangers stay strangers.
#include <cmath>

#include "smtp/recipients/table_image.h"
#include "tests/smtp/recipients/table_fixture.h"

namespace postern::recipients::testing {
namespace {

class table_sizes : public ::testing::TestWithParam<std::size_t> {};

/// Asks in full batches; calls `check(index, verdict)`.
template <class Text, class Check>
void ask_all(const snapshot& in, std::size_t count, const Text& text, const Check& check) {
    lookup_batch batch;
    const auto drain = [&] {
        for (const auto& answer : batch.resolve()) {
            check(answer.cookie, answer.verdict);
        }
    };
    for (std::size_t i = 0; i < count; ++i) {
        normal_address asked;
        ASSERT_TRUE(parse_address(text(i), {}, asked));
        batch.add(in, asked, i);
        if (batch.full()) {
            drain();
        }
    }
    drain();
}

TEST_P(table_sizes, keeps_every_address_and_its_payload_and_refuses_strangers) {
    const auto list = many(GetParam());
    const auto in = snapshot_of(list, two_domains());
    EXPECT_EQ(in->base->facts().addresses, list.size());
    std::size_t wrong = 0;
    ask_all(
        *in, list.size(), [&](std::size_t i) { return list[i].text; },
        [&](std::size_t i, const verdict& v) {
            wrong += v.standing != standing::listed || v.kind != list[i].kind || v.grace != list[i].grace ||
                     v.internal_only != list[i].internal_only || v.domain->id != 1;
        });
    EXPECT_EQ(wrong, 0U);
    std::size_t accepted = 0;
    ask_all(
        *in, 10000 + list.size(), [](std::size_t i) { return "stranger" + std::to_string(i) + "@example.com"; },
        [&](std::size_t, const verdict& v) { accepted += v.standing != standing::unlisted; });
    EXPECT_EQ(accepted, 0U);
}

// With sanitizers the largest takes a quarter of a minute and shows nothing new.
#if defined(__SANITIZE_ADDRESS__) || defined(POSTERN_SANITIZED)
constexpr std::size_t largest = 300000;
#else
constexpr std::size_t largest = 1000000;
#endif

INSTANTIATE_TEST_SUITE_P(sizes, table_sizes,
                         ::testing::Values(0, 1, 2, 5, 9, 10, 11, 19, 20, 50, 100, 999, 1000, 10000, 81919, 81920,
                                           81921, largest));

// One domain of two thousand and more: addresses whose domains differ in the low 11 bits of their ids only must not
// answer for each other, and those whose bits are equal differ by name.
TEST(table, keeps_the_domains_of_its_addresses_apart) {
    domain_section domains;
    std::vector<entry> list;
    for (std::uint32_t i = 1; i <= 5000; ++i) {
        const std::string name = "d" + std::to_string(i) + ".example";
        domains.domains.push_back(make_domain(i, name));
        if (i % 2 == 0) {
            list.push_back({"alice@" + name, i});
        }
    }
    const auto in = snapshot_of(list, domains);
    for (std::uint32_t i = 1; i <= 5000; ++i) {
        const verdict v = ask(*in, "alice@d" + std::to_string(i) + ".example");
        ASSERT_EQ(v.standing, i % 2 == 0 ? standing::listed : standing::unlisted) << i;
        ASSERT_EQ(v.domain->id, i);
    }
}

// The measured share of slots that a stranger's 12 low bits match tells what all 34 would do: 9.4 keys in a line give
// 9.4 / 2^12 a lookup. 34 bits are then under 2^-30.
TEST(table, strangers_match_fingerprints_as_often_as_chance_has_it) {
    const temporary_folder folder;
    const auto list = many(100000);
    ASSERT_TRUE(build_base(folder / "base", 1, two_domains(), source_of(list)));
    const auto loaded = load(folder / "base");
    ASSERT_TRUE(loaded);
    const table_image& image = table_image::of(**loaded);
    const placement& where = image.where();
    constexpr std::size_t strangers = 400000;
    std::uint64_t compared = 0;
    std::uint64_t matched = 0;
    for (std::size_t i = 0; i < strangers; ++i) {
        const std::uint64_t hash = siphash13(image.header().key, "stranger" + std::to_string(i) + "@example.com");
        const std::uint64_t bucket = where.bucket_of(hash);
        const line& at = image.lines()[where.line_of(hash, bucket, image.pilots()[bucket])];
        const fingerprint print = fingerprint_of(hash, where.salt);
        for (std::uint32_t k = 0; k < at.count(); ++k) {
            ++compared;
            matched += ((at.fingerprints[k] ^ print.low) & 0xFFFU) == 0 ? 1 : 0;
        }
    }
    const double expected = static_cast<double>(compared) / 4096;
    EXPECT_NEAR(static_cast<double>(matched), expected, 6 * std::sqrt(expected));
    const double false_accepts = static_cast<double>(compared) / strangers / 17179869184.0;
    EXPECT_LT(false_accepts, 1.0 / (1ULL << 30U));
}

}  // namespace
}  // namespace postern::recipients::testing
