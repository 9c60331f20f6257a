#include "control/sources/import.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include "control/directory/assertions.h"
#include "control/directory/changes.h"
#include "control/directory/history.h"
#include "control/sources/export.h"
#include "tests/control/directory/open_store.h"

namespace postern::sources {
namespace {

using directory::need;

class import_test : public directory::store_test {
protected:
    import_test() { _domain = add("example.com").id; }

    import_options options() const {
        import_options out;
        out.domain = _domain;
        return out;
    }
    import_report apply(std::string_view content, const import_options& how) {
        return need(apply_csv(*_store, from_memory(content), how, {"tester", "import"}));
    }
    import_report apply(std::string_view content) { return apply(content, options()); }
    import_report replace(std::string_view content) {
        import_options how = options();
        how.replace = true;
        return apply(content, how);
    }
    import_report preview(std::string_view content, const import_options& how) {
        return need(preview_csv(*_store, from_memory(content), how));
    }
    std::set<std::string> valid() {
        std::set<std::string> out;
        const auto in = read();
        need(directory::each_valid_address(in, [&](const recipients::listed_address& each) {
            out.emplace(each.text);
            return true;
        }));
        return out;
    }
    std::string exported() {
        std::string out;
        const auto in = read();
        need(export_csv(in, {}, [&](std::string_view piece) {
            out += piece;
            return true;
        }));
        return out;
    }
    directory::mailbox box(const std::string& address) {
        const auto in = read();
        return need(directory::find_mailbox(in, address));
    }

