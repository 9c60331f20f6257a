// A list brought back as it was: restore by source and by organisation.
#include <gtest/gtest.h>

#include "control/directory/assertions.h"
#include "control/directory/history.h"
#include "control/sources/import.h"
#include "control/sync/restore.h"
#include "tests/control/sync/scripted_directory.h"

namespace postern::sync {
namespace {

using directory::need;
constexpr directory::timestamp hour = 3'600'000;

class sync_restore : public sync_test {
protected:
    scripted_directory& people() { return _directories["people"]; }
    restore_report restore(const restore_request& request) {
        auto in = write("bring it back");
        auto out = need(apply_restore(in, request));
        commit(in);
        return out;
    }
    directory::mailbox box(const std::string& address) { return need(directory::find_mailbox(read(), address)); }
};

TEST_F(sync_restore, a_sources_list_comes_back_with_its_people_and_its_sync_is_paused) {
    sources::directory_entry entry;
    entry.identity = "shared";
    entry.address = "info@example.com";
    entry.aliases = {"help@example.com"};
    entry.first_name = "In";
    entry.kind = recipients::mailbox_kind::shared;
    people().put(entry);
    people().put("a", "a@example.com");
    people().put("b", "b@example.com");
    const auto id = add_source("people").id;
    sync(id);
    const auto then = _now;
    const auto list = valid();
    _now += hour;
    people().remove("shared");
    people().remove("a");
    people().put("new", "new@example.com");
    sync(id);
    EXPECT_EQ(valid(), (texts{"b@example.com", "new@example.com"}));
    _now += hour;
    const restore_request request{id, 0, then};
    const restore_report preview = need(preview_restore(*_store, request));
    EXPECT_EQ(preview.returning, 3U);
    EXPECT_EQ(preview.leaving, 1U);
    EXPECT_EQ(preview.items.size(), 4U);
    EXPECT_EQ(preview.paused, std::vector<std::string>{"test:people"});
    EXPECT_FALSE(preview.applied);
    EXPECT_EQ(valid(), (texts{"b@example.com", "new@example.com"})) << "nothing is changed by looking";
    const restore_report done = restore(request);
    EXPECT_TRUE(done.applied);
    EXPECT_EQ(done.returning, 3U);
    EXPECT_EQ(valid(), list);
    const auto info = box("help@example.com");
    EXPECT_EQ(info.address, "info@example.com");
    EXPECT_EQ(info.first_name, "In");
    EXPECT_EQ(info.kind, recipients::mailbox_kind::shared);
    EXPECT_FALSE(source(id).set.enabled);
    const auto who = need(directory::standing_at(read(), "a@example.com", 0));
    EXPECT_TRUE(who.valid);
    EXPECT_EQ(who.last->why, "bring it back");
    // The sync after it is a whole one and makes the list the directory's again.
    EXPECT_TRUE(sync(id).whole);
    EXPECT_EQ(valid(), people().addresses());
}

TEST_F(sync_restore, an_imports_list_comes_back_too) {
    const auto import = [&](std::string_view file) {
        sources::import_options how;
        how.domain = 1;
        how.source = "csv:people";
        how.replace = true;
        need(sources::apply_csv(*_store, sources::from_memory(file), how, {"tester", "import"}));
        _now += hour;
    };
    import("email,first_name\na@example.com,Ann\nb@example.com,Ben\n");
    const auto then = _now - hour / 2;
    import("email,first_name\nb@example.com,Ben\nc@example.com,Cem\n");
    const auto source = need(directory::find_source(read(), "csv:people")).id;
    restore({source, 0, then});
    EXPECT_EQ(valid(), (texts{"a@example.com", "b@example.com"}));
    EXPECT_EQ(box("a@example.com").first_name, "Ann");
}

TEST_F(sync_restore, an_organisations_list_comes_back_from_every_source) {
    people().put("a", "a@example.com");
    const auto id = add_source("people").id;
    sync(id);
    add_address("hand@example.com");
    const auto then = _now;
    _now += hour;
    {
        auto in = write();
        need(directory::remove_mailbox(in, box("hand@example.com").id));
        need(directory::remove_mailbox(in, box("a@example.com").id));
        commit(in);
    }
    _now += hour;
    add_address("later@example.com");
    _now += hour;
    const restore_report done = restore({0, 1, then});
    EXPECT_EQ(done.returning, 2U);
    EXPECT_EQ(done.leaving, 1U);
    EXPECT_EQ(valid(), (texts{"a@example.com", "hand@example.com"}));
    EXPECT_EQ(restore({0, 1, then}).returning, 0U) << "it is as it was";
}

TEST_F(sync_restore, what_makes_no_sense_is_refused) {
    const auto id = add_source("people").id;
    EXPECT_FALSE(preview_restore(*_store, {0, 0, _now - 1}));
    EXPECT_FALSE(preview_restore(*_store, {id, 1, _now - 1}));
    EXPECT_FALSE(preview_restore(*_store, {id, 0, _now}));
    EXPECT_FALSE(preview_restore(*_store, {99, 0, _now - 1}));
}

}  // namespace
}  // namespace postern::sync
