#include "control/publish/change_set.h"

#include <gmock/gmock.h>

#include "control/publish/generation_files.h"
#include "tests/control/directory/open_store.h"

namespace postern::publish {
namespace {

using directory::need;
using testing::ElementsAre;
using testing::IsEmpty;

class change_set_test : public directory::store_test {
protected:
    change_set_test() {
        add("example.com");
        const auto in = read();
        _changes.start_from(need(directory::last_change(in)));
    }
    void absorb() { need(_changes.absorb(read())); }
    void remove(const std::string& address) {
        auto in = write();
        need(remove_mailbox(in, need(find_mailbox(in, address)).id));
        commit(in);
    }
    std::vector<std::string> added() const {
        std::vector<std::string> out;
        for (const auto& each : _changes.make_lists().added) {
            out.emplace_back(each.text);
        }
        return out;
    }
    change_set _changes;
};

TEST_F(change_set_test, what_came_and_went_since_the_base_is_in_neither_list) {
    add_address("alice@example.com");
    remove("alice@example.com");
    absorb();
    EXPECT_THAT(added(), IsEmpty());
    EXPECT_THAT(_changes.make_lists().removed, IsEmpty()) << "the base has no slot for it";
    EXPECT_EQ(_changes.growth(), 0);
}

TEST_F(change_set_test, what_the_base_had_is_removed_and_may_come_back) {
    add_address("alice@example.com");
    const auto in_base = need(directory::last_change(read()));
    _changes.start_from(in_base);
    remove("alice@example.com");
    absorb();
    EXPECT_THAT(_changes.make_lists().removed, ElementsAre("alice@example.com"));
    EXPECT_EQ(_changes.growth(), -1);
    add_address("Alice@example.com");
    absorb();
    EXPECT_THAT(added(), ElementsAre("alice@example.com"));
    EXPECT_THAT(_changes.make_lists().removed, IsEmpty());
    EXPECT_EQ(_changes.growth(), 0);
}

TEST_F(change_set_test, bulk_asks_for_a_base_and_keeps_no_addresses) {
    add_address("alice@example.com");
    absorb();
    auto in = write();
    need(directory::note_bulk(in));
    commit(in);
    absorb();
    EXPECT_TRUE(_changes.needs_base());
    EXPECT_EQ(_changes.size(), 0U);
}

TEST_F(change_set_test, more_changes_than_are_read_at_once_are_all_taken) {
    auto in = write();
    for (int n = 0; n < 2500; ++n) {
        directory::new_mailbox input;
        input.address = "u" + std::to_string(n) + "@example.com";
        need(add_mailbox(in, input));
    }
    const auto seq = need(in.commit());
    absorb();
    EXPECT_EQ(_changes.size(), 2500U);
    EXPECT_EQ(_changes.seq(), seq);
}

TEST(generation_file_names, are_told_from_others) {
    EXPECT_EQ(base_name(42), "base-000000000042.table");
    EXPECT_EQ(number_of(base_name(42)), 42U);
    EXPECT_EQ(number_of(overlay_name(1'234'567'890'123)), 1'234'567'890'123U);
    for (const char* other : {"", "base-.table", "base-42.table", "base-00000000004x.table", "overlay-000000000042",
                              "other-000000000042.table", "base-000000000042.table.new"}) {
        EXPECT_FALSE(is_generation_file(other)) << other;
    }
}

}  // namespace
}  // namespace postern::publish
