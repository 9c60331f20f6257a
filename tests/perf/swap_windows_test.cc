#include "perf/swap_windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace postern::perf {
namespace {

using testing::HasSubstr;
using judgement = swap_judge::judgement;

constexpr std::uint64_t a = 0;
constexpr std::uint64_t b = 1;

/// A driver's file in memory. A is in force from the start.
class driver {
public:
    driver() {
        _words[0] = swap_windows::magic;
        append({1, 1, 1, a});
    }
    void append(const swap_record& record) {
        word(_words[1], 0) = record.preparing;
        word(_words[1], 1) = record.begun;
        word(_words[1], 2) = record.ended;
        word(_words[1], 3) = record.list;
        ++_words[1];
    }
    void begin(std::uint64_t at) { word(_words[1] - 1, 1) = at; }
    void end(std::uint64_t at) { word(_words[1] - 1, 2) = at; }
    const swap_windows& windows() const { return _windows; }

private:
    std::uint64_t& word(std::uint64_t record, std::size_t i) { return _words.at(2 + 4 * record + i); }

    std::array<std::uint64_t, 2 + 4 * 8> _words{};
    swap_windows _windows{_words};
};

swap_answer answer(std::uint64_t sent, std::uint64_t received, standing who, bool accepted) {
    return {sent, received, {0, who}, accepted};
}

TEST(swap_windows, before_any_swap_only_the_first_list_is_in_force) {
    const driver swaps;
    const span_facts facts = facts_of(swaps.windows(), 100, 200);
    EXPECT_TRUE(facts.a);
    EXPECT_FALSE(facts.b);
    EXPECT_FALSE(facts.during);
    EXPECT_FALSE(facts.undecided);
}

TEST(swap_windows, either_list_answers_while_a_commit_runs) {
    driver swaps;
    swaps.append({300, 400, 500, b});
    struct {
        std::uint64_t sent, received;
        bool a, b, during;
    } const cases[] = {
        {100, 200, true, false, false},  // before
        {100, 399, true, false, true},   // while it is prepared
        {100, 400, true, true, true},    // reaches into the commit
        {410, 420, true, true, true},    // within it
        {500, 600, true, true, true},    // begins in it
        {100, 900, true, true, true},    // around it
        {501, 600, false, true, false},  // after
    };
    for (const auto& each : cases) {
        const span_facts facts = facts_of(swaps.windows(), each.sent, each.received);
        EXPECT_EQ(facts.a, each.a) << each.sent << " to " << each.received;
        EXPECT_EQ(facts.b, each.b) << each.sent << " to " << each.received;
        EXPECT_EQ(facts.during, each.during) << each.sent << " to " << each.received;
        EXPECT_FALSE(facts.undecided);
    }
}

TEST(swap_windows, a_span_over_two_swaps_saw_both_lists) {
    driver swaps;
    swaps.append({300, 400, 500, b});
    swaps.append({600, 700, 800, a});
    const span_facts facts = facts_of(swaps.windows(), 550, 900);
    EXPECT_TRUE(facts.a);
    EXPECT_TRUE(facts.b);
    const span_facts later = facts_of(swaps.windows(), 801, 900);
    EXPECT_TRUE(later.a);
    EXPECT_FALSE(later.b);
}

TEST(swap_windows, a_swap_that_is_only_prepared_changes_nothing_in_force) {
    driver swaps;
    swaps.append({300, 0, 0, b});
    const span_facts facts = facts_of(swaps.windows(), 350, 360);
    EXPECT_TRUE(facts.a);
    EXPECT_FALSE(facts.b);
    EXPECT_TRUE(facts.during);
    EXPECT_FALSE(facts.undecided);
}

TEST(swap_judge, holds_answers_against_the_list_in_force) {
    driver swaps;
    swap_judge judge(swaps.windows());
    EXPECT_EQ(judge.judge(answer(10, 20, standing::only_a, true)), judgement::right);
    EXPECT_EQ(judge.judge(answer(10, 20, standing::only_a, false)), judgement::wrong);
    EXPECT_EQ(judge.judge(answer(10, 20, standing::only_b, true)), judgement::wrong);
    EXPECT_EQ(judge.judge(answer(10, 20, standing::only_b, false)), judgement::right);
    swaps.append({100, 110, 120, b});
    EXPECT_EQ(judge.judge(answer(130, 140, standing::only_a, true)), judgement::wrong);
    EXPECT_EQ(judge.judge(answer(130, 140, standing::only_b, true)), judgement::right);
    EXPECT_EQ(judge.judged(), 6U);
}

TEST(swap_judge, waits_for_the_end_of_a_commit_before_it_takes_the_old_lists_answer) {
    driver swaps;
    swap_judge judge(swaps.windows());
    swaps.append({100, 110, 0, b});
    // Sent after the commit began, no end known yet: the new list's answer is right whatever comes, the old one's not.
    EXPECT_EQ(judge.judge(answer(120, 130, standing::only_b, true)), judgement::right);
    EXPECT_EQ(judge.judge(answer(120, 130, standing::only_a, true)), judgement::later);
    EXPECT_EQ(judge.judge(answer(150, 160, standing::only_a, true)), judgement::later);
    // Sent before it began: the old list was in force then.
    EXPECT_EQ(judge.judge(answer(105, 130, standing::only_a, true)), judgement::right);
    EXPECT_FALSE(judge.next_wrong());
    EXPECT_EQ(judge.waiting(), 2U);

    swaps.end(140);
    const auto wrong = judge.next_wrong();
    ASSERT_TRUE(wrong);
    EXPECT_EQ(wrong->sent, 150U);
    EXPECT_FALSE(judge.next_wrong());
    EXPECT_EQ(judge.waiting(), 0U);
}

TEST(swap_judge, keeps_a_bounded_number_of_answers_and_counts_the_rest) {
    driver swaps;
    swap_judge judge(swaps.windows());
    swaps.append({100, 110, 0, b});
    for (std::size_t i = 0; i < swap_judge::limit; ++i) {
        ASSERT_EQ(judge.judge(answer(120, 130, standing::only_a, true)), judgement::later);
    }
    EXPECT_EQ(judge.judge(answer(120, 130, standing::only_a, true)), judgement::right);
    EXPECT_EQ(judge.unjudged(), 1U);
    EXPECT_EQ(judge.judged(), swap_judge::limit);
}

class swap_file : public testing::Test {
protected:
    swap_file() : _path(testing::TempDir() + "swap_windows_" + std::to_string(::getpid())) {}
    ~swap_file() override { std::filesystem::remove(_path); }
    void write(std::initializer_list<std::uint64_t> words) {
        std::ofstream out(_path, std::ios::binary);
        for (const std::uint64_t word : words) {
            out.write(reinterpret_cast<const char*>(&word), sizeof word);
        }
    }
    std::string _path;
};

TEST_F(swap_file, is_read_as_the_driver_wrote_it) {
    write({swap_windows::magic, 2, 1, 1, 1, 0, 300, 400, 0, 1, 0, 0, 0, 0});
    const auto windows = swap_windows::open(_path);
    ASSERT_TRUE(windows) << windows.error();
    ASSERT_EQ(windows->size(), 2U);
    EXPECT_EQ((*windows)[1].preparing, 300U);
    EXPECT_EQ((*windows)[1].begun, 400U);
    EXPECT_EQ((*windows)[1].ended, 0U);
    EXPECT_EQ((*windows)[1].list, 1U);
    std::ifstream in(_path, std::ios::binary);
    std::string head(8, '\0');
    in.read(head.data(), 8);
    EXPECT_EQ(head, "PSTNSWAP");
}

TEST_F(swap_file, with_a_count_beyond_its_end_holds_what_fits) {
    write({swap_windows::magic, 1'000'000, 1, 1, 1, 0, 300, 400});
    EXPECT_EQ(swap_windows::open(_path)->size(), 1U);
}

TEST_F(swap_file, is_refused_when_it_is_something_else) {
    write({swap_windows::magic, 0});
    EXPECT_THAT(swap_windows::open(_path).error(), HasSubstr("too short"));
    write({1, 1, 1, 1, 1, 0});
    EXPECT_THAT(swap_windows::open(_path).error(), HasSubstr("not a file of swap windows"));
    write({swap_windows::magic, 0, 1, 1, 1, 0});
    EXPECT_THAT(swap_windows::open(_path).error(), HasSubstr("not a file of swap windows"));
    EXPECT_THAT(swap_windows::open("/nonexistent/swaps").error(), HasSubstr("/nonexistent/swaps"));
}

}  // namespace
}  // namespace postern::perf
