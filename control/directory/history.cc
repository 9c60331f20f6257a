#include "control/directory/history.h"

#include "control/directory/connection.h"
#include "control/directory/rows.h"
#include "control/directory/scope_sql.h"

namespace postern::directory {

result<std::int64_t> need_act(writer& in) {
    if (in.on().act == 0) {
        in.on().run("INSERT INTO act(at, who, why) VALUES (?, ?, ?)", in.now(), in.by().who, in.by().why);
        in.on().act = in.on().last_id();
    }
    return or_failure(in, in.on().act);
}

result<void> record(writer& in, std::string_view what, std::string_view subject, std::uint32_t domain,
                    std::string_view before, std::string_view after, std::uint32_t source) {
    const auto act = need_act(in);
    if (!act) {
        return tl::unexpected(act.error());
    }
    in.on().run(
        "INSERT INTO history(act, what, subject, domain, source, before, after, organisation)"
        " VALUES (?1, ?2, ?3, ?4, nullif(?5, 0), nullif(?6, ''), nullif(?7, ''),"
        " coalesce(json_extract(nullif(coalesce(nullif(?7, ''), ?6), ''), '$.organisation'),"
        " (SELECT organisation FROM source WHERE id = ?5), 0))",
        *act, what, subject, domain, source, before, after);
    return or_failure(in);
}

namespace {

/// Of rows `h`; parameters 8 and 9.
std::string within_condition(const scope& within) {
    switch (within.reach) {
        case reach::everything:
            return "?8 <> '' AND ?9 = 0";
        case reach::organisation:
            return "(" + domain_id_condition(within, "h.domain", "?8") + " OR " +
                   organisation_condition(within, "h.organisation", "?8") + ") AND ?9 = 0";
        case reach::domains:
            return domain_id_condition(within, "h.domain", "?8") + " AND ?9 = 0";
        case reach::group:
            // 'address:NORMAL@DOMAIN': the part between is the row's key.
            return domain_id_condition(within, "h.domain", "?8") +
                   " AND EXISTS (SELECT 1 FROM domain d JOIN address s ON s.domain = d.id AND"
                   " s.normal = substr(h.subject, 9, length(h.subject) - 9 - length(d.name))"
                   " WHERE d.id = h.domain AND h.subject = 'address:' || s.normal || '@' || d.name AND " +
                   group_condition(within, "s", "?9") + ")";
    }
    return "0";
}

}  // namespace

result<page<history_entry>> list_history(const reader& in, const history_filter& filter, const page_request& at) {
    static const scope everything;
    const scope& within = filter.within == nullptr ? everything : *filter.within;
    const auto cursor = read_cursor(at, std::numeric_limits<std::int64_t>::max());
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    std::string sql =
        "SELECT h.id, a.at, a.who, a.why, h.what, h.subject, h.domain, s.name, h.before, h.after "
        "FROM history h JOIN act a ON a.id = h.act LEFT JOIN source s ON s.id = h.source WHERE h.id < ?1";
    // Each filter is in the text only if it is asked for, so that SQLite chooses its index.
    sql += filter.subject.empty() ? " AND ?2 = ''" : " AND h.subject = ?2";
    sql += filter.domain == 0 ? " AND ?3 = 0" : " AND h.domain = ?3";
    sql += filter.who.empty() ? " AND ?4 = ''" : " AND a.who = ?4";
    sql += filter.from == 0 ? " AND ?5 = 0" : " AND a.at >= ?5";
    sql += filter.until == 0 ? " AND ?6 = 0" : " AND a.at < ?6";
    sql += " AND " + within_condition(within) + " ORDER BY h.id DESC LIMIT ?7";
    statement rows = in.on().query(sql, cursor->after, filter.subject, filter.domain, filter.who, filter.from,
                                   filter.until, cursor->limit + 1, scope_ids(within), within.group);
    page<history_entry> out;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        history_entry& entry = out.items.emplace_back();
        entry.id = rows.as<std::uint64_t>(0);
        entry.at = rows.integer(1);
        entry.who = rows.text(2);
        entry.why = rows.text(3);
        entry.what = rows.text(4);
        entry.subject = rows.text(5);
        entry.domain = rows.as<std::uint32_t>(6);
        entry.source = rows.text(7);
        entry.before = rows.text(8);
        entry.after = rows.text(9);
    }
    return or_failure(in, std::move(out));
}

}  // namespace postern::directory
