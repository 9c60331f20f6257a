#include "dataplane/edge/table_holder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <memory>

#include "smtp/recipients/address.h"
#include "table_files.h"

namespace postern::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct table_holder_test : ::testing::Test {
    table_holder_test() { restart(); }

    /// As the next process would find it.
    void restart() {
        holder =
            std::make_unique<table_holder>(state.fd(), tables.fd(), [this] { waits.push_back(listed_by_shards()); });
        holder->load_last_good();
    }

    void base(const std::string& name, std::uint64_t generation, const std::vector<std::string>& addresses) {
        make_base(tables.path(name), generation, addresses);
    }

    /// "none", or whether a@example.com is listed, as a shard would see it now.
    std::string listed_by_shards() const { return standing("a@example.com"); }

    std::string standing(const std::string& address) const {
        const recipients::snapshot* snapshot = holder == nullptr ? nullptr : holder->in_force().load();
        if (snapshot == nullptr) {
            return "none";
        }
        recipients::normal_address normal;
        EXPECT_TRUE(recipients::parse_address(address, {}, normal));
        const auto verdict = recipients::look_up(*snapshot, normal);
        return verdict.standing == recipients::standing::listed ? "listed" : "unlisted";
    }

    std::uint64_t generation() const {
        const recipients::snapshot* snapshot = holder->in_force().load();
        return snapshot == nullptr ? 0 : snapshot->generation;
    }

    void put_in_force(const std::string& base_name, const std::string& overlay_name = "") {
        const auto prepared = holder->prepare(base_name, overlay_name);
        ASSERT_TRUE(prepared) << prepared.error();
        const auto committed = holder->commit(std::nullopt);
        ASSERT_TRUE(committed) << committed.error();
    }

    temporary_folder state;
    temporary_folder tables;
    std::vector<std::string> waits;  ///< what shards saw when the holder waited for them
    std::unique_ptr<table_holder> holder;
};

TEST_F(table_holder_test, begins_without_a_table) {
    EXPECT_EQ(listed_by_shards(), "none");
    EXPECT_FALSE(holder->facts());
    EXPECT_FALSE(holder->commit(std::nullopt));
    EXPECT_FALSE(holder->difference());
    EXPECT_FALSE(holder->rollback(1));
    EXPECT_THAT(holder->prepare("", "x").error(), HasSubstr("name a base"));
}

TEST_F(table_holder_test, prepare_changes_nothing_and_commit_everything) {
    base("b1", 11, {"a@example.com", "b@example.com"});
    const auto prepared = holder->prepare("b1", "");
    ASSERT_TRUE(prepared) << prepared.error();
    EXPECT_EQ(prepared->base.name, "b1");
    EXPECT_EQ(prepared->base.facts.generation, 11U);
    EXPECT_EQ(prepared->addresses(), 2U);
    EXPECT_EQ(listed_by_shards(), "none");
    const auto committed = holder->commit(std::nullopt);
    ASSERT_TRUE(committed) << committed.error();
    EXPECT_EQ(committed->generation, 1U);
    EXPECT_EQ(listed_by_shards(), "listed");
    EXPECT_EQ(generation(), 1U);
    EXPECT_FALSE(holder->prepared_facts());
    EXPECT_THAT(holder->commit(std::nullopt).error(), HasSubstr("nothing is prepared"));
}

TEST_F(table_holder_test, waits_for_the_shards_after_they_can_see_the_new_table) {
    base("b1", 1, {"a@example.com"});
    base("b2", 2, {"b@example.com"});
    put_in_force("b1");
    put_in_force("b2");
    EXPECT_THAT(waits, ElementsAre("listed", "unlisted"));
}

TEST_F(table_holder_test, an_overlay_adds_and_removes_over_the_base_in_force) {
    base("b1", 1, {"a@example.com", "b@example.com"});
    make_overlay(tables.path("o2"), 2, tables.path("b1"), {"c@example.com"}, {"a@example.com"});
    put_in_force("b1");
    put_in_force("", "o2");
    EXPECT_EQ(standing("a@example.com"), "unlisted");
    EXPECT_EQ(standing("b@example.com"), "listed");
    EXPECT_EQ(standing("c@example.com"), "listed");
    EXPECT_EQ(holder->facts()->addresses(), 2U);
    EXPECT_EQ(holder->remembered().in_force.base, "b1");
    EXPECT_EQ(holder->remembered().in_force.overlay, "o2");
}

