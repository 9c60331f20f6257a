#include "control/directory/changes.h"

#include <unordered_map>

#include "control/directory/connection.h"
#include "control/directory/domain_rows.h"

namespace postern::directory {

namespace {

result<void> note(writer& in, change_kind kind, std::uint32_t domain, std::string_view address, bool was) {
    in.on().run("INSERT INTO change(kind, domain, address, was) VALUES (?, ?, ?, ?)", static_cast<int>(kind), domain,
                address, was);
    return or_failure(in);
}

recipients::listed_address listed(const statement& row, int first_column, std::string_view text) {
    recipients::listed_address out;
    out.text = text;
    out.domain = row.as<std::uint32_t>(first_column);
    out.kind = static_cast<recipients::mailbox_kind>(row.integer(first_column + 1));
    out.internal_only = row.integer(first_column + 2) != 0;
    out.grace = row.integer(first_column + 3) != 0;
    return out;
}

}  // namespace

result<void> note_address(writer& in, std::uint32_t domain, std::string_view normal, bool was) {
    return note(in, change_kind::address, domain, normal, was);
}
result<void> note_domains(writer& in) {
    return note(in, change_kind::domains, 0, "", false);
}
result<void> note_bulk(writer& in) {
    return note(in, change_kind::bulk, 0, "", false);
}

result<std::uint64_t> last_change(const reader& in) {
    statement last = in.on().query("SELECT seq FROM sqlite_sequence WHERE name = 'change'");
    const std::uint64_t out = last.step() ? last.as<std::uint64_t>(0) : 0;
    return or_failure(in, out);
}

result<std::vector<change>> changes_after(const reader& in, std::uint64_t after, std::size_t limit) {
    statement rows = in.on().query(
        "SELECT seq, kind, domain, address, was FROM change WHERE seq > ? ORDER BY seq LIMIT ?", after, limit);
    std::vector<change> out;
    while (rows.step()) {
        out.push_back({rows.as<std::uint64_t>(0), static_cast<change_kind>(rows.integer(1)), rows.as<std::uint32_t>(2),
                       std::string(rows.text(3)), rows.integer(4) != 0});
    }
    return or_failure(in, std::move(out));
}

result<std::uint64_t> forget_changes(writer& in, std::uint64_t seq, std::size_t limit) {
    in.on().run("DELETE FROM change WHERE seq IN (SELECT seq FROM change WHERE seq <= ? ORDER BY seq LIMIT ?)", seq,
                limit);
    return or_failure(in, static_cast<std::uint64_t>(in.on().changed()));
}

result<recipients::domain_section> published_domains(const reader& in) {
    recipients::domain_section out;
    {
        statement rows = in.on().query(std::string(domain_columns) + " ORDER BY d.id");
        while (rows.step()) {
            out.domains.push_back(read_domain(rows).settings);
            recipients::domain_settings& last = out.domains.back();
            if (last.on_hold) {
                last.target = last.id;  // an alias on hold: a domain of its own, with nothing but that
            }
        }
    }
    statement rows = in.on().query("SELECT id, confirmed, catch_all, max_connections FROM route ORDER BY id");
    while (rows.step()) {
        recipients::route& next = out.routes.emplace_back();
        next.id = rows.as<std::uint32_t>(0);
        next.confirmed = rows.integer(1) != 0;
        next.catch_all = rows.integer(2) != 0;
        next.max_connections = rows.as<std::uint16_t>(3);
        next.hosts = route_hosts(in, next.id);
    }
    return or_failure(in, std::move(out));
}

result<void> each_valid_address(const reader& in, const std::function<bool(const recipients::listed_address&)>& sink) {
    std::unordered_map<std::uint32_t, std::string> names;
    {
        statement rows = in.on().query("SELECT id, name FROM domain");
        while (rows.step()) {
            names.emplace(rows.as<std::uint32_t>(0), '@' + std::string(rows.text(1)));
        }
    }
    statement rows =
        in.on().query("SELECT normal, domain, kind, internal_only, grace_until FROM address WHERE valid = 1");
    std::string text;
    while (rows.step()) {
        text.assign(rows.text(0));
        text += names[rows.as<std::uint32_t>(1)];
        if (!sink(listed(rows, 1, text))) {
            break;
        }
    }
    return or_failure(in);
}

result<std::optional<recipients::listed_address>> published_address(const reader& in, std::uint32_t domain,
                                                                    std::string_view normal) {
    const std::string_view local = normal.substr(0, normal.rfind('@'));
    statement row = in.on().query(
        "SELECT domain, kind, internal_only, grace_until FROM address WHERE domain = ? AND normal = ? AND valid = 1",
        domain, local);
    std::optional<recipients::listed_address> out;
    if (row.step()) {
        out = listed(row, 0, normal);
    }
    return or_failure(in, out);
}

}  // namespace postern::directory
