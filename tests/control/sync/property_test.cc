// Any interleaving of syncs, imports, manual changes, failures and restarts leaves exactly the union of what the
// sources last asserted, less what is blocked and superseded: source by source, in the list, and at the edge. Seeded;
// the full size tries many more.

#include "tests/control/sync/interleaving.h"
#include "tests/size.h"

namespace postern::sync {
namespace {

class sync_property : public interleaving, public testing::WithParamInterface<int> {};

TEST_P(sync_property, the_list_is_the_union_of_what_the_sources_last_asserted) {
    const int seed = GetParam();
    begin(static_cast<std::uint64_t>(seed));
    for (int n = 0; n < 60; ++n) {
        const std::string what = step();
        SCOPED_TRACE("seed " + std::to_string(seed) + ", step " + std::to_string(n) + ": " + what);
        ASSERT_EQ(asserted(), asserted_in_the_model());
        ASSERT_EQ(valid(false), wanted());
        ASSERT_EQ(at_the_edge(), valid()) << "the table that was published";
        expect_rows_in_order();
        if (HasFailure()) {
            return;
        }
    }
}
INSTANTIATE_TEST_SUITE_P(seeds, sync_property, testing::Range(0, postern::tests::sized(2, 300)));

}  // namespace
}  // namespace postern::sync
