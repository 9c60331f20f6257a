#include "control/sync/apply.h"

#include <string>

#include "control/directory/bulk.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"

namespace postern::sync {

namespace {

using directory::connection;

/// A claim finds the row of its address.
constexpr const char* resolve =
    "UPDATE temp.work_claim SET existing = (SELECT a.id FROM address a WHERE a.domain = work_claim.domain AND a.normal "
    "="
    " work_claim.normal) WHERE existing IS NULL";

/// Mailboxes first: new ones and aliases that become one; then each object's owner row is known.
void put_mailboxes(directory::writer& out) {
    connection& on = out.on();
    // The mailboxes that lose an alias, or become one, may be kept by nothing else any more.
    on.script(
        "INSERT OR IGNORE INTO temp.bulk(address) SELECT coalesce(a.mailbox, a.id) FROM temp.work_claim c"
        " JOIN address a ON a.id = c.existing WHERE c.reassign");
    on.run(
        "UPDATE address SET mailbox = NULL, kind = s.kind, updated = ? FROM temp.work_claim c JOIN stage.object s ON"
        " s.id = c.staged WHERE c.existing = address.id AND c.reassign AND c.position = 0",
        out.now());
    on.run(
        "INSERT INTO address(domain, normal, local, kind, internal_only, first_name, last_name, created, updated)"
        " SELECT c.domain, c.normal, c.local, s.kind, s.internal, s.first_name, s.last_name, ?1, ?1"
        " FROM temp.work_claim c JOIN stage.object s ON s.id = c.staged"
        " WHERE c.winner AND c.position = 0 AND c.existing IS NULL ORDER BY c.id",
        out.now());
    on.run(resolve);
    on.run(
        "UPDATE temp.work_owner SET row = (SELECT coalesce(a.mailbox, a.id) FROM temp.work_claim c JOIN address a ON"
        " a.id = c.existing WHERE c.id = work_owner.claim)");
}

void put_aliases(directory::writer& out) {
    connection& on = out.on();
    on.run(
        "INSERT INTO address(domain, normal, local, mailbox, kind, internal_only, created, updated)"
        " SELECT c.domain, c.normal, c.local, o.row, 4, s.internal, ?1, ?1 FROM temp.work_claim c"
        " JOIN temp.work_owner o ON o.staged = c.staged JOIN stage.object s ON s.id = c.staged"
        " WHERE c.winner AND c.position > 0 AND c.existing IS NULL ORDER BY c.id",
        out.now());
    on.run(resolve);
    on.script(
        // A mailbox becomes an alias, and what led to it leads on.
        "CREATE TEMP TABLE work_own AS SELECT a.id AS id, o.row AS owner FROM temp.work_claim c"
        " JOIN temp.work_owner o ON o.staged = c.staged JOIN address a ON a.id = c.existing"
        " WHERE c.reassign AND c.position > 0 AND a.mailbox IS NULL AND a.id <> o.row;"
        "CREATE UNIQUE INDEX temp.work_own_id ON work_own(id);");
    on.run("UPDATE address SET mailbox = w.owner, updated = ? FROM temp.work_own w WHERE address.mailbox = w.id",
           out.now());
    on.run(
        "UPDATE address SET mailbox = w.owner, kind = 4, first_name = '', last_name = '', grp = NULL, updated = ?"
        " FROM temp.work_own w WHERE address.id = w.id",
        out.now());
    on.run(
        "UPDATE address SET mailbox = o.row, updated = ? FROM temp.work_claim c JOIN temp.work_owner o ON o.staged ="
        " c.staged WHERE c.existing = address.id AND c.reassign AND c.position > 0 AND address.mailbox <> o.row"
        " AND address.id <> o.row",
        out.now());
    on.script(
        "INSERT INTO temp.bulk(address, payload) SELECT c.existing, 1 FROM temp.work_claim c WHERE c.reassign"
        " ON CONFLICT (address) DO UPDATE SET payload = 1;"
        "DROP TABLE temp.work_own;");
}

/// Names, kinds and internal-only of rows that were there before.
void put_attributes(directory::writer& out, std::int64_t act) {
    connection& on = out.on();
    on.run(
        "UPDATE address SET internal_only = s.internal,"
        " kind = iif(c.position = 0 AND address.mailbox IS NULL, s.kind, address.kind),"
        " first_name = iif(c.position = 0 AND s.first_name <> '', s.first_name, address.first_name),"
        " last_name = iif(c.position = 0 AND s.last_name <> '', s.last_name, address.last_name), updated = ?"
        " FROM temp.work_changed w JOIN temp.work_claim c ON c.id = w.claim JOIN stage.object s ON s.id = c.staged"
        " WHERE address.id = w.address",
        out.now());
    on.script(
        "INSERT INTO temp.bulk(address, payload) SELECT address, 1 FROM temp.work_changed WHERE 1"
        " ON CONFLICT (address) DO UPDATE SET payload = 1");
    on.run(
        "INSERT INTO history(act, what, subject, domain, after) SELECT ?, 'changed', 'address:' || a.normal || '@' ||"
        " d.name, a.domain, " +
            std::string(directory::bulk_entry_json) +
            " FROM (SELECT address AS id FROM temp.work_changed UNION SELECT existing FROM temp.work_claim WHERE "
            "reassign)"
            " t JOIN address a ON a.id = t.id JOIN domain d ON d.id = a.domain",
        act);
}

void put_additions(directory::writer& out, const apply_input& with, std::int64_t act) {
    connection& on = out.on();
    on.run(
        "INSERT OR IGNORE INTO assertion(address, source, since) SELECT existing, ?, ? FROM temp.work_claim"
        " WHERE winner AND NOT asserted ORDER BY existing",
        with.source, out.now());
    on.script(
        "INSERT OR IGNORE INTO temp.bulk(address) SELECT existing FROM temp.work_claim WHERE winner AND NOT asserted");
    on.run(
        "INSERT INTO history(act, what, subject, domain, source) SELECT ?, 'asserted', 'address:' || c.normal || '@' ||"
        " d.name, c.domain, ? FROM temp.work_claim c JOIN domain d ON d.id = c.domain WHERE c.winner AND NOT c.asserted"
        " ORDER BY c.id",
        act, with.source);
    // What mail flow was taken as evidence for ends with the first word of an authority.
    on.run(
        "INSERT INTO history(act, what, subject, domain, source) SELECT ?, 'withdrawn', 'address:' || c.normal || '@' "
        "||"
        " d.name, c.domain, n.source FROM temp.work_claim c JOIN assertion n ON n.address = c.existing JOIN source s ON"
        " s.id = n.source JOIN domain d ON d.id = c.domain WHERE c.winner AND NOT c.asserted AND s.name GLOB "
        "'discovery:*'",
        act);
    on.script(
        "DELETE FROM assertion WHERE source IN (SELECT id FROM source WHERE name GLOB 'discovery:*') AND address IN"
        " (SELECT existing FROM temp.work_claim WHERE winner AND NOT asserted)");
}

void put_removals(directory::writer& out, const apply_input& with, std::int64_t act) {
    connection& on = out.on();
    on.run("DELETE FROM assertion WHERE source = ? AND address IN (SELECT address FROM temp.work_removed)",
           with.source);
    if (with.grace > 0) {
        on.run(
            "UPDATE address SET grace_until = ? WHERE id IN (SELECT address FROM temp.work_removed) AND hold = 0 AND"
            " valid = 1 AND NOT EXISTS (SELECT 1 FROM assertion n WHERE n.address = address.id)",
            out.now() + with.grace);
    }
    on.run(
        "INSERT INTO history(act, what, subject, domain, source, before, after) SELECT ?, 'withdrawn', 'address:' ||"
        " a.normal || '@' || d.name, a.domain, ?, " +
            std::string(directory::bulk_entry_json) +
            ", iif(a.grace_until = 0, NULL, json_object('grace_until', a.grace_until))"
            " FROM temp.work_removed r JOIN address a ON a.id = r.address JOIN domain d ON d.id = a.domain",
        act, with.source);
    on.script(
        "INSERT INTO temp.bulk(address, payload) SELECT address, 1 FROM temp.work_removed WHERE 1"
        " ON CONFLICT (address) DO UPDATE SET payload = 1");
}

/// What the objects claim now. Without removals the old claims stay beside the new ones, and the digest is forgotten:
/// the next sync looks at the object again.
void put_claims(directory::writer& out, const apply_input& with) {
    connection& on = out.on();
    if (with.removals) {
        on.script("DELETE FROM sync_claim WHERE object IN (SELECT object FROM temp.work_redo)");
        on.script("DELETE FROM sync_object WHERE id IN (SELECT object FROM temp.work_gone)");
    }
    std::int64_t last = 0;
    {
        directory::statement row = on.query("SELECT coalesce(max(id), 0) FROM sync_object");
        last = row.step() ? row.integer(0) : 0;
    }
    on.run("UPDATE temp.work_object SET object = ? + staged WHERE object IS NULL", last);
    on.run(
        "INSERT INTO sync_object(source, identity, id, digest, name) SELECT ?1, s.identity, w.object, iif(w.was_name IS"
        " NULL OR ?2, s.digest, iif(w.changed, 0, s.digest)), s.name FROM temp.work_object w CROSS JOIN stage.object s "
        "ON"
        " s.id = w.staged WHERE 1 ORDER BY s.identity"
        " ON CONFLICT (source, identity) DO UPDATE SET digest = excluded.digest, name = excluded.name",
        with.source, with.removals);
    on.run(
        "INSERT OR IGNORE INTO sync_claim(source, domain, normal, object) SELECT ?, c.domain, c.normal, w.object"
        " FROM temp.work_claim c JOIN temp.work_object w ON w.staged = c.staged ORDER BY c.id",
        with.source);
}

}  // namespace

directory::result<void> apply(directory::writer& out, const apply_input& with) {
    const auto act = directory::need_act(out);
    if (!act) {
        return tl::unexpected(act.error());
    }
    directory::begin_bulk(out.on());
    put_mailboxes(out);
    put_aliases(out);
    put_attributes(out, *act);
    put_additions(out, with, *act);
    if (with.removals) {
        put_removals(out, with, *act);
    }
    if (auto settled = directory::settle_bulk(out); !settled) {
        return settled;
    }
    put_claims(out, with);
    return directory::or_failure(out);
}

}  // namespace postern::sync
