// A guard before a list that a file replaces.
#include "control/sources/replacement.h"

#include <gtest/gtest.h>

#include "control/sources/import.h"
#include "tests/control/directory/open_store.h"

namespace postern::sources {
namespace {

using directory::need;
using end = enum replacement_verdict::end;

class replacement_test : public directory::store_test {
protected:
    replacement_test() { _domain = add("example.com").id; }

    static std::string list(int from, int to) {
        std::string out = "email\n";
        for (int number = from; number < to; ++number) {
            out += "user" + std::to_string(number) + "@example.com\n";
        }
        return out;
    }
    import_report replace(std::string_view content, replacement_verdict said = {}) {
        import_options how;
        how.domain = _domain;
        how.replace = true;
        how.guard = [this, said](const replacement& what) {
            _asked = what;
            return said;
        };
        return need(apply_csv(*_store, from_memory(content), how, {"tester", "import"}));
    }
    std::uint64_t valid() { return need(directory::count_addresses(read(), 0U)).valid; }

    std::uint32_t _domain = 0;
    replacement _asked;
};

TEST_F(replacement_test, the_guard_is_told_what_would_happen) {
    replace(list(0, 10));
    replace(list(2, 15));
    EXPECT_EQ(_asked.staged, 13U);
    EXPECT_EQ(_asked.asserted, 10U);
    EXPECT_EQ(_asked.added, 5U);
    EXPECT_EQ(_asked.removed, 2U);
    EXPECT_EQ(_asked.removed_earlier, 0U);
    EXPECT_EQ(_asked.oldest, 10U);
    replace(list(5, 15));
    EXPECT_EQ(_asked.removed, 3U);
    EXPECT_EQ(_asked.removed_earlier, 2U);
    EXPECT_EQ(_asked.oldest, 10U) << "the list as it was when the window began";
    replace(list(0, 15));
    EXPECT_EQ(_asked.removed_earlier, 0U) << "what comes back was not removed";
}

TEST_F(replacement_test, removals_are_counted_over_a_day_and_since_the_last_approval) {
    replace(list(0, 10));
    replace(list(4, 10));
    replace(list(5, 10));
    EXPECT_EQ(_asked.removed_earlier, 4U);
    _now += 24LL * 3600 * 1000 + 1;
    replace(list(6, 10));
    EXPECT_EQ(_asked.removed_earlier, 0U);
    EXPECT_EQ(_asked.oldest, 5U);
    _now += 1;
    replace(list(7, 10), {end::pass, {}, true});
    EXPECT_EQ(_asked.removed_earlier, 1U);
    _now += 1;
    replace(list(8, 10));
    EXPECT_EQ(_asked.removed_earlier, 0U);
}

TEST_F(replacement_test, what_is_held_stays_and_what_is_new_comes) {
    replace(list(0, 10));
    const import_report report = replace(list(5, 12), {end::hold, "too many", false});
    EXPECT_TRUE(report.applied);
    EXPECT_EQ(report.held, 5U);
    EXPECT_EQ(report.withdrawn, 0U);
    EXPECT_EQ(report.guard, "too many");
    EXPECT_EQ(valid(), 12U);
    EXPECT_EQ(replace(list(5, 12)).withdrawn, 5U);
    EXPECT_EQ(valid(), 7U);
}

TEST_F(replacement_test, what_is_refused_changes_nothing) {
    replace(list(0, 10));
    const import_report report = replace(list(20, 22), {end::refuse, "empty", false});
    EXPECT_FALSE(report.applied);
    EXPECT_TRUE(report.refused_by_guard);
    EXPECT_EQ(valid(), 10U);
}

}  // namespace
}  // namespace postern::sources
