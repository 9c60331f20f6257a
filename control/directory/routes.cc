#include "control/directory/routes.h"

#include <algorithm>

#include "control/directory/changes.h"
#include "control/directory/domain_rows.h"
#include "control/directory/history.h"
#include "control/directory/rows.h"
#include "control/directory/scope_sql.h"

namespace postern::directory {

std::vector<recipients::mail_host> route_hosts(const reader& in, std::uint32_t route) {
    std::vector<recipients::mail_host> out;
    statement rows =
        in.on().query("SELECT host, port, priority FROM route_host WHERE route = ? ORDER BY position", route);
    while (rows.step()) {
        out.push_back({std::string(rows.text(0)), rows.as<std::uint16_t>(1), rows.as<std::uint16_t>(2)});
    }
    return out;
}

namespace {

constexpr std::string_view columns =
    "SELECT r.id, r.organisation, r.name, r.max_connections, r.catch_all, r.probe, r.probed, r.confirmed_by,"
    " r.confirmed, r.created FROM route r";

route read(const reader& in, const statement& row) {
    route out;
    out.id = row.as<std::uint32_t>(0);
    out.organisation = row.as<std::uint32_t>(1);
    out.name = row.text(2);
    out.max_connections = row.as<std::uint16_t>(3);
    out.catch_all = row.integer(4) != 0;
    out.probe = row.text(5);
    out.probed = row.integer(6);
    out.confirmed_by = row.text(7);
    out.confirmed = row.integer(8);
    out.created = row.integer(9);
    out.hosts = route_hosts(in, out.id);
    return out;
}

std::string subject(std::uint32_t id) {
    return "route:" + std::to_string(id);
}

result<void> check_name_free(const reader& in, std::uint32_t organisation, std::string_view name, std::uint32_t but) {
    if (auto good = check_name(name, "name"); !good) {
        return good;
    }
    if (in.on()
            .query("SELECT 1 FROM route WHERE organisation = ? AND name = ? AND id <> ?", organisation, name, but)
            .step()) {
        return fail(error_kind::conflict, "an inbound server '" + std::string(name) + "' is there already", "name");
    }
    return or_failure(in);
}

result<void> check_hosts(const std::vector<recipients::mail_host>& hosts) {
    if (hosts.empty() || hosts.size() > 32) {
        return fail(error_kind::invalid, "an inbound server has 1 to 32 hosts, not " + std::to_string(hosts.size()),
                    "hosts");
    }
    for (const recipients::mail_host& next : hosts) {
        const bool plain = !next.host.empty() && next.host.size() <= 253 && std::ranges::all_of(next.host, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                   c == ':' || c == '_';
        });
        if (!plain) {
            return fail(error_kind::invalid,
                        "'" + next.host.substr(0, 253) + "' is not a host name, IPv4 or IPv6 address", "hosts");
        }
        if (next.port == 0) {
            return fail(error_kind::invalid, "port 0 of " + next.host + " can't be connected to; SMTP's is 25",
                        "hosts");
        }
    }
    return {};
}

result<void> check_connections(std::uint16_t max_connections) {
    if (max_connections == 0) {
        return fail(error_kind::invalid, "at least one connection must be allowed", "max_connections");
    }
    return {};
}

void put_hosts(writer& in, std::uint32_t id, const std::vector<recipients::mail_host>& hosts) {
    in.on().run("DELETE FROM route_host WHERE route = ?", id);
    for (std::size_t at = 0; at < hosts.size(); ++at) {
        in.on().run("INSERT INTO route_host(route, position, host, port, priority) VALUES (?, ?, ?, ?, ?)", id, at,
                    hosts[at].host, hosts[at].port, hosts[at].priority);
    }
    in.on().run(
        "DELETE FROM mail_server WHERE domain IN (SELECT id FROM domain WHERE route = ?1) AND NOT EXISTS"
        " (SELECT 1 FROM route_host h WHERE h.route = ?1 AND h.host = mail_server.host AND h.port = mail_server.port)",
        id);
}

}  // namespace

result<route> add_route(writer& in, const new_route& input) {
    if (!in.on().query("SELECT 1 FROM organisation WHERE id = ?", input.organisation).step()) {
        return fail(error_kind::invalid, "there is no organisation " + std::to_string(input.organisation),
                    "organisation");
    }
    for (const auto& good : {check_name_free(in, input.organisation, input.name, 0), check_hosts(input.hosts),
                             check_connections(input.max_connections)}) {
        if (!good) {
            return tl::unexpected(good.error());
        }
    }
    in.on().run("INSERT INTO route(organisation, name, max_connections, created) VALUES (?, ?, ?, ?)",
                input.organisation, input.name, input.max_connections, in.now());
    const auto id = static_cast<std::uint32_t>(in.on().last_id());
    put_hosts(in, id, input.hosts);
    note_domains(in);
    record(in, "added", subject(id), 0, "", route_json(in, id));
    return find_route(in, id);
}

