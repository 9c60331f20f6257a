#include "control/directory/store.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "control/directory/changes.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/directory/organisations.h"
#include "control/directory/schema.h"
#include "tests/control/directory/open_store.h"

namespace postern::directory {
namespace {

using testing::Test;

std::int64_t number(const reader& in, std::string_view sql) {
    statement row = in.on().query(sql);
    return row.step() ? row.integer(0) : -1;
}

TEST_F(store_test, a_new_store_has_the_default_organisation_and_the_newest_schema) {
    const reader in = read();
    EXPECT_EQ(need(find_organisation(in, 1)).name, "default");
    EXPECT_EQ(number(in, "PRAGMA user_version"), migrations().back().version);
    EXPECT_EQ(number(in, "PRAGMA synchronous"), 2);
    EXPECT_EQ(number(in, "PRAGMA foreign_keys"), 1);
}

TEST_F(store_test, the_file_is_its_owners_alone) {
    struct stat facts {};
    ASSERT_EQ(stat(path().c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
    ASSERT_EQ(stat((path() + "-wal").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
}

TEST_F(store_test, what_is_committed_is_there_after_reopening) {
    add("example.com");
    reopen();
    const reader in = read();
    EXPECT_EQ(need(find_domain(in, "example.com")).name, "example.com");
}

TEST_F(store_test, what_is_not_committed_never_happened) {
    {
        writer in = write();
        need(add_domain(in, {"example.com"}));
    }
    const reader in = read();
    EXPECT_EQ(find_domain(in, "example.com").error().kind, error_kind::not_found);
    EXPECT_EQ(number(in, "SELECT count(*) FROM history"), 0);
}

TEST_F(store_test, a_second_process_is_refused) {
    const auto second = store::open(path());
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().text.find("in use by another postern-control"), std::string::npos) << second.error().text;
}

TEST_F(store_test, a_newer_schema_is_refused_and_left_alone) {
    _store.reset();
    {
        auto raw = need(connection::open(path(), 1024));
        raw->script("PRAGMA user_version=999");
    }
    const auto opened = store::open(path());
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().text.find("schema version 999"), std::string::npos) << opened.error().text;
    EXPECT_NE(opened.error().text.find("newer Postern"), std::string::npos);
    auto raw = need(connection::open(path(), 1024));
    statement version = raw->query("PRAGMA user_version");
    ASSERT_TRUE(version.step());
    EXPECT_EQ(version.integer(0), 999);
}

TEST(store_file, another_programs_database_is_refused) {
    const temporary_folder folder;
    {
        auto raw = need(connection::open(folder.file("d.db"), 1024));
        raw->script("CREATE TABLE t(x)");
    }
    const auto opened = store::open(folder.file("d.db"));
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().text.find("another program"), std::string::npos) << opened.error().text;
}

TEST(store_file, a_file_that_is_no_database_is_refused) {
    const temporary_folder folder;
    std::ofstream(folder.file("d.db")) << std::string(5000, 'x');
    const auto opened = store::open(folder.file("d.db"));
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().text.find("not a database"), std::string::npos) << opened.error().text;
}

TEST(store_file, a_folder_that_is_not_there_is_named) {
    const auto opened = store::open("/nonexistent/d.db");
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().text.find("/nonexistent/d.db"), std::string::npos) << opened.error().text;
}

TEST(store_migrations, each_version_is_brought_up_to_date_with_its_data) {
    for (const migration& from : migrations()) {
        const temporary_folder folder;
        {
            auto raw = need(connection::open(folder.file("d.db"), 1024));
            need(migrate(*raw, from.version));
            raw->script(
                "INSERT INTO domain(organisation, name, mode_since, created) VALUES (1, 'example.com', 0, 0);"
                "INSERT INTO address(domain, normal, local, kind, valid, created, updated)"
                " VALUES (1, 'alice', 'Alice', 0, 1, 0, 0);"
                "INSERT INTO assertion VALUES (1, 1, 0);");
            ASSERT_FALSE(raw->failed()) << raw->failure().text;
        }
        const auto opened = need(store::open(folder.file("d.db")));
        const reader in = need(opened->read());
        EXPECT_EQ(number(in, "PRAGMA user_version"), migrations().back().version);
        EXPECT_EQ(need(find_mailbox(in, "alice@example.com")).address, "Alice@example.com");
        mailbox_filter filter;
        filter.search = "lic";
        EXPECT_EQ(need(count_mailboxes(in, filter)), 1U) << "from version " << from.version;
        EXPECT_EQ(need(count_mailboxes(in, {})), 1U) << "from version " << from.version;
        EXPECT_EQ(need(count_addresses(in, 1)).valid, 1U) << "from version " << from.version;
        filter = {};
        filter.source = "manual";
        EXPECT_EQ(need(count_mailboxes(in, filter)), 1U) << "from version " << from.version;
        EXPECT_GE(need(last_change(in)), 1U) << "what was there before the feed is published";
    }
}

TEST(store_migrations, one_that_fails_is_taken_back_whole) {
    const temporary_folder folder;
    auto raw = need(connection::open(folder.file("d.db"), 1024));
    need(migrate(*raw, 1));
    raw->script("CREATE TABLE generation(x)");  // in the second one's way
    const auto failed = migrate(*raw);
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().text.find("migration 2"), std::string::npos) << failed.error().text;
    statement version = raw->query("PRAGMA user_version");
    ASSERT_TRUE(version.step());
    EXPECT_EQ(version.integer(0), 1);
    statement table = raw->query("SELECT count(*) FROM sqlite_schema WHERE name = 'change'");
    ASSERT_TRUE(table.step());
    EXPECT_EQ(table.integer(0), 0);
}