TEST_F(table_holder_test, the_number_of_a_commit_is_greater_than_the_one_in_force) {
    base("b1", 1, {"a@example.com"});
    ASSERT_TRUE(holder->prepare("b1", ""));
    EXPECT_EQ(holder->commit(500)->generation, 500U);
    ASSERT_TRUE(holder->prepare("b1", ""));
    EXPECT_THAT(holder->commit(500).error(), HasSubstr("not greater than the one in force, 500"));
    EXPECT_EQ(holder->commit(std::nullopt)->generation, 501U);
}

TEST_F(table_holder_test, what_is_refused_leaves_the_table_in_force_and_nothing_prepared) {
    base("b1", 1, {"a@example.com"});
    base("b2", 2, {"a@example.com"});
    make_overlay(tables.path("o2"), 3, tables.path("b2"), {"c@example.com"});
    put_in_force("b1");
    const std::string whole = tables.read("b1");
    tables.write("cut", whole.substr(0, whole.size() / 2));
    tables.write("empty", "");
    tables.write("text", "email\na@example.com\n");
    std::filesystem::create_directory(tables.path("folder"));
    std::filesystem::create_symlink(tables.path("b1"), tables.path("link"));
    ASSERT_EQ(::mkfifo(tables.path("fifo").c_str(), 0600), 0);
    for (const auto& [base_name, overlay_name] : std::vector<std::pair<std::string, std::string>>{{"absent", ""},
                                                                                                  {"cut", ""},
                                                                                                  {"empty", ""},
                                                                                                  {"text", ""},
                                                                                                  {"folder", ""},
                                                                                                  {"link", ""},
                                                                                                  {"fifo", ""},
                                                                                                  {"o2", ""},
                                                                                                  {"b1", "b2"},
                                                                                                  {"b1", "o2"},
                                                                                                  {"", "o2"},
                                                                                                  {"", "absent"}}) {
        ASSERT_TRUE(holder->prepare("b2", ""));
        const auto refused = holder->prepare(base_name, overlay_name);
        ASSERT_FALSE(refused) << base_name << " " << overlay_name;
        EXPECT_GT(refused.error().size(), 20U) << refused.error();
        EXPECT_FALSE(holder->prepared_facts());
        EXPECT_EQ(generation(), 1U);
        EXPECT_EQ(listed_by_shards(), "listed");
    }
    EXPECT_EQ(holder->counts().refused.load(), 12U);
    EXPECT_THAT(holder->prepare("absent", "").error(), HasSubstr("absent"));
}

TEST_F(table_holder_test, a_manifest_that_can_not_be_written_leaves_the_table_in_force) {
    base("b1", 1, {"a@example.com"});
    base("b2", 2, {"b@example.com"});
    put_in_force("b1");
    // The temporary file's place is taken by a folder.
    std::filesystem::create_directory(state.path(".manifest.json.new"));
    ASSERT_TRUE(holder->prepare("b2", ""));
    EXPECT_THAT(holder->commit(std::nullopt).error(), HasSubstr("the table in force stays"));
    EXPECT_EQ(listed_by_shards(), "listed");
    EXPECT_EQ(holder->remembered().in_force.base, "b1");
    std::filesystem::remove(state.path(".manifest.json.new"));
    restart();
    EXPECT_EQ(listed_by_shards(), "listed");
}

TEST_F(table_holder_test, a_restart_has_the_last_commit_with_its_number) {
    base("b1", 1, {"b@example.com"});
    make_overlay(tables.path("o2"), 2, tables.path("b1"), {"a@example.com"});
    put_in_force("b1");
    put_in_force("", "o2");
    restart();
    EXPECT_EQ(listed_by_shards(), "listed");
    EXPECT_EQ(generation(), 2U);
    // What is only prepared does not outlive the process.
    ASSERT_TRUE(holder->prepare("b1", ""));
    restart();
    EXPECT_EQ(generation(), 2U);
    EXPECT_FALSE(holder->prepared_facts());
}

TEST_F(table_holder_test, a_restart_falls_back_to_what_still_loads_under_the_next_number) {
    base("b1", 1, {"a@example.com"});
    base("b2", 2, {"b@example.com"});
    base("b3", 3, {"b@example.com"});
    put_in_force("b1");
    put_in_force("b2");
    put_in_force("b3");
    tables.write("b3", "not a table");
    std::filesystem::remove(tables.path("b2"));
    restart();
    EXPECT_EQ(listed_by_shards(), "listed");
    EXPECT_EQ(generation(), 4U);
    EXPECT_THAT(holder->remembered().kept, IsEmpty());
    restart();
    EXPECT_EQ(generation(), 4U);
}

