#include "control/sources/staging.h"

#include <algorithm>
#include <array>
#include <utility>

#include "control/sources/csv_text.h"
#include "smtp/recipients/address.h"

namespace postern::sources {
namespace {

using directory::statement;

constexpr std::size_t longest_shown = 200;
constexpr std::size_t longest_name = 255;

std::uint64_t count(directory::connection& on, std::string_view sql) {
    statement asked = on.query(sql);
    return asked.step() ? asked.as<std::uint64_t>(0) : 0;
}

}  // namespace

void error_list::add(row_error error) {
    ++_report.errors_total;
    if (_report.errors.size() < _most) {
        error.value = plain_text(error.value, longest_shown);
        _report.errors.push_back(std::move(error));
    }
}

void staging::clear() {
    _on.script(
        "DROP TABLE IF EXISTS temp.staged; DROP TABLE IF EXISTS temp.asserted; DROP TABLE IF EXISTS temp.withdrawn;"
        "DROP TABLE IF EXISTS temp.altered; DROP TABLE IF EXISTS temp.bulk;");
}

directory::result<void> staging::begin() {
    clear();
    _on.script(
        "PRAGMA temp_store=FILE;"
        "CREATE TEMP TABLE staged(id INTEGER PRIMARY KEY, line INTEGER NOT NULL, domain INTEGER NOT NULL, normal TEXT "
        "NOT NULL,"
        " local TEXT NOT NULL, owner INTEGER, first_name TEXT NOT NULL DEFAULT '', last_name TEXT NOT NULL DEFAULT '',"
        " grp TEXT NOT NULL DEFAULT '', kind INTEGER, existing INTEGER, change INTEGER NOT NULL DEFAULT 0);"
        "CREATE UNIQUE INDEX temp.staged_key ON staged(domain, normal);");
    {
        statement rows = _on.query(
            "SELECT d.name, t.id, t.organisation FROM domain d JOIN domain t ON t.id = coalesce(d.target, d.id)");
        while (rows.step()) {
            _domains.emplace(std::string(rows.text(0)),
                             served_domain{rows.as<std::uint32_t>(1), rows.as<std::uint32_t>(2)});
        }
    }
    if (_options.domain != 0) {
        statement row = _on.query("SELECT name FROM domain WHERE id = ?", _options.domain);
        if (row.step()) {
            _default_domain = row.text(0);
        } else if (!_on.failed()) {
            return directory::fail(directory::error_kind::not_found,
                                   "there is no domain " + std::to_string(_options.domain), "domain");
        }
    }
    return _on.failed() ? directory::result<void>(tl::unexpected(_on.failure())) : directory::result<void>();
}

bool staging::place(const csv_address& address, std::uint64_t line, const csv_layout& layout, placed& out) {
    const auto wrong = [&](std::string reason) {
        _errors.add({line, address.column, layout.name_of(address.column), address.text, std::move(reason)});
        return false;
    };
    std::string text = address.text;
    if (text.find('@') == std::string::npos) {
        if (_default_domain.empty()) {
            return wrong("it has no domain; write the whole address, or name the domain for the import");
        }
        text += "@" + _default_domain;
    }
    recipients::normal_address parsed;
    recipients::address_options options;
    options.allow_bare_postmaster = false;
    if (auto done = recipients::parse_address(text, options, parsed); !done) {
        return wrong("it is not an address: " + std::string(recipients::to_string(done.error())));
    }
    const auto found = _domains.find(std::string(parsed.domain()));
    // Whether it is served for another organisation is not told.
    if (found == _domains.end() || found->second.organisation != _options.organisation) {
        return wrong("the domain " + plain_text(parsed.domain(), longest_shown) +
                     " is not served for this organisation; add it first");
    }
    if (_options.domain != 0 && found->second.id != _domains.at(_default_domain).id) {
        return wrong("the import is for " + _default_domain + " alone");
    }
    out.domain = found->second.id;
    out.normal = parsed.local();
    out.local = text.starts_with('@') ? out.normal : text.substr(0, text.rfind('@'));
    return true;
}

std::int64_t staging::find(const placed& at, std::uint64_t& line, bool& is_alias) {
    statement row = _on.query("SELECT id, line, owner IS NOT NULL FROM temp.staged WHERE domain = ? AND normal = ?",
                              at.domain, at.normal);
    if (!row.step()) {
        return 0;
    }
    line = row.as<std::uint64_t>(1);
    is_alias = row.integer(2) != 0;
    return row.integer(0);
}

void staging::report_duplicate(const csv_address& address, std::uint64_t line, std::uint64_t first_line,
                               const csv_layout& layout) {
    ++_report.duplicates;
    _errors.add({line, address.column, layout.name_of(address.column), address.text,
                 "it is in line " + std::to_string(first_line) + " already; the first counts"});
}

void staging::add_alias(const csv_address& alias, std::int64_t owner, const placed& mailbox, std::uint64_t line,
                        const csv_layout& layout) {
    placed at;
    if (!place(alias, line, layout, at) || (at.domain == mailbox.domain && at.normal == mailbox.normal)) {
        return;
    }
    _on.run("INSERT OR IGNORE INTO temp.staged(line, domain, normal, local, owner, kind) VALUES (?, ?, ?, ?, ?, 4)",
            line, at.domain, at.normal, at.local, owner);
    if (_on.changed() != 0) {
        ++_report.aliases;
        return;
    }
    std::uint64_t first_line = 0;
    bool is_alias = false;
    find(at, first_line, is_alias);
    report_duplicate(alias, line, first_line, layout);
}

void staging::add(const csv_entry& entry, const csv_layout& layout) {
    ++_report.rows;
    if (!entry.problem.reason.empty()) {
        ++_report.invalid;
        row_error error = entry.problem;
        error.column_name = layout.name_of(error.column);
        _errors.add(std::move(error));
        return;
    }
    placed at;
    if (!place(entry.address, entry.problem.line, layout, at)) {
        ++_report.invalid;
        return;
    }
    const std::uint64_t line = entry.problem.line;
    std::optional<int> kind;
    if (entry.kind) {
        kind = static_cast<int>(*entry.kind);
    }
    _on.run(
        "INSERT OR IGNORE INTO temp.staged(line, domain, normal, local, first_name, last_name, grp, kind) VALUES (?, "
        "?, ?, ?, ?, ?, ?, ?)",
        line, at.domain, at.normal, at.local, plain_text(entry.first_name, longest_name),
        plain_text(entry.last_name, longest_name), plain_text(entry.group, longest_name), kind);
    std::int64_t owner = _on.last_id();
    if (_on.changed() == 0) {
        // An alias list names its mailbox in each of its rows.
        std::uint64_t first_line = 0;
        bool is_alias = false;
        owner = find(at, first_line, is_alias);
        if (!layout.has(column_role::alias_address) || is_alias) {
            report_duplicate(entry.address, line, first_line, layout);
            return;
        }
    }
    for (const csv_address& alias : entry.aliases) {
        add_alias(alias, owner, at, line, layout);
    }
}

void staging::add_unreadable(const csv_row& row) {
    ++_report.rows;
    ++_report.invalid;
    _errors.add({row.line, 0, "", "", row.problem});
}

/// A mailbox of the file that the list has as an alias, and the reverse: a person decides, the rest goes on.
void staging::take_out_conflicts() {
    {
        statement rows = _on.query(
            "SELECT s.line, s.local || '@' || d.name, s.owner IS NULL, m.normal || '@' || md.name FROM temp.staged s"
            " JOIN address a ON a.id = s.existing JOIN domain d ON d.id = s.domain"
            " LEFT JOIN address m ON m.id = a.mailbox LEFT JOIN domain md ON md.id = m.domain"
            " WHERE (s.owner IS NULL) <> (a.mailbox IS NULL) ORDER BY s.line");
        while (rows.step()) {
            ++_report.invalid;
            const bool mailbox = rows.integer(2) != 0;
            _errors.add(
                {rows.as<std::uint64_t>(0), 0, "", std::string(rows.text(1)),
                 mailbox ? "it is in the list as an alias of " + std::string(rows.text(3)) + "; remove the alias first"
                         : std::string("it is in the list as a mailbox of its own; remove the mailbox first")});
        }
    }
    _on.run(
        "DELETE FROM temp.staged WHERE id IN (SELECT s.id FROM temp.staged s JOIN address a ON a.id = s.existing"
        " WHERE (s.owner IS NULL) <> (a.mailbox IS NULL))");
    _on.run("DELETE FROM temp.staged WHERE owner IS NOT NULL AND owner NOT IN (SELECT id FROM temp.staged)");
}

void staging::compare(std::uint32_t source, const csv_layout& layout) {
    _on.run(
        "UPDATE temp.staged SET existing = (SELECT a.id FROM address a WHERE a.domain = staged.domain AND a.normal = "
        "staged.normal)");
    _on.script(
        "CREATE INDEX IF NOT EXISTS temp.staged_owner ON staged(owner) WHERE owner IS NOT NULL;"
        "CREATE INDEX IF NOT EXISTS temp.staged_existing ON staged(existing) WHERE existing IS NOT NULL;");
    take_out_conflicts();
    // What the file has no column for is left as it is.
    _on.run(
        "UPDATE temp.staged SET change = CASE WHEN existing IS NULL THEN 1"
        " WHEN NOT EXISTS (SELECT 1 FROM assertion n WHERE n.address = existing AND n.source = ?1)"
        "   OR EXISTS (SELECT 1 FROM address a LEFT JOIN mailbox_group g ON g.id = a.grp WHERE a.id = existing AND ("
        "     (?2 AND a.first_name <> staged.first_name) OR (?3 AND a.last_name <> staged.last_name)"
        "     OR (?4 AND coalesce(g.name, '') <> staged.grp) OR (staged.kind IS NOT NULL AND a.kind <> staged.kind)))"
        "   OR EXISTS (SELECT 1 FROM temp.staged al LEFT JOIN address a ON a.id = al.existing WHERE al.owner = "
        "staged.id AND"
        "     (al.existing IS NULL OR a.mailbox <> staged.existing"
        "      OR NOT EXISTS (SELECT 1 FROM assertion n WHERE n.address = al.existing AND n.source = ?1)))"
        "   OR (?5 AND EXISTS (SELECT 1 FROM address a JOIN assertion n ON n.address = a.id AND n.source = ?1 WHERE "
        "a.mailbox = existing"
        "     AND NOT EXISTS (SELECT 1 FROM temp.staged al WHERE al.existing = a.id)))"
        " THEN 2 ELSE 0 END WHERE owner IS NULL",
        source, layout.has(column_role::first_name), layout.has(column_role::last_name), layout.has(column_role::group),
        _options.replace);
    _report.created = count(_on, "SELECT count(*) FROM temp.staged WHERE owner IS NULL AND change = 1");
    _report.updated = count(_on, "SELECT count(*) FROM temp.staged WHERE owner IS NULL AND change = 2");
    _report.unchanged = count(_on, "SELECT count(*) FROM temp.staged WHERE owner IS NULL AND change = 0");
    const std::string asserted =
        "FROM assertion n JOIN address a ON a.id = n.address WHERE n.source = " + std::to_string(source) +
        " AND NOT EXISTS (SELECT 1 FROM temp.staged s WHERE s.existing = a.id)";
    _report.missing = count(_on, "SELECT count(*) " + asserted + " AND a.mailbox IS NULL");
    _report.withdrawn = _options.replace ? count(_on, "SELECT count(*) " + asserted) : 0;
}

void staging::sample(std::uint32_t source) {
    constexpr std::string_view columns =
        "SELECT s.line, s.local || '@' || d.name, s.first_name, s.last_name, s.grp,"
        " CASE coalesce(s.kind, 0) WHEN 0 THEN 'user' WHEN 1 THEN 'shared' WHEN 2 THEN 'resource' WHEN 3 THEN 'list' "
        "ELSE 'unclassified' END,"
        " coalesce((SELECT group_concat(al.local || '@' || ad.name, ' ') FROM temp.staged al JOIN domain ad ON ad.id = "
        "al.domain"
        "           WHERE al.owner = s.id), '')"
        " FROM temp.staged s JOIN domain d ON d.id = s.domain WHERE s.owner IS NULL AND s.change = ? ORDER BY s.id "
        "LIMIT ?";
    const auto read = [](const statement& row) {
        return import_sample{row.as<std::uint64_t>(0), std::string(row.text(1)), std::string(row.text(2)),
                             std::string(row.text(3)), std::string(row.text(4)), std::string(row.text(5)),
                             std::string(row.text(6))};
    };
    const std::array<std::vector<import_sample>*, 3> kinds{&_report.unchanged_rows, &_report.new_rows,
                                                           &_report.updated_rows};
    for (std::size_t change = 0; change < kinds.size(); ++change) {
        statement rows = _on.query(columns, change, _options.samples);
        while (rows.step()) {
            kinds.at(change)->push_back(read(rows));
        }
    }
    statement rows = _on.query(
        "SELECT 0, a.local || '@' || d.name, a.first_name, a.last_name, coalesce(g.name, ''), 'user', '' FROM "
        "assertion n"
        " JOIN address a ON a.id = n.address JOIN domain d ON d.id = a.domain LEFT JOIN mailbox_group g ON g.id = a.grp"
        " WHERE n.source = ? AND a.mailbox IS NULL AND NOT EXISTS (SELECT 1 FROM temp.staged s WHERE s.existing = "
        "a.id) ORDER BY a.id LIMIT ?",
        source, _options.samples);
    while (rows.step()) {
        _report.missing_rows.push_back(read(rows));
    }
}

}  // namespace postern::sources