result<route> change_route(writer& in, std::uint32_t id, const route_change& change) {
    auto found = find_route(in, id);
    if (!found) {
        return found;
    }
    const std::string name = change.name.value_or(found->name);
    const std::vector<recipients::mail_host> hosts = change.hosts.value_or(found->hosts);
    const std::uint16_t connections = change.max_connections.value_or(found->max_connections);
    for (const auto& good :
         {check_name_free(in, found->organisation, name, id), check_hosts(hosts), check_connections(connections)}) {
        if (!good) {
            return tl::unexpected(good.error());
        }
    }
    const std::string before = route_json(in, id);
    in.on().run("UPDATE route SET name = ?, max_connections = ? WHERE id = ?", name, connections, id);
    if (hosts != found->hosts) {
        put_hosts(in, id, hosts);
        // What was found out and confirmed was about the old hosts.
        in.on().run(
            "UPDATE route SET probe = '', probed = 0, catch_all = 0, confirmed_by = '', confirmed = 0 WHERE id = ?",
            id);
    }
    const std::string after = route_json(in, id);
    if (before != after) {
        note_domains(in);
        record(in, "changed", subject(id), 0, before, after);
    }
    return find_route(in, id);
}

result<route> record_probe(writer& in, std::uint32_t id, std::string_view json, bool catch_all) {
    auto found = find_route(in, id);
    if (!found) {
        return found;
    }
    statement valid = in.on().query("SELECT json_valid(?)", json);
    if (!valid.step() || valid.integer(0) == 0) {
        return fail(error_kind::invalid, "a probe's finding is a JSON text", "probe");
    }
    in.on().run("UPDATE route SET probe = ?, probed = ?, catch_all = ? WHERE id = ?", json, in.now(), catch_all, id);
    if (catch_all != found->catch_all) {
        note_domains(in);
    }
    record(in, "probed", subject(id), 0, found->probe, json);
    return find_route(in, id);
}

result<route> confirm_route(writer& in, std::uint32_t id, bool unprobed) {
    auto found = find_route(in, id);
    if (!found) {
        return found;
    }
    if (found->probed == 0 && !unprobed) {
        return fail(error_kind::refused,
                    "the inbound server '" + found->name + "' was not probed yet; probe it and look at what it found");
    }
    if (found->confirmed != 0) {
        return found;
    }
    const std::string before = route_json(in, id);
    in.on().run("UPDATE route SET confirmed_by = ?, confirmed = ? WHERE id = ?", in.by().who, in.now(), id);
    note_domains(in);
    record(in, "confirmed", subject(id), 0, before, route_json(in, id));
    return find_route(in, id);
}

result<void> remove_route(writer& in, std::uint32_t id) {
    const auto found = find_route(in, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    statement used = in.on().query("SELECT name FROM domain WHERE route = ? LIMIT 1", id);
    if (used.step()) {
        return fail(error_kind::conflict, "the inbound server '" + found->name + "' still serves " +
                                              std::string(used.text(0)) + "; give that domain another one first");
    }
    const std::string before = route_json(in, id);
    in.on().run("DELETE FROM route WHERE id = ?", id);
    note_domains(in);
    return record(in, "removed", subject(id), 0, before, "");
}

result<route> find_route(const reader& in, std::uint32_t id) {
    statement row = in.on().query(std::string(columns) + " WHERE r.id = ?", id);
    if (!row.step()) {
        return nothing_found(in, "there is no inbound server " + std::to_string(id));
    }
    return or_failure(in, read(in, row));
}

namespace {

/// Of rows `r` of routes.
std::string route_condition(const scope& within, std::string_view parameter) {
    if (within.is_everything() || within.reach == reach::organisation) {
        return organisation_condition(within, "r.organisation", parameter);
    }
    return "EXISTS (SELECT 1 FROM domain served WHERE served.route = r.id AND " +
           domain_condition(within, "served", parameter) + ")";
}

}  // namespace

result<bool> has_route(const reader& in, const scope& within, const route& one) {
    const bool found = in.on()
                           .query("SELECT 1 FROM route r WHERE r.id = ?1 AND " + route_condition(within, "?2"), one.id,
                                  scope_ids(within))
                           .step();
    return or_failure(in, found);
}

result<page<route>> list_routes(const reader& in, const route_filter& filter, const page_request& at) {
    static const scope everything;
    const scope& within = filter.within == nullptr ? everything : *filter.within;
    const auto cursor = read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    statement rows =
        in.on().query(std::string(columns) +
                          " WHERE r.id > ?1 AND (?2 = 0 OR r.organisation = ?2)"
                          " AND (?3 IS NULL OR (r.confirmed <> 0) = ?3) AND " +
                          route_condition(within, "?4") + " ORDER BY r.id LIMIT ?5",
                      cursor->after, filter.organisation, filter.confirmed, scope_ids(within), cursor->limit + 1);
    page<route> out;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        out.items.push_back(read(in, rows));
    }
    return or_failure(in, std::move(out));
}

}  // namespace postern::directory
