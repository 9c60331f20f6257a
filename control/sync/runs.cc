#include "control/sync/runs.h"

#include <algorithm>
#include <array>
#include <limits>

#include "control/directory/paging.h"
#include "control/directory/scope_sql.h"
#include "control/sync/run_rows.h"

namespace postern::sync {

namespace {

using directory::statement;

constexpr std::array<std::string_view, 12> state_words = {"queued",    "fetching",  "comparing", "publishing",
                                                          "held",      "succeeded", "partial",   "failed",
                                                          "cancelled", "previewed", "discarded", "superseded"};
constexpr std::array<std::string_view, 5> item_words = {"added", "removed", "changed", "reassigned", "moved"};

constexpr std::string_view columns =
    "SELECT r.id, r.source, s.name, coalesce(s.organisation, 0), r.state, r.dry, r.whole, r.who, r.why, r.step,"
    " r.reason, r.guard, r.server, r.additions_applied, r.removals_applied, r.read, r.left_out, r.foreign_addresses,"
    " r.unusable, r.asserted_before, r.added, r.removed, r.changed, r.moved, r.decided_by, r.seq, r.started, r.fetched,"
    " r.applied, r.in_force, r.ended, r.complete, r.approved, r.cookie, r.served"
    " FROM sync_run r JOIN source s ON s.id = r.source";

sync_run read(const statement& row) {
    sync_run out;
    out.id = row.as<std::uint64_t>(0);
    out.source = row.as<std::uint32_t>(1);
    out.source_name = row.text(2);
    out.organisation = row.as<std::uint32_t>(3);
    out.state = static_cast<run_state>(row.integer(4));
    out.dry = row.integer(5) != 0;
    out.whole = row.integer(6) != 0;
    out.who = row.text(7);
    out.why = row.text(8);
    out.step = row.text(9);
    out.reason = row.text(10);
    out.guard = row.text(11);
    out.server = row.text(12);
    out.additions_applied = row.integer(13) != 0;
    out.removals_applied = row.integer(14) != 0;
    run_counts& counts = out.counts;
    counts.read = row.as<std::uint64_t>(15);
    counts.left_out = row.as<std::uint64_t>(16);
    counts.foreign = row.as<std::uint64_t>(17);
    counts.unusable = row.as<std::uint64_t>(18);
    counts.before = row.as<std::uint64_t>(19);
    counts.added = row.as<std::uint64_t>(20);
    counts.removed = row.as<std::uint64_t>(21);
    counts.changed = row.as<std::uint64_t>(22);
    counts.moved = row.as<std::uint64_t>(23);
    out.decided_by = row.text(24);
    out.seq = row.as<std::uint64_t>(25);
    out.started = row.integer(26);
    out.fetched = row.integer(27);
    out.applied = row.integer(28);
    out.in_force = row.integer(29);
    out.ended = row.integer(30);
    return out;
}

template <class Enum, std::size_t N>
std::optional<Enum> parse(const std::array<std::string_view, N>& words, std::string_view word) noexcept {
    const auto found = std::ranges::find(words, word);
    return found == words.end() ? std::nullopt : std::optional(static_cast<Enum>(found - words.begin()));
}

}  // namespace

std::string_view to_string(run_state state) noexcept {
    const auto at = static_cast<std::size_t>(state);
    return at < state_words.size() ? state_words[at] : "unknown";
}
std::optional<run_state> parse_run_state(std::string_view word) noexcept {
    return parse<run_state>(state_words, word);
}
std::string_view to_string(diff_item::kind what) noexcept {
    const auto at = static_cast<std::size_t>(what);
    return at < item_words.size() ? item_words[at] : "unknown";
}
std::optional<diff_item::kind> parse_item_kind(std::string_view word) noexcept {
    return parse<diff_item::kind>(item_words, word);
}

directory::result<directory::page<sync_run>> list_runs(const directory::reader& in, const run_filter& filter,
                                                       const directory::page_request& at) {
    const auto cursor = directory::read_cursor(at, std::numeric_limits<std::int64_t>::max());
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    std::string sql = std::string(columns) + " WHERE r.id < ?1";
    sql += filter.source == 0 ? " AND ?2 = 0" : " AND r.source = ?2";
    sql += filter.organisation == 0 ? " AND ?3 = 0" : " AND s.organisation = ?3";
    sql += !filter.state ? " AND ?4 = 0" : " AND r.state = ?4";
    sql += " AND " + directory::organisation_condition(filter.within, "s.organisation", "?6");
    statement rows = in.on().query(sql + " ORDER BY r.id DESC LIMIT ?5", cursor->after, filter.source,
                                   filter.organisation, filter.state ? static_cast<int>(*filter.state) : 0,
                                   cursor->limit + 1, directory::scope_ids(filter.within));
    directory::page<sync_run> out;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        out.items.push_back(read(rows));
    }
    return directory::or_failure(in, std::move(out));
}

directory::result<run_row> find_run_row(const directory::reader& in, std::uint64_t id) {
    statement row = in.on().query(std::string(columns) + " WHERE r.id = ?", id);
    if (!row.step()) {
        return directory::nothing_found(in, "there is no sync " + std::to_string(id));
    }
    return run_row{read(row), row.integer(31) != 0, row.integer(32) != 0, std::string(row.text(33)),
                   std::string(row.text(34))};
}

directory::result<sync_run> find_run(const directory::reader& in, std::uint64_t id) {
    auto found = find_run_row(in, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    return std::move(found->shown);
}

}  // namespace postern::sync
