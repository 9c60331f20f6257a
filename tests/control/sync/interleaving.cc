#include "tests/control/sync/interleaving.h"

#include <algorithm>
#include <array>
#include <utility>

#include "control/directory/assertions.h"
#include "control/directory/bulk.h"
#include "control/directory/changes.h"
#include "control/directory/connection.h"
#include "control/sources/import.h"
#include "control/sync/restore.h"

namespace postern::sync {

using directory::need;
using end = enum sources::fetch_outcome::end;

namespace {

constexpr std::array steps{"fetching", "fetched", "staged", "comparing", "applied", "committed", "publishing"};
constexpr const char* csv = "csv:list";
constexpr const char* manual = "manual";
constexpr const char* discovery = "discovery:example.com";
constexpr std::chrono::seconds patience{60};

}  // namespace

interleaving::interleaving() : _edge(_folder.file("edge.sock"), _folder.file("tables")) {
    _edge.start();
}

interleaving::~interleaving() {
    _service.reset();
    _publisher.reset();
    _edge.stop();
}

void interleaving::start_all(const std::string& crash_at) {
    _service.reset();
    _publisher.reset();
    publish::publisher_options options;
    options.tables = _folder.file("tables");
    options.edges = {{"edge", _folder.file("edge.sock")}};
    options.overlay_limit = 6;
    options.coalesce = std::chrono::milliseconds(1);
    options.retry_min = std::chrono::milliseconds(5);
    _publisher = need(publish::publisher::start(*_store, std::move(options)));
    start([&](service_options& set) {
        set.wait_in_force = [this](std::uint64_t seq, std::chrono::milliseconds most) {
            return _publisher->wait_in_force(seq, most) == publish::in_force::everywhere;
        };
        if (!crash_at.empty()) {
            set.fault = [crash_at](std::string_view at) { return at == crash_at; };
        }
    });
}

void interleaving::restart() {
    crash();
    _publisher.reset();
    reopen();
    start_all();
    _service->wait_idle();
}

void interleaving::begin(std::uint64_t seed) {
    _random.seed(seed);
    start_all();
    for (const char* const name : {"x", "y"}) {
        source_settings set;
        set.limits.removed_percent = 30;
        set.limits.floor = 1;
        set.freshness = std::chrono::seconds(0);
        set.grace = std::chrono::hours(name == std::string("y") && seed % 2 == 0 ? 2 : 0);
        _sources[name] = add_source(name, set).id;
    }
}

std::set<std::string> interleaving::wanted() const {
    std::set<std::string> out = _pinned;
    for (const auto& [source, all] : _asserted) {
        out.insert(all.begin(), all.end());
    }
    for (const std::string& each : _blocked) {
        out.erase(each);
    }
    return out;
}

std::map<std::string, std::set<std::string>> interleaving::asserted() {
    std::map<std::string, std::set<std::string>> out;
    const auto in = read();
    directory::statement rows = in.on().query(
        "SELECT s.name, a.normal || '@' || d.name FROM assertion n JOIN source s ON s.id = n.source JOIN address a ON"
        " a.id = n.address JOIN domain d ON d.id = a.domain");
    while (rows.step()) {
        out[std::string(rows.text(0))].emplace(rows.text(1));
    }
    return out;
}

std::map<std::string, std::set<std::string>> interleaving::asserted_in_the_model() const {
    std::map<std::string, std::set<std::string>> out;
    for (const auto& [source, all] : _asserted) {
        if (!all.empty()) {
            out[(_sources.contains(source) ? "test:" : "") + source] = all;
        }
    }
    return out;
}

std::set<std::string> interleaving::at_the_edge() {
    const std::uint64_t seq = need(directory::last_change(read()));
    EXPECT_EQ(_publisher->wait_in_force(seq, patience), publish::in_force::everywhere);
    std::set<std::string> out;
    for (std::uint64_t n = 0; n <= addresses; ++n) {
        const std::string each = "u" + std::to_string(n) + "@example.com";
        if (_edge.standing(each) == "listed") {
            out.insert(each);
        }
    }
    return out;
}

void interleaving::expect_rows_in_order() {
    const auto in = read();
    const auto none = [&](const char* sql, const char* what) { EXPECT_FALSE(in.on().query(sql).step()) << what; };
    none("SELECT 1 FROM address a JOIN address m ON m.id = a.mailbox WHERE m.mailbox IS NOT NULL",
         "an alias leads to an alias");
    none(
        "SELECT 1 FROM address a WHERE NOT valid AND hold = 0 AND NOT EXISTS (SELECT 1 FROM address o WHERE o.mailbox ="
        " a.id)",
        "a row that nothing keeps");
    none("SELECT 1 FROM address a WHERE grace_until <> 0 AND EXISTS (SELECT 1 FROM assertion n WHERE n.address = a.id)",
         "a grace for what is asserted");
}

std::string interleaving::step() {
    _now += 1000 * static_cast<directory::timestamp>(1 + pick(3'600));
    const auto at = pick(100);
    std::string out = at < 42   ? a_sync(chance(50) ? "x" : "y")
                      : at < 48 ? two_syncs()
                      : at < 54 ? a_decision()
                      : at < 57 ? a_change_of_the_source()
                      : at < 60 ? a_restore()
                      : at < 63 ? an_end_of_graces()
                      : at < 66 ? (restart(), "restart")
                                : by_hand();
    _past.push_back({_now, _asserted});
    return out;
}

// What directories say

void interleaving::edit(scripted_directory& people) {
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

/// The directory's next answer, good or not.
void interleaving::prepare(const std::string& name) {
    scripted_directory& people = _directories[name];
    edit(people);
    people.end = chance(20) ? end::partial : chance(10) ? end::failed : end::complete;
    people.cut_after = people.end == end::complete ? SIZE_MAX : pick(5);
    people.whole_only = chance(20);
    people.refuse_cookie = chance(10);
    people.meanwhile = {};
}

std::string interleaving::a_sync(const std::string& name) {
    prepare(name);
    scripted_directory& people = _directories[name];
    std::string within;
    if (chance(25)) {
        // Somebody changes the list while the directory is being read. (A sync of changes alone leaves what a person
        // removed meanwhile to the next whole one.)
        people.whole_only = true;
        people.meanwhile = [&, asked = false](const std::atomic<bool>& /*stop*/) mutable {
            if (!std::exchange(asked, true)) {
                within = by_hand();
            }
        };
    }
    const bool dry = chance(10);
    const std::string crash_at = chance(25) ? steps.at(pick(steps.size())) : "";
    if (!crash_at.empty()) {
        start_all(crash_at);
    }
    const std::uint64_t id = need(_service->start_sync(_sources[name], dry, {"tester", ""}));
    _service->wait_idle();
    if (!crash_at.empty()) {
        restart();
    }
    people.meanwhile = {};
    const sync_run done = run(id);
    take_in(name, done);
    return "sync of " + name + " " + std::string(to_string(done.state)) + ' ' + crash_at + ' ' + within;
}

std::string interleaving::two_syncs() {
    std::vector<std::pair<std::string, std::uint64_t>> runs;
    for (const char* const name : {"x", "y"}) {
        prepare(name);
    }
    for (const char* const name : {"x", "y"}) {
        runs.emplace_back(name, need(_service->start_sync(_sources[name], false, {"tester", ""})));
    }
    _service->wait_idle();
    for (const auto& [name, id] : runs) {
        take_in(name, run(id));
    }
    return "two syncs at once";
}

void interleaving::assert_instead(const std::string& source, std::set<std::string> next) {
    auto& asserted = _asserted[source];
    for (const std::string& each : next) {
        if (!asserted.contains(each)) {
            _asserted[discovery].erase(each);  // mail flow was evidence until an authority spoke
        }
    }
    asserted = std::move(next);
}

void interleaving::take_in(const std::string& name, const sync_run& done) {
    scripted_directory& people = _directories[name];
    std::set<std::string> next = _asserted[name];
    if (done.state == run_state::succeeded) {
        next = people.addresses();
        _held.erase(name);
    } else if (done.state == run_state::held) {
        EXPECT_TRUE(done.additions_applied);
        const auto all = people.addresses();
        next.insert(all.begin(), all.end());
        _held[name] = all;
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
    assert_instead(name, std::move(next));
}

/// A sync that waits for a person, whatever has happened since it was fetched.
std::string interleaving::a_decision() {
    for (const auto& [name, id] : _sources) {
        const std::uint64_t held = source(id).state.held;
        if (held == 0) {
            continue;
        }
        // One of changes says nothing of what a person removed since.
        if (run(held).whole && chance(60)) {
            need(_service->approve(held, {"tester", ""}));
            _service->wait_idle();
            EXPECT_EQ(run(held).state, run_state::succeeded) << run(held).reason;
            assert_instead(name, _held[name]);
            return "approve " + name;
        }
        need(_service->discard(held, {"tester", ""}));
        return "discard " + name;
    }
    return "nothing to decide";
}

std::string interleaving::a_change_of_the_source() {
    const std::string name = chance(50) ? "x" : "y";
    const source_settings set = source(_sources[name]).set;
    auto in = write();
    need(remove_source(in, _sources[name]));
    commit(in);
    _asserted[name].clear();
    _held.erase(name);
    _sources[name] = add_source(name, set).id;
    return "remove the source " + name + " and set it up again";
}

std::string interleaving::a_restore() {
    if (_past.empty()) {
        return "nothing to restore";
    }
    const std::string name = chance(50) ? "x" : "y";
    const moment& then = _past[pick(_past.size())];
    {
        auto in = write();
        need(apply_restore(in, {_sources[name], 0, then.at}));
        commit(in);
    }
    const auto was = then.asserted.find(name);
    _asserted[name] = was == then.asserted.end() ? std::set<std::string>() : was->second;
    change(_sources[name], [](source_settings& set) { set.enabled = true; });
    return "restore " + name;
}

// What people do

std::string interleaving::by_hand() {
    const auto at = pick(100);
    return at < 20   ? an_import()
           : at < 35 ? a_mailbox()
           : at < 50 ? a_removal()
           : at < 62 ? an_alias_move()
           : at < 74 ? other_aliases()
           : at < 90 ? a_hold()
                     : a_discovery();
}

std::string interleaving::an_import() {
    std::string file = "email\n";
    std::set<std::string> listed;
    for (auto more = 1 + pick(6); more != 0; --more) {
        const std::string each = address();
        file += each + "\n";
        // What is an alias in the list is no mailbox by import: that is told, not done.
        const auto in = read();
        const auto found = directory::find_mailbox(in, each);
        if (!found || found->normal == each) {
            listed.insert(each);
        }
    }
    sources::import_options how;
    how.source = csv;
    how.replace = chance(50);
    how.strict = chance(20);
    const bool bad_row = how.strict && chance(50);
    if (bad_row) {
        file += "no address\n";
    }
    // Given up by a person, at the first row or when all is ready to be written.
    const bool cancelled = chance(20);
    const auto last = chance(50) ? sources::import_progress::stage::reading : sources::import_progress::stage::writing;
    const auto done =
        sources::apply_csv(*_store, sources::from_memory(file), how, {"tester", "import"},
                           [&](const sources::import_progress& at) { return !cancelled || at.stage < last; });
    EXPECT_TRUE(done || cancelled) << done.error().text;
    EXPECT_FALSE(done && done->applied && cancelled);
    if (!done || !done->applied) {
        return "import that does nothing";
    }
    EXPECT_FALSE(bad_row);
    auto& asserted = _asserted[csv];
    if (how.replace) {
        asserted.clear();
    }
    asserted.insert(listed.begin(), listed.end());
    return "import";
}

std::string interleaving::a_mailbox() {
    auto in = write();
    directory::new_mailbox input;
    input.address = address();
    if (chance(40)) {
        input.aliases.push_back(address());
    }
    if (!directory::add_mailbox(in, input)) {
        return "nothing to add";
    }
    commit(in);
    _asserted[manual].insert(input.address);
    _asserted[manual].insert(input.aliases.begin(), input.aliases.end());
    return "add " + input.address;
}

void interleaving::forget(const std::string& address) {
    for (auto& [source, all] : _asserted) {
        all.erase(address);
    }
    _pinned.erase(address);
    _blocked.erase(address);
}

std::string interleaving::a_removal() {
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

/// An address becomes an alias of another mailbox: taken from where it is, and given there, in one transaction.
std::string interleaving::an_alias_move() {
    const std::string which = address();
    const std::string whose = address();
    auto in = write();
    const auto from = directory::find_mailbox(in, which);
    const auto to = directory::find_mailbox(in, whose);
    if (!to || to->normal != whose || which == whose || (from && from->normal == which && !from->aliases.empty())) {
        return "no alias to move";
    }
    if (from && from->normal == which) {
        need(directory::remove_mailbox(in, from->id));
    } else if (from) {
        need(directory::remove_alias(in, std::ranges::find(from->aliases, which, &directory::alias::normal)->id));
    }
    if (!directory::find_mailbox(in, to->id)) {
        return "the mailbox was kept by that alias alone";
    }
    need(directory::add_alias(in, to->id, which));
    commit(in);
    forget(which);
    _asserted[manual].insert(which);
    return "alias " + which + " to " + whose;
}

/// The whole set of a mailbox's aliases is given anew.
std::string interleaving::other_aliases() {
    const std::string whose = address();
    auto in = write();
    const auto box = directory::find_mailbox(in, whose);
    if (!box || box->normal != whose) {
        return "no mailbox";
    }
    directory::mailbox_change change;
    change.aliases.emplace();
    for (auto more = pick(3); more != 0; --more) {
        change.aliases->push_back(address());
    }
    const auto changed = directory::change_mailbox(in, box->id, change);
    if (!changed) {
        return "aliases that are taken: " + changed.error().text;
    }
    commit(in);
    const std::set<std::string> now(change.aliases->begin(), change.aliases->end());
    for (const directory::alias& each : box->aliases) {
        if (!now.contains(each.normal)) {
            forget(each.normal);
        }
    }
    for (const std::string& each : now) {
        if (std::ranges::find(box->aliases, each, &directory::alias::normal) == box->aliases.end()) {
            _asserted[manual].insert(each);
        }
    }
    return "other aliases of " + whose;
}

std::string interleaving::a_hold() {
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

std::string interleaving::a_discovery() {
    const std::string which = address();
    auto in = write();
    const auto found = directory::find_mailbox(in, which);
    if (!found || found->normal != which) {
        return "nothing to discover";
    }
    const auto source = need(directory::need_source(in, discovery, 1));
    need(directory::assert_address(in, found->id, source));
    commit(in);
    _asserted[discovery].insert(which);
    return "discover " + which;
}

std::string interleaving::an_end_of_graces() {
    auto in = write();
    need(directory::end_graces(in));
    commit(in);
    EXPECT_FALSE(read().on().query("SELECT 1 FROM address WHERE grace_until <> 0 AND grace_until <= ?", _now).step());
    return "end of graces";
}

}  // namespace postern::sync
