#include "control/sync/run_rows.h"

#include <algorithm>

#include "control/sources/csv_text.h"

namespace postern::sync {

namespace {

using directory::connection;
using directory::statement;

constexpr directory::timestamp window = 24LL * 3600 * 1000;
constexpr std::size_t longest_reason = 2000;

int number(run_state state) noexcept {
    return static_cast<int>(state);
}

}  // namespace

directory::result<std::uint64_t> insert_run(directory::writer& in, std::uint32_t source, bool dry) {
    {
        statement found = in.on().query(
            "SELECT s.name, (SELECT r.id FROM sync_run r WHERE r.source = y.source AND r.state <= 3) FROM sync_source y"
            " JOIN source s ON s.id = y.source WHERE y.source = ?",
            source);
        if (!found.step()) {
            return directory::nothing_found(in, "there is no directory source " + std::to_string(source));
        }
        if (!found.is_null(1)) {
            return directory::fail(directory::error_kind::conflict, "sync " + std::to_string(found.integer(1)) +
                                                                        " of " + std::string(found.text(0)) +
                                                                        " is at work already");
        }
    }
    in.on().run("INSERT INTO sync_run(source, state, dry, who, why, started) VALUES (?, 0, ?, ?, ?, ?)", source, dry,
                in.by().who, in.by().why, in.now());
    return directory::or_failure(in, static_cast<std::uint64_t>(in.on().last_id()));
}

directory::result<std::vector<std::uint64_t>> runs_at_work(const directory::reader& in) {
    std::vector<std::uint64_t> out;
    statement rows = in.on().query("SELECT id FROM sync_run WHERE state <= 3 ORDER BY id");
    while (rows.step()) {
        out.push_back(rows.as<std::uint64_t>(0));
    }
    return directory::or_failure(in, std::move(out));
}

void put_state(directory::writer& in, std::uint64_t run, run_state state) {
    in.on().run("UPDATE sync_run SET state = ? WHERE id = ?", number(state), run);
}

void put_fetched(directory::writer& in, std::uint64_t run, const sources::fetch_outcome& outcome,
                 const stage_counts& counts, const std::string& served) {
    in.on().run(
        "UPDATE sync_run SET whole = ?, complete = ?, step = ?, reason = ?, server = ?, cookie = ?, served = ?,"
        " read = ?, left_out = ?, foreign_addresses = ?, unusable = ?, fetched = ? WHERE id = ?",
        outcome.whole, outcome.end == sources::fetch_outcome::end::complete,
        sources::plain_text(outcome.step, longest_reason), sources::plain_text(outcome.reason, longest_reason),
        sources::plain_text(outcome.server, longest_reason), outcome.cookie, served, outcome.read, outcome.left_out,
        counts.foreign, counts.unusable, in.now(), run);
}

void put_compared(directory::writer& in, std::uint64_t run, const comparison& found, const guard_verdict& verdict) {
    in.on().run(
        "UPDATE sync_run SET asserted_before = ?, added = ?, removed = ?, changed = ?, moved = ?, guard = ? WHERE id = "
        "?",
        found.asserted, found.added, found.removed, found.changed, found.moved, verdict.text, run);
}

void put_end(directory::writer& in, std::uint64_t run, run_state state, const std::string& reason) {
    in.on().run("UPDATE sync_run SET state = ?, reason = iif(?2 = '', reason, ?2), ended = ?3 WHERE id = ?4",
                number(state), sources::plain_text(reason, longest_reason), in.now(), run);
}

std::uint64_t supersede_held(directory::writer& in, std::uint32_t source, std::uint64_t but) {
    std::uint64_t held = 0;
    {
        statement row =
            in.on().query("SELECT id FROM sync_run WHERE source = ? AND state = 4 AND id <> ?", source, but);
        if (!row.step()) {
            return 0;
        }
        held = row.as<std::uint64_t>(0);
    }
    put_end(in, held, run_state::superseded, "");
    return held;
}

directory::result<std::vector<std::uint64_t>> forget_runs(directory::writer& in, std::uint32_t source,
                                                          std::uint32_t kept) {
    std::vector<std::uint64_t> out;
    {
        statement rows = in.on().query(
            "SELECT id FROM sync_run WHERE source = ?1 AND state > 4 AND ended < ?3 AND id <= (SELECT id FROM sync_run "
            "WHERE source ="
            " ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            source, kept, in.now() - 2 * window);
        while (rows.step()) {
            out.push_back(rows.as<std::uint64_t>(0));
        }
    }
    for (const std::uint64_t each : out) {
        in.on().run("DELETE FROM sync_run WHERE id = ?", each);
    }
    return directory::or_failure(in, std::move(out));
}

directory::timestamp window_start(directory::timestamp now, directory::timestamp guard_since) {
    return std::max(now - window, guard_since);
}

void count_window(const directory::reader& in, std::uint32_t source, directory::timestamp since, guard_numbers& out) {
    connection& on = in.on();
    out.oldest = out.asserted;
    {
        statement row = on.query(
            "SELECT asserted_before FROM sync_run WHERE source = ? AND applied > ? AND asserted_before > 0"
            " ORDER BY applied LIMIT 1",
            source, since);
        if (row.step()) {
            out.oldest = row.as<std::uint64_t>(0);
        }
    }
    // What came back meanwhile, or comes back now, was not removed.
    statement row = on.query(
        "SELECT count(*) FROM (SELECT DISTINCT h.subject AS subject, h.domain AS domain FROM main.sync_run r CROSS JOIN"
        " main.history h ON h.act = r.act WHERE r.source = ?1 AND r.applied > ?2 AND r.removals_applied AND r.act <> 0"
        "  AND h.source = ?1 AND h.what = 'withdrawn') g JOIN main.domain d ON d.id = g.domain WHERE NOT EXISTS"
        " (SELECT 1 FROM main.address a JOIN main.assertion n ON n.address = a.id AND n.source = ?1 WHERE a.domain ="
        "  d.id AND a.normal = substr(g.subject, 9, length(g.subject) - 9 - length(d.name)))"
        " AND NOT EXISTS (SELECT 1 FROM temp.work_claim w WHERE w.domain = d.id AND w.normal ="
        "  substr(g.subject, 9, length(g.subject) - 9 - length(d.name)))",
        source, since);
    out.removed_earlier = row.step() ? row.as<std::uint64_t>(0) : 0;
}

}  // namespace postern::sync
