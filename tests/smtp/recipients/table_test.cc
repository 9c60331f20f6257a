// Whole tables: every size keeps every address with its payload, and strangers stay strangers.
#include <random>

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

INSTANTIATE_TEST_SUITE_P(sizes, table_sizes,
                         ::testing::Values(0, 1, 2, 5, 9, 10, 11, 19, 20, 50, 100, 999, 1000, 10000, 81919, 81920,
                                           81921, 100000, 200000, 1000000));

}  // namespace
}  // namespace postern::recipients::testing
