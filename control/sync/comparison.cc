#include "control/sync/comparison.h"

#include <fcntl.h>

#include <cerrno>
#include <filesystem>

#include "board/process/files.h"
#include "control/sync/source_rows.h"

namespace postern::sync {

namespace {

using directory::connection;
using directory::statement;

constexpr const char* drop_tables =
    "DROP TABLE IF EXISTS temp.work_object; DROP TABLE IF EXISTS temp.work_gone; DROP TABLE IF EXISTS temp.work_redo;"
    "DROP TABLE IF EXISTS temp.work_claim; DROP TABLE IF EXISTS temp.work_owner; DROP TABLE IF EXISTS "
    "temp.work_changed;"
    "DROP TABLE IF EXISTS temp.work_removed; DROP TABLE IF EXISTS temp.work_added; DROP TABLE IF EXISTS temp.work_own;";

constexpr const char* make_tables =
    "CREATE TEMP TABLE work_object(staged INTEGER PRIMARY KEY, object INTEGER, gone INTEGER NOT NULL,"
    " changed INTEGER NOT NULL, was_name TEXT);"
    "CREATE TEMP TABLE work_gone(object INTEGER PRIMARY KEY);"
    "CREATE TEMP TABLE work_redo(object INTEGER PRIMARY KEY);"
    "CREATE TEMP TABLE work_claim(id INTEGER PRIMARY KEY, staged INTEGER NOT NULL, position INTEGER NOT NULL,"
    " domain INTEGER NOT NULL, normal TEXT NOT NULL, local TEXT NOT NULL, existing INTEGER,"
    " winner INTEGER NOT NULL DEFAULT 0, kept INTEGER NOT NULL DEFAULT 0, asserted INTEGER NOT NULL DEFAULT 0,"
    " reassign INTEGER NOT NULL DEFAULT 0);"
    "CREATE TEMP TABLE work_owner(staged INTEGER PRIMARY KEY, claim INTEGER NOT NULL, good INTEGER NOT NULL,"
    " row INTEGER);"
    "CREATE TEMP TABLE work_changed(address INTEGER PRIMARY KEY, claim INTEGER NOT NULL, before TEXT NOT NULL);"
    "CREATE TEMP TABLE work_removed(address INTEGER PRIMARY KEY, object INTEGER NOT NULL);";

std::uint64_t count(connection& on, std::string_view sql) {
    statement asked = on.query(sql);
    return asked.step() ? asked.as<std::uint64_t>(0) : 0;
}

/// Objects that are new, changed, gone or elsewhere. Both sides are walked in the order of their identities.
void find_objects(connection& on, const comparison_input& with, bool differed) {
    on.run(
        "INSERT INTO temp.work_object(staged, object, gone, changed, was_name)"
        " SELECT s.id, o.id, s.gone, o.id IS NULL OR s.gone OR o.digest <> s.digest, o.name"
        " FROM stage.object s LEFT JOIN main.sync_object o ON o.source = ?1 AND o.identity = s.identity"
        " WHERE (o.id IS NULL AND NOT s.gone)"
        " OR (o.id IS NOT NULL AND (s.gone OR o.digest <> s.digest OR o.name <> s.name)) ORDER BY s.identity",
        with.source);
    if (differed) {
        // A person removed an address that the directory still has, or a restore took it: it comes back.
        on.script("CREATE TEMP TABLE work_added(object INTEGER PRIMARY KEY)");
        on.run(
            "INSERT OR IGNORE INTO temp.work_added SELECT c.object FROM main.sync_claim c LEFT JOIN main.address a ON"
            " a.domain = c.domain AND a.normal = c.normal WHERE c.source = ?1 AND NOT EXISTS"
            " (SELECT 1 FROM main.assertion n WHERE n.address = a.id AND n.source = ?1)",
            with.source);
        on.script("UPDATE temp.work_object SET changed = 1 WHERE object IN (SELECT object FROM temp.work_added)");
        on.run(
            "INSERT OR IGNORE INTO temp.work_object(staged, object, gone, changed, was_name)"
            " SELECT s.id, o.id, 0, 1, o.name FROM temp.work_added l CROSS JOIN main.sync_object o ON o.id = l.object"
            " JOIN stage.object s ON s.identity = o.identity WHERE NOT s.gone AND o.source = ?",
            with.source);
        on.script("DROP TABLE temp.work_added");
    }
    if (with.complete && with.whole) {
        on.run(
            "INSERT INTO temp.work_gone SELECT o.id FROM main.sync_object o WHERE o.source = ? AND NOT EXISTS"
            " (SELECT 1 FROM stage.object s WHERE s.identity = o.identity AND NOT s.gone)",
            with.source);
    } else if (with.complete) {
        on.script("INSERT INTO temp.work_gone SELECT object FROM temp.work_object WHERE gone AND object IS NOT NULL");
    }
    on.script("DELETE FROM temp.work_object WHERE gone");
    if (with.complete) {
        on.script(
            "INSERT INTO temp.work_redo SELECT object FROM temp.work_gone UNION SELECT object FROM temp.work_object"
            " WHERE changed AND object IS NOT NULL");
    }
}

/// What the changed objects assert, in the order of the address index.
void find_claims(connection& on, const comparison_input& with) {
    on.run(
        "INSERT INTO temp.work_claim(staged, position, domain, normal, local, existing)"
        " SELECT c.object, c.position, c.domain, c.normal, c.local,"
        " (SELECT a.id FROM main.address a WHERE a.domain = c.domain AND a.normal = c.normal)"
        " FROM temp.work_object w CROSS JOIN stage.claim c ON c.object = w.staged"
        " JOIN main.domain d ON d.id = c.domain AND d.organisation = ? AND d.target IS NULL"
        " WHERE w.changed ORDER BY c.domain, c.normal, c.position, c.object",
        with.organisation);
    on.script(
        "CREATE INDEX temp.work_claim_by_address ON work_claim(domain, normal);"
        "CREATE INDEX temp.work_claim_by_object ON work_claim(staged, position);"
        // A domain that left meanwhile may have taken an object's first address along.
        "UPDATE temp.work_claim SET position = 0 WHERE id IN (SELECT id FROM"
        " (SELECT id, min(position) AS first FROM temp.work_claim GROUP BY staged) WHERE first > 0);"
        "UPDATE temp.work_claim SET winner = 1 WHERE id IN (SELECT min(id) FROM temp.work_claim GROUP BY domain, "
        "normal);");
    on.run(
        "UPDATE temp.work_claim SET asserted = EXISTS (SELECT 1 FROM main.assertion n WHERE n.address = existing AND "
        "n.source = ?1),"
        " kept = EXISTS (SELECT 1 FROM main.assertion n JOIN main.source s ON s.id = n.source WHERE n.address = "
        "existing"
        "  AND n.source <> ?1 AND s.name NOT GLOB 'discovery:*')"
        " OR EXISTS (SELECT 1 FROM main.sync_claim c WHERE c.source = ?1 AND c.domain = work_claim.domain AND c.normal "
        "="
        "  work_claim.normal AND c.object NOT IN (SELECT object FROM temp.work_redo))"
        " WHERE existing IS NOT NULL",
        with.source);
    on.script(
        "INSERT INTO temp.work_owner(staged, claim, good) SELECT c.staged, c.id, c.winner AND (a.id IS NULL OR "
        "a.mailbox"
        " IS NULL OR NOT c.kept) FROM temp.work_claim c LEFT JOIN main.address a ON a.id = c.existing"
        " WHERE c.position = 0;"
        // An alias that becomes a mailbox.
        "UPDATE temp.work_claim SET reassign = 1 WHERE winner AND position = 0 AND NOT kept AND existing IS NOT NULL"
        " AND EXISTS (SELECT 1 FROM main.address a WHERE a.id = existing AND a.mailbox IS NOT NULL);"
        // A mailbox that becomes an alias, or an alias that leads to another mailbox.
        "UPDATE temp.work_claim SET reassign = 1 WHERE winner AND position > 0 AND NOT kept AND existing IS NOT NULL"
        " AND EXISTS (SELECT 1 FROM temp.work_owner o JOIN temp.work_claim p ON p.id = o.claim JOIN main.address a"
        "  WHERE o.staged = work_claim.staged AND o.good AND a.id = work_claim.existing"
        "  AND (a.mailbox IS NULL OR a.mailbox IS NOT p.existing));");
}

constexpr std::string_view attributes =
    "ltrim(trim(a.first_name || ' ' || a.last_name) || ', ', ', ') ||"
    " CASE a.kind WHEN 0 THEN 'user' WHEN 1 THEN 'shared' WHEN 2 THEN 'resource' WHEN 3 THEN 'list' WHEN 4 THEN 'alias'"
    " ELSE 'unclassified' END || iif(a.internal_only, ', internal only', '')";

void find_changed(connection& on) {
    // A name that the directory lacks leaves the one that somebody entered.
    on.run("INSERT INTO temp.work_changed(address, claim, before) SELECT a.id, c.id, " + std::string(attributes) +
           " FROM temp.work_claim c JOIN main.address a ON a.id = c.existing JOIN stage.object s ON s.id = c.staged"
           " WHERE c.winner AND (a.internal_only <> s.internal OR (c.position = 0 AND (a.mailbox IS NULL OR c.reassign)"
           " AND (a.kind <> s.kind OR (s.first_name <> '' AND a.first_name <> s.first_name)"
           " OR (s.last_name <> '' AND a.last_name <> s.last_name))))");
}

void find_removed(connection& on, const comparison_input& with, bool differed) {
    if (!with.complete) {
        return;
    }
    on.run(
        "INSERT OR IGNORE INTO temp.work_removed SELECT a.id, c.object FROM temp.work_redo r"
        " CROSS JOIN main.sync_claim c ON c.object = r.object"
        " CROSS JOIN main.address a ON a.domain = c.domain AND a.normal = c.normal"
        " WHERE EXISTS (SELECT 1 FROM main.assertion n WHERE n.address = a.id AND n.source = ?1)"
        " AND NOT EXISTS (SELECT 1 FROM temp.work_claim w WHERE w.domain = c.domain AND w.normal = c.normal)"
        " AND NOT EXISTS (SELECT 1 FROM main.sync_claim u WHERE u.source = ?1 AND u.domain = c.domain"
        "  AND u.normal = c.normal AND u.object NOT IN (SELECT object FROM temp.work_redo))",
        with.source);
    if (differed && with.whole) {
        on.run(
            "INSERT OR IGNORE INTO temp.work_removed SELECT a.id, 0 FROM main.assertion n JOIN main.address a ON"
            " a.id = n.address WHERE n.source = ?1"
            " AND NOT EXISTS (SELECT 1 FROM main.sync_claim c WHERE c.source = ?1 AND c.domain = a.domain"
            "  AND c.normal = a.normal)"
            " AND NOT EXISTS (SELECT 1 FROM temp.work_claim w WHERE w.domain = a.domain AND w.normal = a.normal)",
            with.source);
    }
}

constexpr std::string_view own_kind =
    "CASE s.kind WHEN 0 THEN 'user' WHEN 1 THEN 'shared' WHEN 2 THEN 'resource' WHEN 3 THEN 'list'"
    " ELSE 'unclassified' END";
/// What a claim makes of its address, in words.
constexpr std::string_view becomes =
    "iif(c.position = 0, 'mailbox', 'alias of ' || (SELECT p.normal || '@' || (SELECT name FROM main.domain WHERE id ="
    " p.domain) FROM temp.work_owner o JOIN temp.work_claim p ON p.id = o.claim WHERE o.staged = c.staged))";
/// What row `a` is, in words.
constexpr std::string_view is =
    "coalesce('alias of ' || (SELECT m.normal || '@' || (SELECT name FROM main.domain WHERE id = m.domain)"
    " FROM main.address m WHERE m.id = a.mailbox), 'mailbox')";

}  // namespace

void drop_work(connection& on) {
    on.script(drop_tables);
}

directory::result<comparison> compare(const directory::reader& in, const comparison_input& with) {
    connection& on = in.on();
    drop_work(on);
    on.script(make_tables);
    comparison out;
    out.differed = differs_from_claims(in, with.source);
    {
        statement row = on.query("SELECT total(addresses) FROM main.source_tally WHERE source = ?", with.source);
        out.asserted = row.step() ? row.as<std::uint64_t>(0) : 0;
    }
    out.staged = count(on, "SELECT count(*) FROM stage.claim");
    find_objects(on, with, out.differed);
    find_claims(on, with);
    find_changed(on);
    find_removed(on, with, out.differed);
    out.added = count(on, "SELECT count(*) FROM temp.work_claim WHERE winner AND NOT asserted");
    out.removed = count(on, "SELECT count(*) FROM temp.work_removed");
    out.changed = count(on,
                        "SELECT (SELECT count(*) FROM temp.work_changed) + (SELECT count(*) FROM temp.work_claim c"
                        " WHERE c.reassign AND c.existing NOT IN (SELECT address FROM temp.work_changed))");
    out.moved = count(on,
                      "SELECT count(*) FROM temp.work_object w CROSS JOIN stage.object s ON s.id = w.staged"
                      " WHERE w.was_name <> s.name");
    return directory::or_failure(in, out);
}

void write_items(const directory::reader& in, const comparison_input& with) {
    connection& on = in.on();
    const std::string limit = " LIMIT max(0, ?1 - (SELECT count(*) FROM diff.item))";
    on.run(
        "INSERT INTO diff.item(what, address, object, before, after) SELECT 0, c.normal || '@' || d.name, s.name, '',"
        " iif(c.position = 0, ltrim(trim(s.first_name || ' ' || s.last_name) || ', ', ', ') || " +
            std::string(own_kind) + ", " + std::string(becomes) +
            ") FROM temp.work_claim c JOIN main.domain d ON d.id = c.domain JOIN stage.object s ON s.id = c.staged"
            " WHERE c.winner AND NOT c.asserted ORDER BY d.name, c.normal" +
            limit,
        with.max_items);
    on.run(
        "INSERT INTO diff.item(what, address, object, before, after) SELECT 1, a.normal || '@' || d.name,"
        " coalesce((SELECT o.name FROM main.sync_object o WHERE o.id = r.object), ''), iif(a.mailbox IS NULL, " +
            std::string(attributes) + ", " + std::string(is) +
            "), '' FROM temp.work_removed r CROSS JOIN main.address a ON a.id = r.address JOIN main.domain d ON d.id = "
            "a.domain ORDER BY d.name, a.normal" +
            limit,
        with.max_items);
    on.run(
        "INSERT INTO diff.item(what, address, object, before, after) SELECT 2, a.normal || '@' || d.name, s.name,"
        " w.before, iif(c.position = 0, ltrim(trim(iif(s.first_name = '', a.first_name, s.first_name) || ' ' ||"
        " iif(s.last_name = '', a.last_name, s.last_name)) || ', ', ', ') || " +
            std::string(own_kind) +
            ", 'alias') || iif(s.internal, ', internal only', '')"
            " FROM temp.work_changed w CROSS JOIN temp.work_claim c ON c.id = w.claim CROSS JOIN stage.object s ON "
            "s.id ="
            " c.staged CROSS JOIN main.address a ON a.id = w.address JOIN main.domain d ON d.id = a.domain ORDER BY "
            "d.name, a.normal" +
            limit,
        with.max_items);
    on.run("INSERT INTO diff.item(what, address, object, before, after) SELECT 3, a.normal || '@' || d.name, s.name, " +
               std::string(is) + ", " + std::string(becomes) +
               " FROM temp.work_claim c JOIN stage.object s ON s.id = c.staged JOIN main.address a ON a.id = c.existing"
               " JOIN main.domain d ON d.id = a.domain WHERE c.reassign ORDER BY d.name, a.normal" +
               limit,
           with.max_items);
    on.run(
        "INSERT INTO diff.item(what, address, object, before, after) SELECT 4, '', s.name, w.was_name, s.name"
        " FROM temp.work_object w CROSS JOIN stage.object s ON s.id = w.staged WHERE w.was_name <> s.name ORDER BY "
        "s.name" +
            limit,
        with.max_items);
    on.script("INSERT INTO diff.problem(address, object, reason) SELECT address, object, reason FROM stage.problem");
    // An address that two objects have follows the first of them.
    on.run(
        "INSERT INTO diff.problem(address, object, reason) SELECT c.normal || '@' || d.name, s.name, 'another object "
        "has"
        " it too (' || f.name || '); it follows that one' FROM temp.work_claim c JOIN temp.work_claim w ON w.domain ="
        " c.domain AND w.normal = c.normal AND w.winner JOIN stage.object s ON s.id = c.staged JOIN stage.object f ON"
        " f.id = w.staged JOIN main.domain d ON d.id = c.domain WHERE NOT c.winner LIMIT 1000");
}

directory::result<void> attach(connection& on, const std::string& path, std::string_view as) {
    on.run("ATTACH DATABASE ? AS " + std::string(as), path);
    return on.failed() ? directory::result<void>(tl::unexpected(on.failure())) : directory::result<void>();
}

directory::result<void> attach_new_diff(connection& on, const std::string& path) {
    std::error_code ignored;
    for (const char* const end : {"", "-journal", "-wal", "-shm"}) {
        std::filesystem::remove(path + end, ignored);
    }
    if (const process::descriptor made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)); !made) {
        return directory::fail(directory::error_kind::failed, process::errno_text("make", path, errno));
    }
    if (auto done = attach(on, path, "diff"); !done) {
        return done;
    }
    // It can be made again from the stage: no waiting for the disk.
    on.script(
        "PRAGMA diff.journal_mode=DELETE; PRAGMA diff.synchronous=OFF;"
        "CREATE TABLE diff.item(id INTEGER PRIMARY KEY, what INTEGER NOT NULL, address TEXT NOT NULL, object TEXT NOT "
        "NULL,"
        " before TEXT NOT NULL, after TEXT NOT NULL) STRICT;"
        "CREATE TABLE diff.problem(id INTEGER PRIMARY KEY, address TEXT NOT NULL, object TEXT NOT NULL,"
        " reason TEXT NOT NULL) STRICT;"
        "CREATE INDEX diff.item_by_kind ON item(what);");
    return on.failed() ? directory::result<void>(tl::unexpected(on.failure())) : directory::result<void>();
}

}  // namespace postern::sync