    std::uint32_t _domain = 0;
};

using texts = std::set<std::string>;

TEST_F(import_test, a_list_comes_in_with_names_groups_kinds_and_aliases) {
    const import_report report = apply(
        "email,first_name,last_name,group,kind,aliases\nAlice@Example.com,Alice,Archer,Sales,shared,a@example.com;b@"
        "example.com\n");
    EXPECT_TRUE(report.applied);
    EXPECT_EQ(report.created, 1U);
    EXPECT_EQ(report.aliases, 2U);
    EXPECT_GT(report.seq, 0U);
    EXPECT_EQ(valid(), (texts{"a@example.com", "alice@example.com", "b@example.com"}));
    const directory::mailbox alice = box("a@example.com");
    EXPECT_EQ(alice.normal, "alice@example.com");
    EXPECT_EQ(alice.address, "Alice@example.com");
    EXPECT_EQ(alice.first_name, "Alice");
    EXPECT_EQ(alice.group, "Sales");
    EXPECT_EQ(alice.kind, recipients::mailbox_kind::shared);
    ASSERT_EQ(alice.sources.size(), 1U);
    EXPECT_EQ(alice.sources[0].source, "csv:default/example.com");
}

TEST_F(import_test, preview_counts_and_changes_nothing) {
    apply("email,first_name\nalice@example.com,Alice\nbob@example.com,Bob\ncarol@example.com,Carol\n");
    import_options how = options();
    const import_report report = preview(
        "email,first_name\nalice@example.com,Alice\nbob@example.com,Robert\ndave@example.com,Dave\nnot an address,X\n",
        how);
    EXPECT_FALSE(report.applied);
    EXPECT_EQ(report.rows, 4U);
    EXPECT_EQ(report.created, 1U);
    EXPECT_EQ(report.updated, 1U);
    EXPECT_EQ(report.unchanged, 1U);
    EXPECT_EQ(report.missing, 1U);
    EXPECT_EQ(report.invalid, 1U);
    ASSERT_EQ(report.new_rows.size(), 1U);
    EXPECT_EQ(report.new_rows[0].address, "dave@example.com");
    EXPECT_EQ(report.missing_rows.at(0).address, "carol@example.com");
    EXPECT_EQ(valid(), (texts{"alice@example.com", "bob@example.com", "carol@example.com"}));
    EXPECT_EQ(box("bob@example.com").first_name, "Bob");
}

TEST_F(import_test, bad_rows_are_reported_with_line_column_value_and_reason) {
    const import_report report = apply(
        "first_name,email\nA,alice@example.com\nB,bad@@example.com\nC,\nD,x@elsewhere.example\nE,eve@example.com\n");
    EXPECT_EQ(report.invalid, 3U);
    ASSERT_EQ(report.errors.size(), 3U);
    EXPECT_EQ(report.errors[0].line, 3U);
    EXPECT_EQ(report.errors[0].column, 2U);
    EXPECT_EQ(report.errors[0].column_name, "email");
    EXPECT_EQ(report.errors[0].value, "bad@@example.com");
    EXPECT_NE(report.errors[0].reason.find("not an address"), std::string::npos);
    EXPECT_EQ(report.errors[1].line, 4U);
    EXPECT_NE(report.errors[2].reason.find("not served for this organisation"), std::string::npos);
    EXPECT_EQ(valid(), (texts{"alice@example.com", "eve@example.com"}));
}

TEST_F(import_test, strict_applies_nothing_if_a_row_is_bad) {
    import_options how = options();
    how.strict = true;
    EXPECT_FALSE(apply("email\nalice@example.com\nbad@@example.com\n", how).applied);
    EXPECT_TRUE(valid().empty());
    EXPECT_TRUE(apply("email\nalice@example.com\n", how).applied);
}

TEST_F(import_test, an_address_twice_in_the_file_is_reported_and_the_first_counts) {
    const import_report report = apply(
        "email,first_name,aliases\nalice@example.com,One,x@example.com\nALICE@example.com,Two,\nbob@example.com,Bob,x@"
        "example.com\n");
    EXPECT_EQ(report.duplicates, 2U);
    EXPECT_EQ(report.errors.at(0).line, 3U);
    EXPECT_NE(report.errors.at(0).reason.find("line 2"), std::string::npos);
    EXPECT_EQ(box("alice@example.com").first_name, "One");
    EXPECT_EQ(box("x@example.com").normal, "alice@example.com");
}

TEST_F(import_test, replace_withdraws_what_csv_asserted_and_nothing_else) {
    add_address("manual@example.com");
    add_address("both@example.com");
    apply("email,aliases\nalice@example.com,a@example.com\nbob@example.com,b@example.com\nboth@example.com,\n");
    const import_report report = replace("email,aliases\nbob@example.com,bb@example.com\n");
    EXPECT_EQ(report.withdrawn, 4U);
    EXPECT_EQ(valid(), (texts{"bb@example.com", "bob@example.com", "both@example.com", "manual@example.com"}));
    const auto in = read();
    EXPECT_FALSE(directory::find_mailbox(in, "alice@example.com"));
    EXPECT_FALSE(directory::find_mailbox(in, "b@example.com"));
}

TEST_F(import_test, without_replace_what_the_file_lacks_stays) {
    apply("email\nalice@example.com\n");
    apply("email\nbob@example.com\n");
    EXPECT_EQ(valid(), (texts{"alice@example.com", "bob@example.com"}));
}

TEST_F(import_test, a_file_without_a_column_leaves_what_the_list_has) {
    apply("email,first_name,kind\nalice@example.com,Alice,shared\n");
    const import_report report = apply("email\nalice@example.com\n");
    EXPECT_EQ(report.unchanged, 1U);
    EXPECT_EQ(box("alice@example.com").first_name, "Alice");
    EXPECT_EQ(box("alice@example.com").kind, recipients::mailbox_kind::shared);
}

TEST_F(import_test, a_blocked_address_stays_out_and_a_mailbox_is_not_made_an_alias) {
    {
        auto in = write();
        need(directory::block_address(in, "spam@example.com"));
        commit(in);
    }
    add_address("own@example.com");
    const import_report report = apply("email,aliases\nspam@example.com,\nalice@example.com,own@example.com\n");
    EXPECT_EQ(valid(), (texts{"alice@example.com", "own@example.com"}));
    EXPECT_EQ(report.invalid, 1U);
    EXPECT_NE(report.errors.at(0).reason.find("mailbox of its own"), std::string::npos);
}

TEST_F(import_test, an_alias_moves_to_the_mailbox_that_the_file_gives_it) {
    apply("email,aliases\nalice@example.com,info@example.com\nbob@example.com,\n");
    EXPECT_EQ(apply("email,aliases\nalice@example.com,\nbob@example.com,info@example.com\n").updated, 1U);
    EXPECT_EQ(box("info@example.com").normal, "bob@example.com");
}

TEST_F(import_test, a_cancelled_import_changes_nothing) {
    std::string text = "email\n";
    for (int i = 0; i < 20'000; ++i) {
        text += "user" + std::to_string(i) + "@example.com\n";
    }
    for (const auto stage :
         {import_progress::stage::reading, import_progress::stage::comparing, import_progress::stage::writing}) {
        const auto done = apply_csv(*_store, from_memory(text), options(), {"tester", ""},
                                    [&](const import_progress& at) { return at.stage != stage; });
        EXPECT_FALSE(done);
        EXPECT_TRUE(valid().empty());
    }
    EXPECT_TRUE(apply(text).applied);  // and the store is as good as before
    EXPECT_EQ(valid().size(), 20'000U);
}

TEST_F(import_test, an_export_comes_back_unchanged) {
    apply(
        "email,first_name,last_name,group,kind,aliases\nalice@example.com,\"A, \"\"B\"\"\",L,G,user,a@example.com "
        "b@example.com\noffice@example.com,,,,shared,\n");
    const std::string before = exported();
    const import_report report = apply(before);
    EXPECT_EQ(report.created, 0U);
    EXPECT_EQ(report.updated, 0U);
    EXPECT_EQ(report.unchanged, 2U);
    EXPECT_EQ(report.errors_total, 0U);
    EXPECT_EQ(exported(), before);
}

TEST_F(import_test, the_sample_file_imports_without_an_error) {
    EXPECT_EQ(apply(sample_csv()).errors_total, 0U);
    EXPECT_EQ(valid().size(), 8U);
}

TEST_F(import_test, the_feed_names_each_changed_address_or_asks_for_a_new_base) {
    auto seen = [&](std::uint64_t after) {
        const auto in = read();
        return need(directory::changes_after(in, after, 100'000));
    };
    const std::uint64_t first = apply("email\nalice@example.com\nbob@example.com\n").seq;
    const auto none = apply("email\nalice@example.com\n").seq;
    EXPECT_TRUE(seen(first).empty());
    EXPECT_EQ(none, first);
    replace("email\nbob@example.com\n");
    const auto gone = seen(first);
    ASSERT_EQ(gone.size(), 1U);
    EXPECT_EQ(gone[0].address, "alice@example.com");
    EXPECT_TRUE(gone[0].was);
    std::string many = "email\n";
    for (std::uint64_t i = 0; i <= directory::bulk_threshold; ++i) {
        many += "u" + std::to_string(i) + "@example.com\n";
    }
    const std::uint64_t before = gone[0].seq;
    apply(many);
    const auto bulk = seen(before);
    ASSERT_EQ(bulk.size(), 1U);
    EXPECT_EQ(bulk[0].kind, directory::change_kind::bulk);
}

TEST_F(import_test, history_tells_who_made_an_address_valid) {
    apply("email\nalice@example.com\n");
    _now += 1000;
    replace("email\nbob@example.com\n");
    const auto in = read();
    EXPECT_TRUE(need(directory::standing_at(in, "alice@example.com", _now - 500)).valid);
    const auto now = need(directory::standing_at(in, "alice@example.com", 0));
    EXPECT_FALSE(now.valid);
    EXPECT_EQ(now.last->what, "withdrawn");
}

// Whatever lists come and go from two sources and by hand, what is valid is the union of what each said last.
TEST_F(import_test, any_row_of_imports_leaves_the_union_of_what_the_sources_last_said) {
    std::mt19937 dice(4711);  // NOLINT: a fixed seed, so that a failure repeats
    std::map<std::string, texts> model;
    for (int round = 0; round < 40; ++round) {
        import_options how = options();
        how.source = dice() % 2 == 0 ? "csv:one" : "csv:two";
        how.replace = dice() % 3 != 0;
        texts file;
        std::string content = "email\n";
        for (int i = 0; i < 30; ++i) {
            if (dice() % 3 == 0) {
                const std::string address = "u" + std::to_string(i) + "@example.com";
                file.insert(address);
                content += address + "\n";
            }
        }
        if (file.empty()) {
            continue;
        }
        apply(content, how);
        texts& said = model[how.source];
        if (how.replace) {
            said = file;
        } else {
            said.insert(file.begin(), file.end());
        }
        texts expected;
        for (const auto& [source, addresses] : model) {
            expected.insert(addresses.begin(), addresses.end());
        }
        ASSERT_EQ(valid(), expected) << "round " << round;
    }
}

}  // namespace
}  // namespace postern::sources
