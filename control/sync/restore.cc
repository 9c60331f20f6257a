#include "control/sync/restore.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "control/directory/bulk.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/sync/runs.h"

namespace postern::sync {

namespace {

using directory::connection;
using directory::statement;

constexpr std::size_t most_items = 1000;

std::uint64_t count(connection& on, std::string_view sql) {
    statement asked = on.query(sql);
    return asked.step() ? asked.as<std::uint64_t>(0) : 0;
}

/// temp.restore_pair: every (address, source) whose assertion is not what it was. Addresses of domains that are not
/// served any more are left out.
void find_pairs(connection& on, const restore_request& request) {
    on.script(
        "DROP TABLE IF EXISTS temp.restore_subject; DROP TABLE IF EXISTS temp.restore_pair;"
        "DROP TABLE IF EXISTS temp.restore_row;"
        "CREATE TEMP TABLE restore_subject(subject TEXT PRIMARY KEY, domain INTEGER NOT NULL, normal TEXT NOT NULL);"
        "CREATE TEMP TABLE restore_pair(subject TEXT NOT NULL, source INTEGER NOT NULL, domain INTEGER NOT NULL,"
        " normal TEXT NOT NULL, was INTEGER NOT NULL DEFAULT 0, now INTEGER NOT NULL DEFAULT 0, address INTEGER,"
        " PRIMARY KEY (subject, source));");
    on.run(
        "INSERT OR IGNORE INTO temp.restore_subject SELECT h.subject, d.id,"
        " substr(h.subject, 9, length(h.subject) - 9 - length(d.name)) FROM act t CROSS JOIN history h ON h.act = t.id"
        " JOIN domain d ON d.id = h.domain WHERE t.at > ?1 AND h.subject GLOB 'address:*'"
        " AND (?2 = 0 OR d.organisation = ?2)",
        request.at, request.organisation);
    on.run(
        "INSERT OR IGNORE INTO temp.restore_pair(subject, source, domain, normal) SELECT r.subject, h.source, r.domain,"
        " r.normal FROM temp.restore_subject r CROSS JOIN history h ON h.subject = r.subject WHERE h.source IS NOT NULL"
        " AND h.what IN ('asserted', 'added', 'withdrawn') AND (?1 = 0 OR h.source = ?1)",
        request.source);
    on.run(
        "UPDATE temp.restore_pair SET address = (SELECT a.id FROM address a WHERE a.domain = restore_pair.domain AND"
        " a.normal = restore_pair.normal), was = coalesce((SELECT h.what IN ('asserted', 'added') FROM history h JOIN "
        "act"
        " t ON t.id = h.act WHERE h.subject = restore_pair.subject AND t.at <= ?1 AND ((h.source = restore_pair.source"
        "  AND h.what IN ('asserted', 'added', 'withdrawn')) OR h.what = 'removed') ORDER BY h.id DESC LIMIT 1), 0)",
        request.at);
    on.script(
        "UPDATE temp.restore_pair SET now = EXISTS (SELECT 1 FROM assertion n WHERE n.address = restore_pair.address "
        "AND"
        " n.source = restore_pair.source) WHERE address IS NOT NULL;"
        "DELETE FROM temp.restore_pair WHERE was = now;");
}

restore_report describe(connection& on) {
    restore_report out;
    out.returning = count(on, "SELECT count(*) FROM temp.restore_pair WHERE was");
    out.leaving = count(on, "SELECT count(*) FROM temp.restore_pair WHERE now");
    statement rows = on.query(
        "SELECT p.normal || '@' || d.name, s.name, p.was FROM temp.restore_pair p JOIN domain d ON d.id = p.domain"
        " JOIN source s ON s.id = p.source ORDER BY p.was, d.name, p.normal LIMIT ?",
        most_items);
    while (rows.step()) {
        out.items.push_back({std::string(rows.text(0)), std::string(rows.text(1)), rows.integer(2) != 0});
    }
    statement paused = on.query(
        "SELECT s.name FROM sync_source y JOIN source s ON s.id = y.source WHERE y.enabled AND y.source IN"
        " (SELECT source FROM temp.restore_pair) ORDER BY s.name");
    while (paused.step()) {
        out.paused.emplace_back(paused.text(0));
    }
    return out;
}

directory::result<void> check(connection& on, const restore_request& request, directory::timestamp now) {
    using directory::error_kind;
    if ((request.source == 0) == (request.organisation == 0)) {
        return directory::fail(error_kind::invalid, "name the source or the organisation whose list is to be restored",
                               "source");
    }
    if (request.at <= 0 || request.at >= now) {
        return directory::fail(error_kind::invalid, "the time to go back to must be in the past", "at");
    }
    if (request.source != 0 && !on.query("SELECT 1 FROM source WHERE id = ?", request.source).step()) {
        return directory::fail(error_kind::not_found, "there is no source " + std::to_string(request.source));
    }
    if (request.organisation != 0 &&
        !on.query("SELECT 1 FROM organisation WHERE id = ?", request.organisation).step()) {
        return directory::fail(error_kind::not_found,
                               "there is no organisation " + std::to_string(request.organisation));
    }
    return {};
}

/// A sync that is at work would undo it: what it fetched is of before.
directory::result<void> refuse_while_at_work(connection& on) {
    statement row = on.query(
        "SELECT r.id, s.name FROM sync_run r JOIN source s ON s.id = r.source WHERE r.state < ? AND NOT r.dry AND"
        " r.source IN (SELECT source FROM temp.restore_pair) ORDER BY r.id LIMIT 1",
        static_cast<int>(run_state::publishing));
    if (!row.step()) {
        return {};
    }
    return directory::fail(directory::error_kind::conflict,
                           "sync " + std::to_string(row.integer(0)) + " of " + std::string(row.text(1)) +
                               " is at work and would undo it; wait for its end or cancel it");
}

/// temp.restore_row: what was known of addresses that have no row any more, from the first thing that befell them
/// since.
void find_rows(connection& on, directory::timestamp at) {
    on.script(
        "CREATE TEMP TABLE restore_row(subject TEXT PRIMARY KEY, domain INTEGER NOT NULL, normal TEXT NOT NULL,"
        " known TEXT, owner_text TEXT, owner INTEGER)");
    on.run(
        "INSERT INTO temp.restore_row(subject, domain, normal, known) SELECT DISTINCT p.subject, p.domain, p.normal,"
        " (SELECT h.before FROM history h JOIN act t ON t.id = h.act WHERE h.subject = p.subject AND t.at > ? AND"
        "  h.before IS NOT NULL ORDER BY h.id LIMIT 1) FROM temp.restore_pair p WHERE p.was AND p.address IS NULL",
        at);
    on.script("UPDATE temp.restore_row SET owner_text = json_extract(known, '$.mailbox') WHERE known IS NOT NULL");
}

std::int64_t owner_row(connection& on, std::string_view text) {
    const std::size_t at = text.rfind('@');
    if (at == std::string_view::npos) {
        return 0;
    }
    statement row = on.query(
        "SELECT coalesce(a.mailbox, a.id) FROM domain d JOIN address a ON a.domain = d.id AND a.normal = ?1 WHERE "
        "d.name"
        " = ?2",
        text.substr(0, at), text.substr(at + 1));
    return row.step() ? row.integer(0) : 0;
}

void insert_rows(directory::writer& in, const char* which) {
    // The local part as it was given, if it is known: all of the text before the domain.
    in.on().run(
        "INSERT INTO address(domain, normal, local, mailbox, kind, internal_only, first_name, last_name, created,"
        " updated) SELECT r.domain, r.normal, coalesce(substr(json_extract(r.known, '$.address'), 1,"
        "  length(json_extract(r.known, '$.address')) - 1 - (SELECT length(name) FROM domain WHERE id = r.domain)),"
        "  r.normal), r.owner, iif(r.owner IS NOT NULL, 4, iif(json_extract(r.known, '$.kind') IN (0, 1, 2, 3),"
        "  json_extract(r.known, '$.kind'), 5)), coalesce(json_extract(r.known, '$.internal_only'), 0),"
        " iif(r.owner IS NOT NULL, '', coalesce(json_extract(r.known, '$.first_name'), '')),"
        " iif(r.owner IS NOT NULL, '', coalesce(json_extract(r.known, '$.last_name'), '')), ?1, ?1"
        " FROM temp.restore_row r WHERE ?1 = ?1 AND " +
            std::string(which) + " ORDER BY r.domain, r.normal",
        in.now());
}

void bring_rows_back(directory::writer& in, directory::timestamp at) {
    connection& on = in.on();
    find_rows(on, at);
    insert_rows(in, "r.owner_text IS NULL");
    std::vector<std::pair<std::string, std::int64_t>> owned;
    std::string after;
    do {
        owned.clear();
        statement rows = on.query(
            "SELECT subject, owner_text FROM temp.restore_row WHERE owner_text IS NOT NULL AND subject > ? ORDER BY"
            " subject LIMIT 1000",
            after);
        while (rows.step()) {
            owned.emplace_back(rows.text(0), owner_row(on, rows.text(1)));
        }
        for (const auto& [subject, owner] : owned) {
            on.run("UPDATE temp.restore_row SET owner = nullif(?, 0) WHERE subject = ?", owner, subject);
            after = subject;
        }
    } while (!owned.empty());
    insert_rows(in, "r.owner_text IS NOT NULL");
    on.script(
        "UPDATE temp.restore_pair SET address = (SELECT a.id FROM address a WHERE a.domain = restore_pair.domain AND"
        " a.normal = restore_pair.normal) WHERE address IS NULL");
}

}  // namespace

directory::result<restore_report> preview_restore(const directory::store& in, const restore_request& request) {
    const auto held = in.borrow();
    if (!held) {
        return tl::unexpected(held.error());
    }
    connection& on = held->on();
    if (auto good = check(on, request, in.now()); !good) {
        return tl::unexpected(good.error());
    }
    on.script("BEGIN");
    find_pairs(on, request);
    restore_report out = describe(on);
    on.script("COMMIT");
    if (on.failed()) {
        return tl::unexpected(on.failure());
    }
    return out;
}

directory::result<restore_report> apply_restore(directory::writer& in, const restore_request& request) {
    connection& on = in.on();
    if (auto good = check(on, request, in.now()); !good) {
        return tl::unexpected(good.error());
    }
    const auto act = directory::need_act(in);
    if (!act) {
        return tl::unexpected(act.error());
    }
    find_pairs(on, request);
    if (auto good = refuse_while_at_work(on); !good) {
        return tl::unexpected(good.error());
    }
    restore_report out = describe(on);
    bring_rows_back(in, request.at);
    directory::begin_bulk(on);
    on.script(
        "INSERT OR IGNORE INTO temp.bulk(address) SELECT address FROM temp.restore_pair WHERE address IS NOT NULL");
    on.run(
        "INSERT INTO history(act, what, subject, domain, source, before) SELECT ?, iif(p.was, 'asserted',"
        " 'withdrawn'), p.subject, p.domain, p.source, iif(p.was, NULL, " +
            std::string(directory::bulk_entry_json) +
            ") FROM temp.restore_pair p JOIN address a ON a.id = p.address JOIN domain d ON d.id = a.domain",
        *act);
    on.run(
        "INSERT OR IGNORE INTO assertion(address, source, since) SELECT address, source, ? FROM temp.restore_pair WHERE"
        " was AND address IS NOT NULL",
        in.now());
    on.script(
        "DELETE FROM assertion WHERE (address, source) IN (SELECT address, source FROM temp.restore_pair WHERE now)");
    if (auto settled = directory::settle_bulk(in); !settled) {
        return tl::unexpected(settled.error());
    }
    on.run(
        "UPDATE sync_source SET enabled = 0, unsure = 1, cookie = '', guard_since = ? WHERE source IN"
        " (SELECT source FROM temp.restore_pair)",
        in.now());
    std::string subject = "organisation:" + std::to_string(request.organisation);
    if (request.source != 0) {
        statement name = on.query("SELECT name FROM source WHERE id = ?", request.source);
        subject = "source:" + (name.step() ? std::string(name.text(0)) : std::to_string(request.source));
    }
    const std::string told = boost::json::serialize(
        boost::json::object{{"at", request.at}, {"returning", out.returning}, {"leaving", out.leaving}});
    if (auto noted = directory::record(in, "restored", subject, 0, "", told, request.source); !noted) {
        return tl::unexpected(noted.error());
    }
    on.script(
        "DROP TABLE IF EXISTS temp.restore_subject; DROP TABLE IF EXISTS temp.restore_pair;"
        "DROP TABLE IF EXISTS temp.restore_row;");
    out.applied = true;
    return directory::or_failure(in, std::move(out));
}

}  // namespace postern::sync