TEST_F(table_holder_test, when_nothing_loads_there_is_no_table_and_the_manifest_stays) {
    base("b1", 1, {"a@example.com"});
    put_in_force("b1");
    const std::string content = tables.read("b1");
    std::filesystem::remove(tables.path("b1"));
    restart();
    EXPECT_EQ(listed_by_shards(), "none");
    EXPECT_FALSE(holder->facts());
    tables.write("b1", content);
    restart();
    EXPECT_EQ(listed_by_shards(), "listed");
    EXPECT_EQ(generation(), 1U);
}

TEST_F(table_holder_test, a_manifest_that_is_no_manifest_means_no_table) {
    base("b1", 1, {"a@example.com"});
    put_in_force("b1");
    state.write("manifest.json", "{");
    restart();
    EXPECT_EQ(listed_by_shards(), "none");
    put_in_force("b1");
    restart();
    EXPECT_EQ(listed_by_shards(), "listed");
}

TEST_F(table_holder_test, rollback_goes_back_and_forth_under_new_numbers) {
    base("b1", 1, {"a@example.com"});
    base("b2", 2, {"b@example.com"});
    put_in_force("b1");
    put_in_force("b2");
    auto back = holder->rollback(1);
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(*back, (table_pair{3, "b1", ""}));
    EXPECT_EQ(listed_by_shards(), "listed");
    ASSERT_THAT(holder->remembered().kept, SizeIs(1));
    back = holder->rollback(1);
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, (table_pair{4, "b2", ""}));
    EXPECT_EQ(listed_by_shards(), "unlisted");
    EXPECT_THAT(holder->rollback(2).error(), HasSubstr("there are 1 pairs kept"));
    restart();
    EXPECT_EQ(generation(), 4U);
}

TEST_F(table_holder_test, rollback_to_a_file_that_is_gone_is_refused) {
    base("b1", 1, {"a@example.com"});
    base("b2", 2, {"b@example.com"});
    put_in_force("b1");
    put_in_force("b2");
    std::filesystem::remove(tables.path("b1"));
    EXPECT_THAT(holder->rollback(1).error(), HasSubstr("cannot roll back to b1"));
    EXPECT_EQ(generation(), 2U);
}

TEST_F(table_holder_test, the_difference_names_domains) {
    recipients::domain_section two = domain("example.com");
    recipients::domain_settings other = two.domains.front();
    other.id = 2;
    other.target = 2;
    other.name = "example.net";
    two.domains.push_back(other);
    recipients::domain_section three = domain("example.com", recipients::mode::observe);
    other.name = "example.org";
    three.domains.push_back(other);
    make_base(tables.path("b1"), 1, {"a@example.com"}, two);
    make_base(tables.path("b2"), 2, {"a@example.com", "b@example.com"}, three);
    ASSERT_TRUE(holder->prepare("b1", ""));
    auto first = holder->difference();
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->from);
    EXPECT_THAT(first->domains.added, ElementsAre("example.com", "example.net"));
    ASSERT_TRUE(holder->commit(std::nullopt));
    ASSERT_TRUE(holder->prepare("b2", ""));
    const auto second = holder->difference();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->from->addresses(), 1U);
    EXPECT_EQ(second->to.addresses(), 2U);
    EXPECT_THAT(second->domains.added, ElementsAre("example.org"));
    EXPECT_THAT(second->domains.removed, ElementsAre("example.net"));
    EXPECT_THAT(second->domains.changed, ElementsAre("example.com"));
}

TEST_F(table_holder_test, the_base_in_force_is_not_read_again) {
    base("b1", 1, {"b@example.com"});
    make_overlay(tables.path("o2"), 2, tables.path("b1"), {"a@example.com"});
    put_in_force("b1");
    const auto* before = holder->in_force().load()->base.get();
    put_in_force("b1", "o2");
    EXPECT_EQ(holder->in_force().load()->base.get(), before);
    // Another file under the same name is.
    base("new", 3, {"a@example.com"});
    std::filesystem::rename(tables.path("new"), tables.path("b1"));
    put_in_force("b1");
    EXPECT_NE(holder->in_force().load()->base.get(), before);
}

}  // namespace
}  // namespace postern::edge