TEST_F(store_test, history_takes_no_change_and_no_deletion) {
    add("example.com");
    for (const char* sql :
         {"UPDATE history SET what = 'x'", "DELETE FROM history", "UPDATE act SET who = 'x'", "DELETE FROM act"}) {
        writer in = write();
        in.on().script(sql);
        ASSERT_TRUE(in.on().failed()) << sql;
        EXPECT_NE(in.on().failure().text.find("append-only"), std::string::npos);
        EXPECT_FALSE(in.commit()) << "a failed statement fails the whole change";
    }
}

TEST_F(store_test, a_failed_statement_fails_the_commit) {
    {
        writer in = write();
        need(add_domain(in, {"example.com"}));
        in.on().run("INSERT INTO domain(organisation, name, mode_since, created) VALUES (77, 'x.example', 0, 0)");
        const auto done = in.commit();
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().kind, error_kind::conflict);
    }
    const reader in = read();
    EXPECT_EQ(number(in, "SELECT count(*) FROM domain"), 0);
}

TEST_F(store_test, a_connection_is_usable_after_a_failure) {
    {
        writer in = write();
        in.on().run("SELECT no_such_function()");
        EXPECT_FALSE(in.commit());
    }
    add("example.com");
    const reader in = read();
    EXPECT_TRUE(find_domain(in, "example.com"));
}

TEST_F(store_test, committing_twice_is_an_error) {
    writer in = write();
    need(add_domain(in, {"example.com"}));
    need(in.commit());
    EXPECT_FALSE(in.commit());
}

TEST_F(store_test, a_reader_keeps_its_view) {
    const reader before = read();
    EXPECT_EQ(number(before, "SELECT count(*) FROM domain"), 0);
    add("example.com");
    EXPECT_EQ(number(before, "SELECT count(*) FROM domain"), 0);
    const reader after = read();
    EXPECT_EQ(number(after, "SELECT count(*) FROM domain"), 1);
}

TEST_F(store_test, a_second_writer_is_told_busy_when_its_patience_ends) {
    writer first = write();
    const auto second = _store->write({"other", ""}, std::chrono::milliseconds(1));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, error_kind::busy);
}

TEST_F(store_test, listeners_hear_of_commits_until_they_leave) {
    std::vector<std::uint64_t> heard;
    const std::uint64_t registration = _store->on_commit([&](std::uint64_t seq) { heard.push_back(seq); });
    {
        writer in = write();
        need(add_domain(in, {"example.com"}));
        const std::uint64_t seq = need(in.commit());
        ASSERT_EQ(heard, std::vector<std::uint64_t>{seq});
    }
    {
        writer in = write();
        need(add_organisation(in, {"Acme"}));  // nothing for the table
        need(in.commit());
        EXPECT_EQ(heard.size(), 1U);
    }
    _store->ignore_commits(registration);
    add("example.org");
    EXPECT_EQ(heard.size(), 1U);
}

TEST_F(store_test, many_threads_write_and_read_at_once) {
    add("example.com");
    constexpr int each = 20;
    std::vector<std::thread> threads;
    threads.reserve(6);
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int n = 0; n < each; ++n) {
                add_address("u" + std::to_string(t) + "-" + std::to_string(n) + "@example.com");
            }
        });
    }
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&] {
            std::uint64_t last = 0;
            while (last < 4 * each) {
                const reader in = read();
                const std::uint64_t now = need(count_mailboxes(in, {}));
                EXPECT_GE(now, last);
                last = now;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    const reader in = read();
    EXPECT_EQ(need(count_mailboxes(in, {})), 4U * each);
}

TEST_F(store_test, more_readers_than_connections_take_turns) {
    store_options options;
    options.max_connections = 2;
    _store.reset();
    _store = need(store::open(path(), options));
    std::vector<std::thread> threads;
    threads.reserve(8);
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
            for (int n = 0; n < 50; ++n) {
                const reader in = read();
                EXPECT_EQ(number(in, "SELECT count(*) FROM organisation"), 1);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

}  // namespace
}  // namespace postern::directory
