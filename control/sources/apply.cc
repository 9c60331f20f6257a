#include "control/sources/apply.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "control/directory/bulk.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"

namespace postern::sources {
namespace {

using directory::statement;

void make_groups(directory::writer& out) {
    out.on().run(
        "INSERT OR IGNORE INTO mailbox_group(organisation, name, created)"
        " SELECT DISTINCT d.organisation, s.grp, ? FROM temp.staged s JOIN domain d ON d.id = s.domain WHERE s.grp <> "
        "''",
        out.now());
}

/// New mailboxes, then new aliases, in the order of the address index, so that a million rows fill its pages one after
/// another.
void insert_new(directory::writer& out) {
    directory::connection& on = out.on();
    on.run(
        "INSERT INTO address(domain, normal, local, kind, first_name, last_name, grp, created, updated)"
        " SELECT s.domain, s.normal, s.local, coalesce(s.kind, 0), s.first_name, s.last_name,"
        " (SELECT g.id FROM mailbox_group g JOIN domain d ON d.organisation = g.organisation WHERE d.id = s.domain AND "
        "g.name = s.grp),"
        " ?1, ?1 FROM temp.staged s WHERE s.owner IS NULL AND s.existing IS NULL ORDER BY s.domain, s.normal",
        out.now());
    constexpr std::string_view resolve =
        "UPDATE temp.staged SET existing = (SELECT a.id FROM address a WHERE a.domain = staged.domain AND a.normal = "
        "staged.normal)"
        " WHERE existing IS NULL";
    on.run(resolve);
    on.run(
        "INSERT INTO address(domain, normal, local, mailbox, kind, created, updated)"
        " SELECT s.domain, s.normal, s.local, o.existing, 4, ?1, ?1 FROM temp.staged s JOIN temp.staged o ON o.id = "
        "s.owner"
        " WHERE s.existing IS NULL ORDER BY s.domain, s.normal",
        out.now());
    on.run(resolve);
}

/// Attributes and owners of rows that were there already. What the file has no column for stays.
void update_known(directory::writer& out, const csv_layout& layout, std::int64_t act) {
    directory::connection& on = out.on();
    on.run("CREATE TEMP TABLE altered AS SELECT a.id AS id, a.kind AS kind, " +
               std::string(directory::bulk_entry_json) +
               " AS before FROM temp.staged s JOIN address a ON a.id = s.existing JOIN domain d ON d.id = a.domain"
               " WHERE s.change = 2 AND s.owner IS NULL AND ((?1 AND a.first_name <> s.first_name) OR (?2 AND "
               "a.last_name <> s.last_name)"
               " OR (?3 AND s.grp <> coalesce((SELECT g.name FROM mailbox_group g WHERE g.id = a.grp), ''))"
               " OR (s.kind IS NOT NULL AND s.kind <> a.kind))",
           layout.has(column_role::first_name), layout.has(column_role::last_name), layout.has(column_role::group));
    on.run(
        "UPDATE address SET first_name = iif(?1, s.first_name, address.first_name), last_name = iif(?2, s.last_name, "
        "address.last_name),"
        " grp = iif(?3, (SELECT g.id FROM mailbox_group g JOIN domain d ON d.organisation = g.organisation"
        "               WHERE d.id = s.domain AND g.name = s.grp), address.grp),"
        " kind = coalesce(s.kind, address.kind), updated = ?4"
        " FROM temp.staged s WHERE s.existing = address.id AND address.id IN (SELECT id FROM temp.altered)",
        layout.has(column_role::first_name), layout.has(column_role::last_name), layout.has(column_role::group),
        out.now());
    on.run(
        "INSERT INTO history(act, what, subject, domain, before, after)"
        " SELECT ?, 'changed', 'address:' || a.normal || '@' || d.name, a.domain, t.before, " +
            std::string(directory::bulk_entry_json) +
            " FROM temp.altered t JOIN address a ON a.id = t.id JOIN domain d ON d.id = a.domain",
        act);
    on.run(
        "UPDATE address SET mailbox = o.existing, updated = ? FROM temp.staged s JOIN temp.staged o ON o.id = s.owner"
        " WHERE s.existing = address.id AND address.mailbox <> o.existing",
        out.now());
}

void assert_and_withdraw(directory::writer& out, std::uint32_t source, bool replace, std::int64_t act) {
    directory::connection& on = out.on();
    on.script(
        "CREATE TEMP TABLE asserted(address INTEGER PRIMARY KEY); CREATE TEMP TABLE withdrawn(address INTEGER PRIMARY "
        "KEY);");
    on.run(
        "INSERT INTO temp.asserted SELECT s.existing FROM temp.staged s"
        " WHERE NOT EXISTS (SELECT 1 FROM assertion n WHERE n.address = s.existing AND n.source = ?) ORDER BY "
        "s.existing",
        source);
    on.run("INSERT INTO assertion(address, source, since) SELECT address, ?, ? FROM temp.asserted", source, out.now());
    if (replace) {
        on.run(
            "INSERT INTO temp.withdrawn SELECT n.address FROM assertion n WHERE n.source = ?"
            " AND NOT EXISTS (SELECT 1 FROM temp.staged s WHERE s.existing = n.address) ORDER BY n.address",
            source);
        on.run("DELETE FROM assertion WHERE source = ? AND address IN (SELECT address FROM temp.withdrawn)", source);
    }
    for (const auto& [table, verb] :
         {std::pair("temp.asserted", "asserted"), std::pair("temp.withdrawn", "withdrawn")}) {
        // What is withdrawn may leave the list: with what it was it can be brought back.
        on.run(
            "INSERT INTO history(act, what, subject, domain, source, before)"
            " SELECT ?1, ?2, 'address:' || a.normal || '@' || d.name, a.domain, ?3, iif(?2 = 'withdrawn', " +
                std::string(directory::bulk_entry_json) + ", NULL) FROM " + std::string(table) +
                " t JOIN address a ON a.id = t.address JOIN domain d ON d.id = a.domain",
            act, std::string_view(verb), source);
    }
}

std::string counts_json(const import_report& report) {
    return boost::json::serialize(boost::json::object{{"rows", report.rows},
                                                      {"created", report.created},
                                                      {"updated", report.updated},
                                                      {"unchanged", report.unchanged},
                                                      {"withdrawn", report.withdrawn},
                                                      {"held", report.held},
                                                      {"approved", report.approved},
                                                      {"asserted_before", report.asserted_before},
                                                      {"invalid", report.invalid}});
}

}  // namespace

directory::result<void> apply_staged(directory::writer& out, std::uint32_t source, const csv_layout& layout,
                                     const import_options& options, const import_report& report) {
    const auto act = directory::need_act(out);
    if (!act) {
        return tl::unexpected(act.error());
    }
    out.on().script(
        "DROP TABLE IF EXISTS temp.asserted; DROP TABLE IF EXISTS temp.withdrawn;"
        "DROP TABLE IF EXISTS temp.altered;");
    make_groups(out);
    insert_new(out);
    update_known(out, layout, *act);
    assert_and_withdraw(out, source, options.replace, *act);
    directory::begin_bulk(out.on());
    out.on().script(
        "INSERT INTO temp.bulk(address) SELECT address FROM temp.asserted UNION SELECT address FROM temp.withdrawn "
        "UNION"
        " SELECT id FROM temp.altered;"
        "UPDATE temp.bulk SET payload = 1 WHERE address IN (SELECT t.id FROM temp.altered t JOIN address a ON a.id = "
        "t.id"
        " WHERE t.kind <> a.kind);");
    if (auto settled = directory::settle_bulk(out); !settled) {
        return settled;
    }
    if (auto noted = directory::record(out, "imported", "import:" + report.source, options.domain, "",
                                       counts_json(report), source);
        !noted) {
        return noted;
    }
    return directory::or_failure(out);
}

}  // namespace postern::sources
