#include "control/sync/runner.h"

#include <exception>
#include <filesystem>
#include <thread>

#include "board/process/log.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/sources/push/fetcher.h"
#include "control/sync/apply.h"
#include "control/sync/files.h"
#include "control/sync/push_rows.h"
#include "control/sync/source_rows.h"
#include "control/sync/stage.h"

namespace postern::sync {

namespace {

using directory::error_kind;
using directory::statement;
using sources::fetch_outcome;
using std::chrono::milliseconds;

constexpr milliseconds patience{2'000};            // for one turn of the store; tried again until it is got or the stop
constexpr milliseconds in_force_patience{30'000};  // after that a run is over, in force or not

directory::actor actor_of(const run_row& row) {
    const sync_run& run = row.shown;
    std::string why = "sync " + std::to_string(run.id) + " of " + run.source_name;
    if (!run.why.empty()) {
        why += ": " + run.why;
    }
    return {row.approved ? run.decided_by : run.who, std::move(why)};
}

std::string where(const fetch_outcome& outcome) {
    return (outcome.step.empty() ? "" : outcome.step + ": ") +
           (outcome.reason.empty() ? "the directory gave no reason" : outcome.reason);
}

}  // namespace

void runner::run(std::uint64_t id, run_control& control) {
    const auto load = [&]() -> directory::result<run_row> {
        const auto in = _store.read();
        if (!in) {
            return tl::unexpected(in.error());
        }
        return find_run_row(*in, id);
    };
    auto row = load();
    if (row && (row->shown.state == run_state::queued || row->shown.state == run_state::fetching)) {
        if (fetch(*row, control) == next::leave) {
            return;
        }
        row = load();
    }
    control.fetching.store(false);
    if (row && row->shown.state == run_state::comparing) {
        if (compare_and_apply(*row, control) == next::leave) {
            return;
        }
        row = load();
    }
    if (row && (row->shown.state == run_state::publishing || row->shown.state == run_state::held)) {
        publish(*row, control);
    }
    if (!row) {
        process::log(process::level::error, "sync_lost", {{"run", id}, {"error", row.error().text}});
    }
    // Once it is staged or over, what was pushed is not needed any more.
    if (const auto now = load(); now && now->shown.state > run_state::fetching) {
        remove_push(_options.folder, id);
    }
}

directory::result<directory::writer> runner::write(const directory::lease* held, const run_row& row,
                                                   const run_control* control) {
    while (true) {
        auto out =
            held == nullptr ? _store.write(actor_of(row), patience) : _store.write(*held, actor_of(row), patience);
        const bool stopped = control != nullptr && control->stop.load() && !control->cancelled.load();
        if (out || out.error().kind != error_kind::busy || stopped) {
            return out;
        }
    }
}

/// What reads the list that was pushed for this run; `served` becomes what the source may assert.
tl::expected<std::unique_ptr<sources::fetcher>, std::string> runner::pushed(const directory::reader& in,
                                                                            const directory_source& source,
                                                                            std::uint64_t run, served_domains& served) {
    const auto settings = read_push_settings(source.set.settings);
    const auto list = find_push_run(in, run);
    if (!settings || !list) {
        return tl::unexpected(!settings ? settings.error().text : list.error().text);
    }
    const std::string path = push_path(_options.folder, run);
    if (!std::filesystem::is_regular_file(path)) {
        return tl::unexpected(std::string("what was pushed is not there any more; push again"));
    }
    limit_domains(served, settings->domains);
    return sources::push::make_fetcher({path, list->whole, std::to_string(list->sequence)});
}

runner::next runner::fetch(const run_row& row, run_control& control) {
    const std::uint64_t id = row.shown.id;
    const std::uint32_t source = row.shown.source;
    fetch_outcome outcome;
    outcome.step = "settings";
    const auto fail = [&](const std::string& reason) {
        outcome.reason = reason;
        fail_run(row, run_state::failed, where(outcome), &outcome);
        return next::leave;
    };
    {
        auto out = write(nullptr, row, &control);
        if (!out) {
            return next::leave;  // the program ends, or the store is broken: the next start goes on
        }
        const auto now = find_run(*out, id);
        if (!now || (now->state != run_state::queued && now->state != run_state::fetching)) {
            return next::leave;  // cancelled meanwhile
        }
        put_state(*out, id, run_state::fetching);
        out->on().run("UPDATE sync_source SET last_start = ? WHERE source = ?", out->now(), source);
        if (!out->commit() || crash_at("fetching")) {
            return next::leave;
        }
    }
    sources::fetch_request request;
    served_domains served;
    std::string served_digest;
    std::unique_ptr<sources::fetcher> fetcher;
    {
        const auto in = _store.read();
        if (!in) {
            return fail(in.error().text);
        }
        const auto found = find_source(*in, source);
        const auto memory = find_memory(*in, source);
        auto order = order_of(*in, _with, source);
        auto domains = find_served_domains(*in, row.shown.organisation);
        if (!found || !memory || !order || !domains) {
            return fail(!found    ? found.error().text
                        : !memory ? memory.error().text
                        : !order  ? order.error().text
                                  : domains.error().text);
        }
        const auto type = _with.types.find(found->type);
        if (type == _with.types.end()) {
            return fail("this program knows no directory of type '" + found->type + "'");
        }
        if (found->type == push_type_name) {
            auto made = pushed(*in, *found, id, *domains);
            if (!made) {
                return fail(made.error());
            }
            fetcher = *std::move(made);
        } else {
            auto made = type->second.make(*order);
            if (!made) {
                return fail(made.error());
            }
            fetcher = *std::move(made);
        }
        served = *std::move(domains);
        served_digest = digest_of_domains(*in, row.shown.organisation);
        // Changes alone are enough only over what is as the last sync left it.
        if (!memory->unsure && memory->served == served_digest && !differs_from_claims(*in, source)) {
            request.cookie = memory->cookie;
        }
    }
    auto staged =
        stage::create(stage_path(_options.folder, id), std::move(served), _options.max_addresses, control.stop);
    if (!staged) {
        outcome.step = "staging";
        return fail(staged.error().text);
    }
    try {
        outcome = fetcher->fetch(request, **staged, control.stop);
    } catch (const std::exception& problem) {
        outcome = {};
        outcome.reason = problem.what();
    }
    outcome.whole = outcome.whole || (*staged)->restarted();
    if ((*staged)->failed()) {
        outcome.end = fetch_outcome::end::failed;
        outcome.step = "staging";
        outcome.reason = (*staged)->failure().text;
    } else if ((*staged)->too_many()) {
        outcome.end = fetch_outcome::end::partial;
        outcome.step = "staging";
        outcome.reason = "the directory has more than " + std::to_string(_options.max_addresses) +
                         " addresses; narrow the base or the filter";
    } else if (control.stop.load()) {
        outcome.end = fetch_outcome::end::stopped;
    }
    if (crash_at("fetched")) {
        return next::leave;
    }
    if (outcome.end == fetch_outcome::end::stopped) {
        staged->reset();
        remove_stage(_options.folder, id);
        if (control.cancelled.load()) {
            fail_run(row, run_state::cancelled, "cancelled", &outcome);
        }
        return next::leave;
    }
    if (outcome.end == fetch_outcome::end::failed) {
        staged->reset();
        remove_stage(_options.folder, id);
        fail_run(row, run_state::failed, where(outcome), &outcome);
        return next::leave;
    }
    const auto counts = (*staged)->finish();
    staged->reset();
    if (!counts) {
        outcome.step = "staging";
        return fail(counts.error().text);
    }
    if (crash_at("staged")) {
        return next::leave;
    }
    auto out = write(nullptr, row, &control);
    if (!out) {
        return next::leave;
    }
    put_fetched(*out, id, outcome, *counts, served_digest);
    put_state(*out, id, run_state::comparing);
    return out->commit() && !crash_at("comparing") ? next::go_on : next::leave;
}

directory::result<guard_verdict> runner::change_list(directory::writer& out, const run_row& row,
                                                     std::uint64_t& superseded) {
    const sync_run& run = row.shown;
    const auto source = find_source(out, run.source);
    const auto memory = find_memory(out, run.source);
    if (!source || !memory) {
        return tl::unexpected(!source ? source.error() : memory.error());
    }
    const comparison_input input{run.source, run.organisation, run.whole, row.complete, _options.max_items};
    const auto found = compare(out, input);
    if (!found) {
        return tl::unexpected(found.error());
    }
    write_items(out, input);
    guard_numbers numbers;
    numbers.complete = row.complete;
    numbers.whole = run.whole;
    numbers.pushed = source->type == push_type_name;
    numbers.approved = row.approved;
    numbers.staged = found->staged;
    numbers.asserted = found->asserted;
    numbers.added = found->added;
    numbers.removed = found->removed;
    count_window(out, run.source, window_start(out.now(), memory->guard_since), numbers);
    const guard_verdict verdict = judge(source->set.limits, numbers);
    put_compared(out, run.id, *found, verdict);
    if (run.dry) {
        put_end(out, run.id, run_state::previewed, "");
        return directory::or_failure(out, verdict);
    }
    if (verdict.end == guard_verdict::end::empty) {
        put_end(out, run.id, run_state::failed, verdict.text);
        put_source_end(out, row, found->differed, verdict);
        return directory::or_failure(out, verdict);
    }
    if (verdict.end == guard_verdict::end::hold || verdict.additions) {
        superseded = supersede_held(out, run.source, run.id);
    }
    if (verdict.additions) {
        const apply_input how{run.source, verdict.removals,
                              std::chrono::duration_cast<milliseconds>(source->set.grace).count()};
        if (auto applied = apply(out, how); !applied) {
            return tl::unexpected(applied.error());
        }
        out.on().run(
            "UPDATE sync_run SET additions_applied = 1, removals_applied = ?, applied = ?, act = ? WHERE id = ?",
            verdict.removals, out.now(), out.on().act, run.id);
    }
    out.on().run(
        "UPDATE sync_run SET seq = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0) WHERE id = ? "
        "AND"
        " applied <> 0",
        run.id);
    put_state(out, run.id, verdict.end == guard_verdict::end::hold ? run_state::held : run_state::publishing);
    put_source_end(out, row, found->differed, verdict);
    return directory::or_failure(out, verdict);
}

/// How the source stands after this run.
void runner::put_source_end(directory::writer& out, const run_row& row, bool differed, const guard_verdict& verdict) {
    directory::connection& on = out.on();
    const std::uint32_t source = row.shown.source;
    on.run(
        "UPDATE sync_source SET asserted = (SELECT total(addresses) FROM source_tally WHERE source = ?1) WHERE source "
        "= ?1",
        source);
    const bool held = verdict.end == guard_verdict::end::hold;
    const bool failed = verdict.end == guard_verdict::end::empty || !row.complete;
    if (held) {
        // The next sync is a whole one: it judges all of it anew.
        on.run("UPDATE sync_source SET failures = 0, trouble = ?, unsure = 1 WHERE source = ?", verdict.text, source);
        if (verdict.additions) {
            on.run("UPDATE sync_source SET last_good = ? WHERE source = ?", row.shown.fetched, source);
        }
    } else if (failed) {
        on.run("UPDATE sync_source SET failures = failures + 1, trouble = ?, unsure = 1 WHERE source = ?",
               row.complete ? verdict.text : row.shown.reason, source);
    } else {
        on.run(
            "UPDATE sync_source SET cookie = ?, served = ?, unsure = ?, last_good = ?, failures = 0, trouble = ''"
            " WHERE source = ?",
            row.cookie, row.served, differed && !row.shown.whole, row.shown.fetched, source);
    }
    if (row.approved) {
        on.run("UPDATE sync_source SET guard_since = ? WHERE source = ?", out.now(), source);
    }
    put_next_run(out, source, failed);
}

void runner::put_next_run(directory::writer& out, std::uint32_t source, bool failed) {
    const auto found = find_source(out, source);
    if (!found) {
        return;
    }
    double random = 0;
    {
        const std::lock_guard hold(_random_mutex);
        random = std::uniform_real_distribution<double>(0, 1)(_random);
    }
    const auto pause = pause_before_next(found->set.interval, failed ? std::max(1U, found->state.failures) : 0, random);
    out.on().run("UPDATE sync_source SET next_run = ? WHERE source = ?", out.now() + pause.count(), source);
}

runner::next runner::compare_and_apply(const run_row& row, run_control& control) {
    const std::uint64_t id = row.shown.id;
    directory_source before;
    {
        const auto in = _store.read();
        auto found = in ? find_source(*in, row.shown.source) : tl::unexpected(in.error());
        if (!found) {
            return next::leave;
        }
        before = *std::move(found);
    }
    const auto give_up = [&](const directory::error& cause) {
        if (crash_at("failing")) {
            return next::leave;
        }
        fail_run(row, run_state::failed, "applying: " + cause.text, nullptr);
        remove_stage(_options.folder, id);
        return next::leave;
    };
    std::uint64_t superseded = 0;
    directory::result<guard_verdict> verdict;
    {
        auto held = _store.borrow();
        if (!held) {
            return give_up(held.error());
        }
        if (auto done = attach(held->on(), stage_path(_options.folder, id), "stage"); !done) {
            return give_up(done.error());
        }
        if (auto done = attach_new_diff(held->on(), diff_path(_options.folder, id)); !done) {
            return give_up(done.error());
        }
        auto out = write(&*held, row, &control);
        if (!out) {
            return out.error().kind == error_kind::busy ? next::leave : give_up(out.error());
        }
        verdict = change_list(*out, row, superseded);
        if (crash_at("applied")) {
            return next::leave;
        }
        const auto seq = verdict ? out->commit() : tl::unexpected(verdict.error());
        if (!seq) {
            return give_up(seq.error());
        }
        if (crash_at("committed")) {
            return next::leave;
        }
    }
    if (superseded != 0) {
        remove_files(_options.folder, superseded);
    }
    if (verdict->end != guard_verdict::end::hold || row.shown.dry) {
        remove_stage(_options.folder, id);
    }
    report(before, id);
    return next::go_on;
}

void runner::publish(const run_row& row, const run_control& control) {
    if (row.shown.state == run_state::held && row.shown.applied == 0) {
        return;
    }
    bool in_force = !_options.wait_in_force;
    for (milliseconds waited{0}; !in_force && waited < in_force_patience && !control.stop.load(); waited += patience) {
        in_force = _options.wait_in_force(row.shown.seq, patience);
    }
    if ((!in_force && control.stop.load()) || crash_at("publishing")) {
        return;
    }
    auto out = write(nullptr, row, nullptr);
    if (!out) {
        return;
    }
    if (in_force) {
        out->on().run("UPDATE sync_run SET in_force = ? WHERE id = ?", out->now(), row.shown.id);
    } else {
        process::log(process::level::warn, "sync_not_in_force",
                     {{"run", row.shown.id}, {"source", row.shown.source_name}, {"seq", row.shown.seq}});
    }
    if (row.shown.state == run_state::publishing) {
        put_end(*out, row.shown.id, row.complete ? run_state::succeeded : run_state::partial, "");
    }
    const auto forgotten = forget_runs(*out, row.shown.source, _options.kept_runs);
    if (forgotten && out->commit()) {
        for (const std::uint64_t each : *forgotten) {
            remove_files(_options.folder, each);
        }
    }
}

void runner::fail_run(const run_row& row, run_state state, const std::string& reason, const fetch_outcome* outcome) {
    directory_source before;
    {
        auto out = write(nullptr, row, nullptr);
        auto found = out ? find_source(*out, row.shown.source) : tl::unexpected(out.error());
        if (!found) {
            process::log(process::level::error, "sync_record_failed",
                         {{"run", row.shown.id}, {"error", found.error().text}});
            return;
        }
        before = *std::move(found);
        if (outcome != nullptr) {
            put_fetched(*out, row.shown.id, *outcome, {}, "");
        }
        put_end(*out, row.shown.id, state, reason);
        if (!row.shown.dry && state == run_state::failed) {
            out->on().run("UPDATE sync_source SET failures = failures + 1, trouble = ? WHERE source = ?", reason,
                          row.shown.source);
        }
        if (!row.shown.dry) {
            put_next_run(*out, row.shown.source, state == run_state::failed);
        }
        if (const auto done = out->commit(); !done) {
            process::log(process::level::error, "sync_record_failed",
                         {{"run", row.shown.id}, {"error", done.error().text}});
            return;
        }
    }
    report(before, row.shown.id);
}

/// Log, totals and notices of a run that has come to its end, or is held.
void runner::report(const directory_source& before, std::uint64_t id) {
    std::string secret;
    const auto row = [&]() -> directory::result<sync_run> {
        const auto in = _store.read();
        if (!in) {
            return tl::unexpected(in.error());
        }
        secret = open_secret(*in, _with, before.id, "webhook_secret").value_or("");
        return find_run(*in, id);
    }();
    if (!row) {
        return;
    }
    const sync_run& run = *row;
    const bool failed = run.state == run_state::failed;
    const bool held = run.state == run_state::held;
    const bool partial = run.state == run_state::publishing && !run.removals_applied;
    const bool applied = run.state == run_state::publishing || held;
    const std::string& text = held || (failed && run.reason.empty()) ? run.guard : run.reason;
    const std::string event = failed                               ? "sync_failed"
                              : held                               ? "sync_held"
                              : partial                            ? "sync_partial"
                              : run.state == run_state::publishing ? "sync_applied"
                                                                   : "sync_" + std::string(to_string(run.state));
    process::log(failed || held || partial ? process::level::warn : process::level::info, event,
                 {{"run", run.id},
                  {"source", run.source_name},
                  {"dry", run.dry},
                  {"whole", run.whole},
                  {"read", run.counts.read},
                  {"added", run.counts.added},
                  {"removed", run.counts.removed},
                  {"changed", run.counts.changed},
                  {"moved", run.counts.moved},
                  {"foreign", run.counts.foreign},
                  {"unusable", run.counts.unusable},
                  {"reason", text}});
    if (run.dry || (!failed && !applied)) {
        return;
    }
    _totals.failed += failed ? 1 : 0;
    _totals.held += held ? 1 : 0;
    _totals.partial += partial ? 1 : 0;
    _totals.succeeded += applied && !held && !partial ? 1 : 0;
    _totals.added += run.additions_applied ? run.counts.added : 0;
    _totals.removed += run.removals_applied ? run.counts.removed : 0;
    notice what{event, run.source_name, run.organisation, run.id, text, run.counts, _store.now()};
    const notices& to = before.set.notify;
    if (failed || held || partial) {
        // The same trouble is told once, not every hour.
        if (to.trouble && before.state.trouble != text) {
            _tell.tell(what, to, secret);
        }
        return;
    }
    if (to.trouble && !before.state.trouble.empty()) {
        what.event = "sync_recovered";
        what.text = "after: " + before.state.trouble;
        _tell.tell(what, to, secret);
        return;
    }
    const run_counts& counts = run.counts;
    if ((to.additions && counts.added != 0) || (to.changes && counts.removed + counts.changed != 0)) {
        what.event = "sync_changed";
        _tell.tell(what, to, secret);
    }
}

}  // namespace postern::sync
