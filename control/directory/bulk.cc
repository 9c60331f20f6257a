#include "control/directory/bulk.h"

#include <string>

#include "control/directory/changes.h"
#include "control/directory/history.h"

namespace postern::directory {

namespace {

std::uint64_t number(connection& on, std::string_view sql) {
    statement asked = on.query(sql);
    return asked.step() ? asked.as<std::uint64_t>(0) : 0;
}

void end_needless_graces(connection& on) {
    if (number(on, "SELECT EXISTS (SELECT 1 FROM address WHERE grace_until <> 0)") == 0) {
        return;
    }
    on.run(
        "UPDATE temp.bulk SET payload = 1 WHERE address IN (SELECT a.id FROM address a WHERE a.grace_until <> 0"
        " AND (a.hold <> 0 OR EXISTS (SELECT 1 FROM assertion n WHERE n.address = a.id)))");
    on.run(
        "UPDATE address SET grace_until = 0 WHERE grace_until <> 0 AND id IN (SELECT address FROM temp.bulk)"
        " AND (hold <> 0 OR EXISTS (SELECT 1 FROM assertion n WHERE n.address = address.id))");
}

/// Rows that nothing asserts or holds any more go, aliases before the mailboxes that they kept.
void remove_unkept(connection& on) {
    on.run(
        "INSERT OR IGNORE INTO temp.bulk SELECT a.mailbox, 0 FROM temp.bulk b CROSS JOIN address a ON a.id = b.address"
        " WHERE a.mailbox IS NOT NULL AND a.valid = 0 AND a.hold = 0");
    on.run(
        "DELETE FROM address WHERE id IN (SELECT address FROM temp.bulk) AND mailbox IS NOT NULL AND valid = 0 AND "
        "hold = 0");
    on.run(
        "DELETE FROM address WHERE id IN (SELECT address FROM temp.bulk) AND mailbox IS NULL AND valid = 0 AND hold = 0"
        " AND NOT EXISTS (SELECT 1 FROM address o WHERE o.mailbox = address.id)");
}

}  // namespace

void begin_bulk(connection& on) {
    on.script(
        "DROP TABLE IF EXISTS temp.bulk;"
        "CREATE TEMP TABLE bulk(address INTEGER PRIMARY KEY, payload INTEGER NOT NULL DEFAULT 0);");
}

result<void> settle_bulk(writer& in) {
    connection& on = in.on();
    end_needless_graces(on);
    on.script("DROP TABLE IF EXISTS temp.touched");
    on.run(
        "CREATE TEMP TABLE touched AS SELECT a.id AS id, a.valid AS was, a.hold <> 2 AND (a.hold = 1 OR a.grace_until "
        "<> 0 OR EXISTS (SELECT 1 FROM assertion n WHERE n.address = a.id)) AS now, b.payload AS payload"
        " FROM temp.bulk b CROSS JOIN address a ON a.id = b.address");
    on.script("DELETE FROM temp.touched WHERE was = now AND NOT (now AND payload)");
    on.run("UPDATE address SET valid = t.now FROM temp.touched t WHERE t.id = address.id AND t.was <> t.now");
    if (number(on, "SELECT count(*) FROM temp.touched") > bulk_threshold) {
        note_bulk(in);
    } else {
        on.run(
            "INSERT INTO change(kind, domain, address, was) SELECT 0, a.domain, a.normal || '@' || d.name, t.was"
            " FROM temp.touched t CROSS JOIN address a ON a.id = t.id JOIN domain d ON d.id = a.domain");
    }
    remove_unkept(on);
    on.script("DROP TABLE IF EXISTS temp.touched");
    return or_failure(in);
}

result<std::uint64_t> end_graces(writer& in, std::uint64_t limit) {
    connection& on = in.on();
    begin_bulk(on);
    on.run("INSERT INTO temp.bulk(address) SELECT id FROM address WHERE grace_until <> 0 AND grace_until <= ? LIMIT ?",
           in.now(), limit);
    const auto ended = static_cast<std::uint64_t>(on.changed());
    if (on.failed() || ended == 0) {
        return or_failure(in, ended);
    }
    const auto act = need_act(in);
    if (!act) {
        return tl::unexpected(act.error());
    }
    on.run(
        "INSERT INTO history(act, what, subject, domain, before) SELECT ?, 'removed', 'address:' || a.normal || '@' "
        "|| d.name, a.domain, " +
            std::string(bulk_entry_json) +
            " FROM temp.bulk b CROSS JOIN address a ON a.id = b.address JOIN domain d ON d.id = a.domain",
        *act);
    on.run("UPDATE address SET grace_until = 0 WHERE id IN (SELECT address FROM temp.bulk)");
    if (auto settled = settle_bulk(in); !settled) {
        return tl::unexpected(settled.error());
    }
    return ended;
}

result<std::uint64_t> count_in_grace(const reader& in) {
    statement row = in.on().query("SELECT count(*) FROM address WHERE grace_until <> 0");
    const std::uint64_t out = row.step() ? row.as<std::uint64_t>(0) : 0;
    return or_failure(in, out);
}

}  // namespace postern::directory
