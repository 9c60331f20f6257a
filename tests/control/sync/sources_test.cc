#include "control/sync/sources.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "control/directory/connection.h"
#include "control/sync/secrets.h"
#include "tests/control/sync/scripted_directory.h"

namespace postern::sync {
namespace {

using directory::error_kind;
using directory::need;

TEST(secret_box_file, is_its_owners_alone_and_refused_if_others_read_it) {
    const directory::temporary_folder folder;
    const std::string path = folder.file("key");
    ASSERT_TRUE(secret_box::open(path));
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    ::chmod(path.c_str(), 0640);
    const auto refused = secret_box::open(path);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().find("chmod 600"), std::string::npos) << refused.error();
}

TEST(secret_box_file, opens_what_it_sealed_in_its_place_and_nothing_else) {
    const directory::temporary_folder folder;
    const auto box = secret_box::open(folder.file("key"));
    const auto again = secret_box::open(folder.file("key"));
    const auto other = secret_box::open(folder.file("other"));
    ASSERT_TRUE(box && again && other);
    auto sealed = box->seal("pa55word", "here");
    ASSERT_TRUE(sealed);
    EXPECT_EQ(*again->open_sealed(*sealed, "here"), "pa55word");
    EXPECT_FALSE(box->open_sealed(*sealed, "there"));
    EXPECT_FALSE(other->open_sealed(*sealed, "here"));
    EXPECT_NE(*box->seal("pa55word", "here"), *sealed) << "a nonce of its own each time";
    sealed->at(14) ^= std::byte{1};
    EXPECT_FALSE(box->open_sealed(*sealed, "here"));
    EXPECT_FALSE(box->open_sealed({}, "here"));
}

TEST(secret_box_file, a_damaged_key_is_told) {
    const directory::temporary_folder folder;
    const std::string path = folder.file("key");
    ASSERT_TRUE(secret_box::open(path));
    std::ofstream(path) << "0123";
    const auto damaged = secret_box::open(path);
    ASSERT_FALSE(damaged);
    EXPECT_NE(damaged.error().find("64 hexadecimal digits"), std::string::npos) << damaged.error();
}

class sync_sources : public sync_test {
protected:
    directory::error refuse(const std::string& name, const source_settings& set = {}) {
        auto in = write();
        new_source input;
        input.name = name;
        input.set = set;
        const auto made = sync::add_source(in, _service->with(), input);
        EXPECT_FALSE(made) << name;
        return made ? directory::error() : made.error();
    }
};

TEST_F(sync_sources, what_is_set_is_there_and_secrets_are_not) {
    new_source input;
    input.name = "test:head";
    input.set.settings = R"({"base":"dc=example"})";
    input.set.interval = std::chrono::minutes(15);
    input.set.limits = {1, 2, 3, 4, 5, 6};
    input.set.grace = std::chrono::seconds(7);
    input.set.fallback_to_defer = true;
    input.set.notify.webhook = "https://hooks.example/x";
    input.set.notify.emails = {"a@example.com", "b@example.com"};
    input.set.notify.changes = true;
    input.secret = "pa55word";
    auto in = write();
    const auto made = need(sync::add_source(in, _service->with(), input));
    commit(in);
    const auto found = source(made.id);
    EXPECT_EQ(found.name, "test:head");
    EXPECT_EQ(found.type, "test");
    EXPECT_EQ(found.set.settings, input.set.settings);
    EXPECT_EQ(found.set.interval, input.set.interval);
    EXPECT_EQ(found.set.limits.removed_count, 1U);
    EXPECT_EQ(found.set.limits.floor, 6U);
    EXPECT_EQ(found.set.grace, input.set.grace);
    EXPECT_TRUE(found.set.fallback_to_defer);
    EXPECT_EQ(found.set.notify.emails, input.set.notify.emails);
    EXPECT_TRUE(found.set.notify.changes);
    EXPECT_TRUE(found.has_secret);
    EXPECT_FALSE(found.has_webhook_secret);
    EXPECT_EQ(need(order_of(read(), _service->with(), made.id)).secret, "pa55word");
    _service.reset();
    _store.reset();
    for (const char* const end : {"", "-wal"}) {
        std::ifstream file(path() + end, std::ios::binary);
        const std::string content((std::istreambuf_iterator<char>(file)), {});
        EXPECT_EQ(content.find("pa55word"), std::string::npos) << "in the clear in the file" << end;
    }
}

TEST_F(sync_sources, what_can_not_work_is_refused_with_its_field) {
    EXPECT_EQ(refuse("nothing").field, "name");
    EXPECT_EQ(refuse("test:").field, "name");
    const auto unknown = refuse("ldap:x");
    EXPECT_EQ(unknown.field, "name");
    EXPECT_NE(unknown.text.find("'ldap'"), std::string::npos) << unknown.text;
    source_settings set;
    set.settings = "[1]";
    EXPECT_EQ(refuse("test:x", set).field, "settings");
    set.settings = "{";
    EXPECT_EQ(refuse("test:x", set).field, "settings");
    set = {};
    set.interval = std::chrono::minutes(0);
    EXPECT_EQ(refuse("test:x", set).field, "interval");
    set = {};
    set.freshness = std::chrono::minutes(30);
    EXPECT_EQ(refuse("test:x", set).field, "freshness");
    set = {};
    set.limits.removed_percent = 101;
    EXPECT_EQ(refuse("test:x", set).field, "removed_percent");
    set = {};
    set.notify.webhook = "ftp://x";
    EXPECT_EQ(refuse("test:x", set).field, "webhook");
    set = {};
    set.notify.emails = {"a@b\r\nBcc: c@d"};
    EXPECT_EQ(refuse("test:x", set).field, "emails");
    add_source("x");
    EXPECT_EQ(refuse("test:x").kind, error_kind::conflict);
}

TEST_F(sync_sources, other_settings_make_the_next_sync_a_whole_one) {
    _directories["x"].put("id", "a@example.com");
    const auto id = add_source("x").id;
    sync(id);
    EXPECT_FALSE(sync(id).whole);
    change(id, [](source_settings& set) { set.settings = R"({"base":"elsewhere"})"; });
    EXPECT_TRUE(sync(id).whole);
    EXPECT_FALSE(sync(id).whole);
}

TEST_F(sync_sources, a_removed_ones_name_is_its_organisations_again) {
    _directories["x"].put("id", "a@example.com");
    const auto id = add_source("x").id;
    sync(id);
    {
        auto in = write();
        need(remove_source(in, id));
        commit(in);
    }
    EXPECT_TRUE(valid().empty());
    const auto again = add_source("x").id;
    EXPECT_EQ(again, id);
    EXPECT_EQ(sync(again).counts.added, 1U);
}

}  // namespace
}  // namespace postern::sync
