// Imports over the ends of processes: what was taken goes on, what was cancelled does not.
#include "control/api/import_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "board/process/files.h"
#include "control/api/import_files.h"
#include "control/directory/domains.h"
#include "control/directory/mailboxes.h"

namespace postern::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class imports : public testing::Test {
protected:
    imports() {
        std::string name = std::filesystem::temp_directory_path() / "postern-imports-XXXXXX";
        _folder = ::mkdtemp(name.data());
        _uploads = _folder + "/uploads";
        _store = std::move(directory::store::open(_folder + "/directory.db").value());
        auto in = _store->write({"test", ""}).value();
        directory::new_domain input;
        input.name = "example.com";
        EXPECT_TRUE(directory::add_domain(in, input));
        EXPECT_TRUE(in.commit());
        start();
    }
    ~imports() override {
        _jobs.reset();
        _store.reset();
        std::filesystem::remove_all(_folder);
    }

    void start() { _jobs = std::move(import_jobs::open(*_store, _uploads).value()); }
    void restart() {
        _jobs.reset();
        start();
    }
    std::string upload(const std::string& csv) {
        std::string path = _uploads + "/upload-" + std::to_string(++_count);
        EXPECT_TRUE(process::replace_file(path, csv, 0600));
        return path;
    }
    std::string add(const std::string& csv, bool apply, bool replace = false, const std::string& key = {}) {
        import_jobs::submission given;
        given.path = upload(csv);
        given.options.replace = replace;
        given.apply_at_once = apply;
        given.by = {"tester", "because"};
        given.idempotency = key;
        given.digest = csv;
        return _jobs->add(std::move(given)).value();
    }
    import_job settled(const std::string& id) {
        for (int i = 0; i < 20'000; ++i) {
            const auto found = _jobs->find(id);
            if (!found) {
                ADD_FAILURE() << "it is gone";
                return {};
            }
            if (found->state != import_state::waiting && found->state != import_state::reading &&
                found->state != import_state::queued && found->state != import_state::applying) {
                return *found;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        ADD_FAILURE() << "the import does not end";
        return {};
    }
    /// A record as an earlier process left it.
    void leave(const std::string& id, import_state at, unsigned begun,
               const std::string& csv = "email\nx@example.com\n") {
        import_record of;
        of.job.id = id;
        of.job.state = at;
        of.begun = begun;
        EXPECT_TRUE(process::replace_file(_uploads + "/" + id + ".json", to_text(of), 0600));
        EXPECT_TRUE(process::replace_file(_uploads + "/" + id + ".csv", csv, 0600));
    }
    std::vector<std::string> files() {
        std::vector<std::string> out;
        for (const auto& each : std::filesystem::directory_iterator(_uploads)) {
            out.push_back(each.path().filename());
        }
        return out;
    }
    std::vector<std::string> listed() {
        const auto in = _store->read().value();
        std::vector<std::string> out;
        const auto page = directory::list_mailboxes(in, {}, {}).value();
        for (const auto& each : page.items) {
            out.push_back(each.address);
        }
        return out;
    }
    static std::string people(int count) {
        std::string out = "email\n";
        for (int i = 0; i < count; ++i) {
            out += "u" + std::to_string(i) + "@example.com\n";
        }
        return out;
    }

    std::string _folder;
    std::string _uploads;
    std::unique_ptr<directory::store> _store;
    std::unique_ptr<import_jobs> _jobs;
    int _count = 0;
};

TEST_F(imports, that_wait_to_be_applied_are_previewed_again) {
    const std::string id = add("email\na@example.com\n", false);
    EXPECT_EQ(settled(id).state, import_state::previewed);
    restart();
    const import_job after = settled(id);
    EXPECT_EQ(after.state, import_state::previewed);
    EXPECT_EQ(after.report->created, 1U);
    EXPECT_EQ(after.by, "tester");
    EXPECT_THAT(listed(), IsEmpty());
    EXPECT_EQ(_jobs->apply(id, {"other", ""}), import_jobs::apply_answer::queued);
    EXPECT_EQ(settled(id).state, import_state::applied);
    EXPECT_THAT(listed(), ElementsAre("a@example.com"));
    EXPECT_THAT(files(), IsEmpty());
    restart();
    EXPECT_FALSE(_jobs->find(id)) << "what is over is forgotten";
}

TEST_F(imports, whose_removals_are_held_wait_on_and_are_approved) {
    settled(add(people(40), true, true));
    const std::string id = add(people(10) + "new@example.com\n", true, true);
    const import_job before = settled(id);
    ASSERT_EQ(before.state, import_state::held);
    ASSERT_EQ(before.report->held, 30U);
    restart();
    const import_job after = settled(id);
    EXPECT_EQ(after.state, import_state::held);
    EXPECT_EQ(after.report->held, 30U);
    EXPECT_EQ(after.report->guard, before.report->guard);
    EXPECT_EQ(after.report->seq, before.report->seq);
    EXPECT_EQ(after.report->missing_rows.size(), before.report->missing_rows.size());
    EXPECT_EQ(listed().size(), 41U);
    EXPECT_EQ(_jobs->approve(id, {"other", ""}), import_jobs::approve_answer::queued);
    EXPECT_EQ(settled(id).state, import_state::applied);
    EXPECT_EQ(listed().size(), 11U);
}

TEST_F(imports, that_are_held_and_discarded_do_not_come_back) {
    settled(add(people(40), true, true));
    const std::string id = add(people(10), true, true);
    ASSERT_EQ(settled(id).state, import_state::held);
    EXPECT_TRUE(_jobs->remove(id));
    restart();
    EXPECT_FALSE(_jobs->find(id));
    EXPECT_THAT(files(), IsEmpty());
}

TEST_F(imports, that_were_to_be_applied_are_applied_in_their_order) {
    _jobs.reset();
    leave("a", import_state::queued, 0, "email,first_name\nx@example.com,First\n");
    leave("b", import_state::applying, 1, "email,first_name\nx@example.com,Second\n");
    start();
    EXPECT_EQ(settled("a").state, import_state::applied);
    EXPECT_EQ(settled("b").state, import_state::applied);
    EXPECT_EQ(directory::find_mailbox(_store->read().value(), "x@example.com").value().first_name, "Second");
}

TEST_F(imports, that_processes_end_with_again_and_again_are_given_up) {
    _jobs.reset();
    leave("a", import_state::applying, import_jobs::max_begun);
    leave("b", import_state::reading, import_jobs::max_begun);
    leave("c", import_state::applying, import_jobs::max_begun - 1);
    start();
    EXPECT_EQ(settled("a").state, import_state::failed);
    EXPECT_THAT(settled("a").error, HasSubstr("ended 3 times"));
    EXPECT_EQ(settled("b").state, import_state::failed);
    EXPECT_EQ(settled("c").state, import_state::applied);
}

TEST_F(imports, that_were_cancelled_before_their_turn_do_not_come_back) {
    const std::string first = add(people(20'000), true);
    const std::string id = add("email\na@example.com\n", true);
    EXPECT_TRUE(_jobs->remove(id));
    restart();
    EXPECT_FALSE(_jobs->find(id) && settled(id).state == import_state::applied);
    settled(first);
    EXPECT_EQ(listed().size(), 50U) << "a page of the first one's";
    EXPECT_FALSE(directory::find_mailbox(_store->read().value(), "a@example.com"));
}

TEST_F(imports, under_one_key_are_one_in_the_next_process_too) {
    const std::string id = add("email\na@example.com\n", false, false, "key");
    settled(id);
    restart();
    EXPECT_EQ(add("email\na@example.com\n", false, false, "key"), id);
    import_jobs::submission other;
    other.path = upload("email\nb@example.com\n");
    other.idempotency = "key";
    other.digest = "another";
    EXPECT_EQ(_jobs->add(std::move(other)).error(), import_jobs::add_error::other_request);
}

TEST_F(imports, that_can_not_be_read_are_given_up_and_nothing_else_stays_in_the_folder) {
    _jobs.reset();
    for (const char* const name : {"upload-1", "export-2", "lost.csv", "torn.csv", ".torn.json.new", "other.csv"}) {
        EXPECT_TRUE(process::replace_file(_uploads + "/" + name, "email\n", 0600));
    }
    EXPECT_TRUE(process::replace_file(_uploads + "/torn.json", R"({"id":"torn")", 0600));
    EXPECT_TRUE(process::replace_file(_uploads + "/alone.json", to_text({}), 0600));
    EXPECT_TRUE(process::replace_file(_uploads + "/other.json", to_text({}), 0600));
    start();
    EXPECT_THAT(_jobs->list(), IsEmpty());
    EXPECT_THAT(files(), IsEmpty());
}

TEST_F(imports, are_refused_where_they_can_not_be_kept) {
    import_jobs::submission given;
    given.path = _uploads + "/missing";
    EXPECT_EQ(_jobs->add(std::move(given)).error(), import_jobs::add_error::failed);
    EXPECT_THAT(_jobs->list(), IsEmpty());
}

}  // namespace
}  // namespace postern::api
