// Any interleaving of syncs, imports, manual changes, failures and restarts leaves exactly the union of what the
// sources last asserted, less what is blocked and superseded. Seeded; POSTERN_FULL=1 tries many more.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "control/directory/assertions.h"
#include "control/directory/connection.h"
#include "control/sources/import.h"
#include "tests/control/sync/scripted_directory.h"

namespace postern::sync {
namespace {

using directory::need;
using end = enum sources::fetch_outcome::end;

constexpr std::array steps{"fetching", "fetched", "staged", "comparing", "applied", "committed", "publishing"};
constexpr std::string_view csv = "csv:list";
constexpr std::string_view manual = "manual";
constexpr std::string_view discovery = "discovery:example.com";

class sync_property : public sync_test {
protected:
    void play(std::uint64_t seed, int length) {
        _random.seed(seed);
        for (const char* const name : {"x", "y"}) {
            source_settings set;
            set.limits.removed_percent = 30;
            set.limits.floor = 1;
            set.freshness = std::chrono::seconds(0);
            _sources[name] = add_source(name, set).id;
        }
        for (int step = 0; step < length; ++step) {
            _now += 1000 * (1 + pick(3'600));
            const std::string what = one_step();
            std::set<std::string> wanted = _pinned;
            for (const auto& [source, addresses] : _asserted) {
                wanted.insert(addresses.begin(), addresses.end());
            }
            for (const std::string& each : _blocked) {
                wanted.erase(each);
            }
            ASSERT_EQ(valid(), wanted) << "seed " << seed << ", step " << step << ": " << what;
            const auto in = read();
            ASSERT_FALSE(in.on()
                             .query("SELECT 1 FROM address a JOIN address m ON m.id = a.mailbox WHERE m.mailbox IS NOT"
                                    " NULL")
                             .step())
                << "an alias leads to an alias; seed " << seed << ", step " << step << ": " << what;
            ASSERT_FALSE(in.on()
                             .query("SELECT 1 FROM address a WHERE NOT valid AND hold = 0 AND NOT EXISTS (SELECT 1 FROM"
                                    " address o WHERE o.mailbox = a.id)")
                             .step())
                << "a row that nothing keeps; seed " << seed << ", step " << step << ": " << what;
        }
    }

private:
    std::uint64_t pick(std::uint64_t below) {
        return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(_random);
    }
    bool chance(unsigned percent) { return pick(100) < percent; }
    std::string address() { return "u" + std::to_string(pick(12)) + "@example.com"; }

    void edit(scripted_directory& people) {
        for (auto times = pick(5); times != 0; --times) {
            const std::string identity = "id-" + std::to_string(pick(7));
            if (chance(30) && people.objects.contains(identity)) {
                people.remove(identity);
                continue;
            }
            std::vector<std::string> aliases;
            for (auto more = pick(3); more != 0; --more) {
                aliases.push_back(address());
            }
            people.put(identity, address(), std::move(aliases), chance(50) ? "Ann" : "");
        }
    }

    std::string one_step() {
        const auto at = pick(100);
        if (at < 60) {
            return a_sync(chance(50) ? "x" : "y");
        }
        if (at < 68) {
            return an_import();
        }
        if (at < 76) {
            auto in = write();
            directory::new_mailbox input;
            input.address = address();
            if (directory::add_mailbox(in, input)) {
                commit(in);
                _asserted[std::string(manual)].insert(input.address);
            }
            return "add " + input.address;
        }
        if (at < 86) {
            return a_removal();
        }
        if (at < 91) {
            return a_discovery();
        }
        return a_hold();
    }

    std::string a_sync(const std::string& name) {
        scripted_directory& people = _directories[name];
        edit(people);
        people.end = chance(20) ? end::partial : chance(10) ? end::failed : end::complete;
        people.cut_after = people.end == end::complete ? SIZE_MAX : pick(5);
        people.whole_only = chance(20);
        people.refuse_cookie = chance(10);
        const std::uint32_t id = _sources[name];
        const bool dry = chance(10);
        const std::string crash_at = chance(25) ? steps.at(pick(steps.size())) : "";
        if (!crash_at.empty()) {
            start([&](service_options& options) {
                options.fault = [crash_at](std::string_view step) { return step == crash_at; };
            });
        }
        const std::uint64_t run_id = need(_service->start_sync(id, dry, {"tester", ""}));
        _service->wait_idle();
        if (!crash_at.empty()) {
            crash();
            reopen();
            start();
            _service->wait_idle();
        }
        sync_run done = run(run_id);
        take_in(name, done);
        if (done.state == run_state::held && chance(60)) {
            if (chance(50)) {
                need(_service->approve(run_id, {"tester", ""}));
                _service->wait_idle();
                done = run(run_id);
                EXPECT_EQ(done.state, run_state::succeeded) << done.reason;
                take_in(name, done);
            } else {
                need(_service->discard(run_id, {"tester", ""}));
            }
        }
        return "sync of " + name + " " + std::string(to_string(done.state)) + " " + crash_at;
    }

    /// What the source asserts after a run that ended so.
    void take_in(const std::string& name, const sync_run& done) {
        scripted_directory& people = _directories[name];
        auto& asserted = _asserted[name];
        std::set<std::string> next = asserted;
        if (done.state == run_state::succeeded) {
            next = people.addresses();
        } else if (done.state == run_state::held) {
            EXPECT_TRUE(done.additions_applied);
            const auto all = people.addresses();
            next.insert(all.begin(), all.end());
        } else if (done.state == run_state::partial) {
            const std::string& cookie = people.cookies.back();
            std::uint64_t since = cookie.empty() || people.whole_only ? 0 : std::stoull(cookie);
            since = people.refuse_cookie ? 0 : since;
            std::size_t read = 0;
            for (const auto& [identity, entry] : people.objects) {
                if (read == people.cut_after) {
                    break;
                }
                if (people.touched[identity] > since || since == 0) {
                    ++read;
                    next.insert(entry.address);
                    next.insert(entry.aliases.begin(), entry.aliases.end());
                }
            }
        } else {
            const bool nothing = done.state == run_state::failed || done.state == run_state::previewed;
            EXPECT_TRUE(nothing) << to_string(done.state);
        }
        for (const std::string& each : next) {
            if (!asserted.contains(each)) {
                _asserted[std::string(discovery)].erase(each);
            }
        }
        asserted = std::move(next);
    }

    std::string an_import() {
        std::string file = "email\n";
        std::set<std::string> listed;
        for (auto rows = 1 + pick(6); rows != 0; --rows) {
            const std::string each = address();
            file += each + "\n";
            // What is an alias in the list is no mailbox by import: that is told, not done.
            const auto in = read();
            if (!in.on()
                     .query("SELECT 1 FROM address WHERE normal = ? AND mailbox IS NOT NULL",
                            std::string_view(each).substr(0, each.find('@')))
                     .step()) {
                listed.insert(each);
            }
        }
        sources::import_options how;
        how.source = csv;
        how.replace = chance(50);
        need(sources::apply_csv(*_store, sources::from_memory(file), how, {"tester", "import"}));
        auto& asserted = _asserted[std::string(csv)];
        if (how.replace) {
            asserted.clear();
        }
        asserted.insert(listed.begin(), listed.end());
        return "import";
    }

    void forget(const std::string& address) {
        for (auto& [source, addresses] : _asserted) {
            addresses.erase(address);
        }
        _pinned.erase(address);
        _blocked.erase(address);
    }

    std::string a_removal() {
        const std::string which = address();
        auto in = write();
        const auto found = directory::find_mailbox(in, which);
        if (!found) {
            return "nothing to remove";
        }
        if (found->normal != which) {
            const auto alias = std::ranges::find(found->aliases, which, &directory::alias::normal);
            need(directory::remove_alias(in, alias->id));
            forget(which);
        } else {
            need(directory::remove_mailbox(in, found->id));
            forget(which);
            for (const directory::alias& each : found->aliases) {
                forget(each.normal);
            }
        }
        commit(in);
        return "remove " + which;
    }

    std::string a_discovery() {
        const std::string which = address();
        auto in = write();
        const auto found = directory::find_mailbox(in, which);
        if (!found || found->normal != which) {
            return "nothing to discover";
        }
        const auto source = need(directory::need_source(in, discovery, 1));
        need(directory::assert_address(in, found->id, source));
        commit(in);
        _asserted[std::string(discovery)].insert(which);
        return "discover " + which;
    }

    std::string a_hold() {
        const std::string which = address();
        auto in = write();
        const auto found = directory::find_mailbox(in, which);
        const auto to = static_cast<directory::hold>(pick(3));
        if (!found) {
            if (to == directory::hold::blocked) {
                need(directory::block_address(in, which));
                commit(in);
                _blocked.insert(which);
            }
            return "hold";
        }
        if (found->normal != which) {
            const auto alias = std::ranges::find(found->aliases, which, &directory::alias::normal);
            need(directory::set_alias_hold(in, alias->id, to));
        } else {
            directory::mailbox_change change;
            change.hold = to;
            need(directory::change_mailbox(in, found->id, change));
        }
        commit(in);
        _pinned.erase(which);
        _blocked.erase(which);
        if (to != directory::hold::none) {
            (to == directory::hold::pinned ? _pinned : _blocked).insert(which);
        }
        return "hold " + which + " " + std::string(directory::to_string(to));
    }

    std::mt19937_64 _random;
    std::map<std::string, std::uint32_t> _sources;
    std::map<std::string, std::set<std::string>> _asserted;  ///< by source
    std::set<std::string> _pinned;
    std::set<std::string> _blocked;
};

class sync_property_seeded : public sync_property, public testing::WithParamInterface<int> {};

TEST_P(sync_property_seeded, the_list_is_the_union_of_what_the_sources_last_asserted) {
    play(static_cast<std::uint64_t>(GetParam()), 60);
}
INSTANTIATE_TEST_SUITE_P(seeds, sync_property_seeded,
                         testing::Range(0, std::getenv("POSTERN_FULL") == nullptr ? 1 : 400));

}  // namespace
}  // namespace postern::sync
