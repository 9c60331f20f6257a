#include "control/sync/service.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "board/process/files.h"
#include "board/process/log.h"
#include "control/directory/bulk.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/directory/paging.h"
#include "control/sync/comparison.h"
#include "control/sync/files.h"
#include "control/sync/run_rows.h"
#include "control/sync/service_body.h"

namespace postern::sync {

namespace {

using directory::error_kind;
using directory::fail;
using directory::statement;
using std::chrono::milliseconds;

constexpr milliseconds decision_patience{10'000};
constexpr int most_tests = 4;

}  // namespace

directory::result<void> service::body::begin() {
    // What a test's fault stops is everything, as a crash would.
    if (options.fault) {
        options.fault = [this, asked = options.fault](std::string_view step) {
            if (!asked(step)) {
                return false;
            }
            const std::lock_guard hold(mutex);
            stop = true;
            changed.notify_all();
            return true;
        };
    }
    std::vector<std::uint64_t> unfinished;
    {
        const auto in = store.read();
        if (!in) {
            return tl::unexpected(in.error());
        }
        auto found = runs_at_work(*in);
        if (!found) {
            return tl::unexpected(found.error());
        }
        unfinished = *std::move(found);
        // Files whose run is not known any more.
        std::error_code ignored;
        for (const auto& each : std::filesystem::directory_iterator(options.folder, ignored)) {
            const std::string number = each.path().stem().string();
            if (is_push_on_its_way(number)) {
                std::filesystem::remove(each.path(), ignored);
                continue;
            }
            if (number.empty() || number.find_first_not_of("0123456789") != std::string::npos || number.size() > 18) {
                continue;
            }
            if (!find_run(*in, std::stoull(number))) {
                remove_files(options.folder, std::stoull(number));
            }
        }
    }
    for (const std::uint64_t run : unfinished) {
        auto in = store.write({"system", "start"}, decision_patience);
        if (!in) {
            return tl::unexpected(in.error());
        }
        const auto row = find_run(*in, run);
        if (!row) {
            return tl::unexpected(row.error());
        }
        // Without its stage a run has to fetch again.
        if (row->state == run_state::comparing && !std::filesystem::is_regular_file(stage_path(options.folder, run))) {
            put_state(*in, run, run_state::queued);
            if (auto done = in->commit(); !done) {
                return tl::unexpected(done.error());
            }
        }
        process::log(process::level::info, "sync_resumed",
                     {{"run", run}, {"source", row->source_name}, {"state", to_string(row->state)}});
        queue.push_back(run);
    }
    tell.start();
    for (unsigned i = 0; i < std::max(1U, options.at_once); ++i) {
        threads.emplace_back([this] { run_worker(); });
    }
    if (options.scheduled) {
        threads.emplace_back([this] { run_schedule(); });
    }
    return {};
}

void service::body::end() {
    {
        const std::lock_guard hold(mutex);
        stop = true;
        for (const auto& [run, control] : active) {
            control->stop.store(true);
        }
        changed.notify_all();
    }
    for (std::thread& each : threads) {
        each.join();
    }
    threads.clear();
    followed.end();
    tell.end();
}

void service::body::put(std::uint64_t run) {
    const std::lock_guard hold(mutex);
    queue.push_back(run);
    changed.notify_all();
}

void service::body::run_worker() {
    std::unique_lock hold(mutex);
    while (true) {
        changed.wait(hold, [&] { return stop || !queue.empty(); });
        if (stop) {
            return;
        }
        const std::uint64_t run = queue.front();
        queue.pop_front();
        const auto control = std::make_shared<run_control>();
        active.emplace(run, control);
        hold.unlock();
        work.run(run, *control);
        hold.lock();
        active.erase(run);
        changed.notify_all();
    }
}

directory::result<void> service::body::decide(std::uint64_t run, run_state to, const directory::actor& by) {
    auto in = store.write(by, decision_patience);
    if (!in) {
        return tl::unexpected(in.error());
    }
    const auto row = find_run(*in, run);
    if (!row) {
        return tl::unexpected(row.error());
    }
    if (row->state != run_state::held) {
        return fail(error_kind::conflict,
                    "sync " + std::to_string(run) + " is not held: it is " + std::string(to_string(row->state)));
    }
    const bool approved = to == run_state::comparing;
    if (approved) {
        statement other = in->on().query("SELECT id FROM sync_run WHERE source = ? AND state <= 3", row->source);
        if (other.step()) {
            return fail(error_kind::conflict, "sync " + std::to_string(other.integer(0)) + " of " + row->source_name +
                                                  " is at work; it may take this one's place. Try again after it");
        }
        if (!std::filesystem::is_regular_file(stage_path(options.folder, run))) {
            return fail(error_kind::conflict,
                        "what sync " + std::to_string(run) + " fetched is not there any more; sync again");
        }
    }
    in->on().run("UPDATE sync_run SET state = ?, approved = ?, decided_by = ?, decided_why = ?, ended = ? WHERE id = ?",
                 static_cast<int>(to), approved, by.who, by.why, approved ? 0 : in->now(), run);
    if (auto noted = directory::record(*in, approved ? "approved" : "discarded", "sync:" + std::to_string(run), 0, "",
                                       "", row->source);
        !noted) {
        return noted;
    }
    if (auto done = in->commit(); !done) {
        return tl::unexpected(done.error());
    }
    process::log(process::level::info, approved ? "sync_approved" : "sync_discarded",
                 {{"run", run}, {"source", row->source_name}, {"by", by.who}});
    if (approved) {
        put(run);
    } else {
        remove_stage(options.folder, run);
    }
    return {};
}

/// `sql` selects id first, from `diff`, with parameters: after, what (-1: any), limit.
template <class Item, class Read>
directory::result<directory::page<Item>> service::body::page(std::uint64_t run, std::string_view sql, int what,
                                                             const directory::page_request& at, Read read) const {
    const auto cursor = directory::read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    const std::string path = diff_path(options.folder, run);
    if (!std::filesystem::is_regular_file(path)) {
        return fail(error_kind::not_found, "there is no diff of sync " + std::to_string(run) +
                                               ": it has not come so far, or is no longer kept");
    }
    const auto held = store.borrow();
    if (!held) {
        return tl::unexpected(held.error());
    }
    directory::connection& on = held->on();
    if (auto done = attach(on, path, "diff"); !done) {
        return tl::unexpected(done.error());
    }
    directory::page<Item> out;
    statement rows = on.query(sql, cursor->after, what, cursor->limit + 1);
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        out.items.push_back(read(rows));
    }
    if (on.failed()) {
        return tl::unexpected(on.failure());
    }
    return out;
}

service::service(std::unique_ptr<body> made) noexcept : _body(std::move(made)) {}
service::~service() = default;

directory::result<std::unique_ptr<service>> service::start(directory::store& store, service_options options) {
    if (::mkdir(options.folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail(error_kind::failed, process::errno_text("make the folder of syncs", options.folder, errno) +
                                            "; its parent must exist and belong to the user that runs this");
    }
    auto box = secret_box::open(options.key_file);
    if (!box) {
        return fail(error_kind::failed, box.error());
    }
    options.types.emplace(push_type_name, push_type());
    auto made = std::make_unique<body>(store, std::move(options), *std::move(box));
    if (auto begun = made->begin(); !begun) {
        return tl::unexpected(begun.error());
    }
    return std::unique_ptr<service>(new service(std::move(made)));
}

const environment& service::with() const noexcept {
    return _body->environs;
}

directory::result<std::uint64_t> service::start_sync(std::uint32_t source, bool dry, const directory::actor& by) {
    auto in = _body->store.write(by, decision_patience);
    if (!in) {
        return tl::unexpected(in.error());
    }
    auto run = queue_sync(*in, source, dry);
    if (!run) {
        return run;
    }
    if (auto done = in->commit(); !done) {
        return tl::unexpected(done.error());
    }
    _body->put(*run);
    return run;
}

directory::result<std::uint64_t> service::queue_sync(directory::writer& in, std::uint32_t source, bool dry) {
    const auto found = find_source(in, source);
    if (found && found->type == push_type_name) {
        return fail(error_kind::refused,
                    found->name + " has no directory to read: its list is pushed, see push (posternctl push)");
    }
    return insert_run(in, source, dry);
}
void service::begin(std::uint64_t run) {
    _body->put(run);
}

directory::result<void> service::cancel(std::uint64_t run, const directory::actor& by) {
    {
        const std::lock_guard hold(_body->mutex);
        const auto found = _body->active.find(run);
        if (found != _body->active.end() && found->second->fetching.load()) {
            found->second->cancelled.store(true);
            found->second->stop.store(true);
            process::log(process::level::info, "sync_cancelled", {{"run", run}, {"by", by.who}});
            return {};
        }
    }
    auto in = _body->store.write(by, decision_patience);
    if (!in) {
        return tl::unexpected(in.error());
    }
    const auto row = find_run(*in, run);
    if (!row) {
        return tl::unexpected(row.error());
    }
    if (row->state != run_state::queued && row->state != run_state::fetching) {
        return fail(error_kind::refused,
                    "sync " + std::to_string(run) + " can't be cancelled: it is " + std::string(to_string(row->state)));
    }
    // Whoever takes it from the queue finds it over.
    put_end(*in, run, run_state::cancelled, "cancelled by " + by.who);
    in->on().run("UPDATE sync_source SET next_run = max(next_run, ?1 + interval) WHERE source = ?2", in->now(),
                 row->source);
    if (auto done = in->commit(); !done) {
        return tl::unexpected(done.error());
    }
    return {};
}

directory::result<void> service::approve(std::uint64_t run, const directory::actor& by) {
    return _body->decide(run, run_state::comparing, by);
}
directory::result<void> service::discard(std::uint64_t run, const directory::actor& by) {
    return _body->decide(run, run_state::discarded, by);
}

directory::result<directory::page<diff_item>> service::items(std::uint64_t run, std::optional<diff_item::kind> what,
                                                             const directory::page_request& at) const {
    return _body->page<diff_item>(
        run,
        "SELECT id, what, address, object, before, after FROM diff.item WHERE id > ?1 AND (?2 < 0 OR what = ?2)"
        " ORDER BY id LIMIT ?3",
        what ? static_cast<int>(*what) : -1, at, [](const statement& row) {
            return diff_item{row.as<std::uint64_t>(0), static_cast<diff_item::kind>(row.integer(1)),
                             std::string(row.text(2)), std::string(row.text(3)),
                             std::string(row.text(4)), std::string(row.text(5))};
        });
}

directory::result<directory::page<run_problem>> service::problems(std::uint64_t run,
                                                                  const directory::page_request& at) const {
    return _body->page<run_problem>(
        run, "SELECT id, address, object, reason FROM diff.problem WHERE id > ?1 AND ?2 < 0 ORDER BY id LIMIT ?3", -1,
        at, [](const statement& row) {
            return run_problem{row.as<std::uint64_t>(0), std::string(row.text(1)), std::string(row.text(2)),
                               std::string(row.text(3))};
        });
}

directory::result<sources::test_report> service::test(const source_order& order) const {
    const auto type = _body->options.types.find(order.name.substr(0, order.name.find(':')));
    if (type == _body->options.types.end() || !type->second.test) {
        return fail(error_kind::invalid, "there is no directory of this type to test", "name");
    }
    if (type->second.check) {
        if (auto good = type->second.check(order); !good) {
            return tl::unexpected(good.error());
        }
    }
    if (_body->tests.fetch_add(1) >= most_tests) {
        --_body->tests;
        return fail(error_kind::busy, "as many tests of connections run as may at a time; try again");
    }
    auto report = type->second.test(order, _body->tests_end);
    --_body->tests;
    return report;
}

void service::end_tests() {
    _body->tests_end.store(true);
}

void service::look_again() {
    const std::lock_guard hold(_body->mutex);
    _body->look = true;
    _body->changed.notify_all();
}

void service::tell(const notice& what, const notices& to, const std::string& webhook_secret) {
    _body->tell.tell(what, to, webhook_secret);
}

void service::tick() {
    _body->tick();
}

directory::result<metrics> service::snapshot() const {
    const auto in = _body->store.read();
    if (!in) {
        return tl::unexpected(in.error());
    }
    metrics out;
    directory::page_request at{"", 1000};
    do {
        const auto page = list_sources(*in, {}, at);
        if (!page) {
            return tl::unexpected(page.error());
        }
        for (const directory_source& each : page->items) {
            out.sources.push_back({each.id, each.name, each.organisation, each.set.enabled, each.state.out_of_date,
                                   each.state.held != 0, each.state.running != 0, each.state.failures,
                                   each.state.last_good, each.state.asserted});
        }
        at.after = page->next;
    } while (!at.after.empty());
    const run_totals& totals = _body->totals;
    out.succeeded = totals.succeeded.load();
    out.partial = totals.partial.load();
    out.failed = totals.failed.load();
    out.held = totals.held.load();
    out.added = totals.added.load();
    out.removed = totals.removed.load();
    out.notices_sent = _body->tell.sent();
    out.notices_failed = _body->tell.failed();
    out.notices_dropped = _body->tell.dropped();
    const auto in_grace = directory::count_in_grace(*in);
    if (!in_grace) {
        return tl::unexpected(in_grace.error());
    }
    out.in_grace = *in_grace;
    return out;
}

void service::wait_idle() const {
    std::unique_lock hold(_body->mutex);
    _body->changed.wait(hold, [&] { return _body->stop || (_body->queue.empty() && _body->active.empty()); });
}

}  // namespace postern::sync
