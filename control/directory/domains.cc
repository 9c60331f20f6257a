#include "control/directory/domains.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "control/directory/changes.h"
#include "control/directory/domain_rows.h"
#include "control/directory/history.h"
#include "control/directory/rows.h"
#include "control/directory/scope_sql.h"
#include "smtp/recipients/address.h"

namespace postern::directory {

std::string networks_text(const std::vector<recipients::network>& networks) {
    std::string out;
    for (const recipients::network& next : networks) {
        std::array<char, INET6_ADDRSTRLEN> text{};
        inet_ntop(AF_INET6, next.address.data(), text.data(), text.size());
        out += (out.empty() ? "" : " ") + std::string(text.data()) + '/' + std::to_string(next.length);
    }
    return out;
}

std::vector<recipients::network> networks_of(std::string_view text) {
    std::vector<recipients::network> out;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        const std::size_t slash = word.find('/');
        recipients::network next;
        if (slash == std::string_view::npos ||
            inet_pton(AF_INET6, std::string(word.substr(0, slash)).c_str(), next.address.data()) != 1) {
            continue;
        }
        std::from_chars(word.data() + slash + 1, word.data() + word.size(), next.length);
        out.push_back(next);
    }
    return out;
}

domain read_domain(const statement& row) {
    domain out;
    out.id = row.as<std::uint32_t>(0);
    out.organisation = row.as<std::uint32_t>(1);
    out.name = row.text(2);
    out.target = row.as<std::uint32_t>(3);
    out.route = row.as<std::uint32_t>(4);
    out.mode = static_cast<recipients::mode>(row.integer(5));
    out.mode_since = row.integer(6);
    out.mode_until = row.integer(7);
    recipients::domain_settings& settings = out.settings;
    settings.id = out.id;
    settings.name = out.name;
    settings.target = out.target == 0 ? out.id : out.target;
    settings.route = out.route;
    settings.mode = out.mode;
    settings.subaddress_delimiter = row.as<char>(8);
    settings.grace_defers = row.integer(9) != 0;
    settings.abuse_always = row.integer(10) != 0;
    settings.strip_prvs = row.integer(11) != 0;
    settings.accept_srs = row.integer(12) != 0;
    settings.on_hold = row.integer(13) != 0;
    settings.trusted = networks_of(row.text(14));
    out.created = row.integer(15);
    out.proven = row.integer(16);
    return out;
}

namespace {

result<std::string> new_name(const reader& in, std::string_view name) {
    recipients::normal_address parsed;
    if (const auto done = recipients::parse_domain(name, parsed); !done) {
        return fail(error_kind::invalid,
                    "'" + std::string(name.substr(0, 255)) +
                        "' is not a domain: " + std::string(recipients::to_string(done.error())),
                    "name");
    }
    std::string normal(parsed.domain());
    statement taken = in.on().query("SELECT 1 FROM domain WHERE name = ?", normal);
    if (taken.step()) {
        return fail(error_kind::conflict, "the domain " + normal + " is there already", "name");
    }
    return or_failure(in, std::move(normal));
}

result<void> check_route(const reader& in, std::uint32_t route, std::uint32_t organisation) {
    if (route == 0) {
        return {};
    }
    statement found = in.on().query("SELECT organisation FROM route WHERE id = ?", route);
    if (!found.step()) {
        return fail(error_kind::invalid, "there is no inbound server " + std::to_string(route), "route");
    }
    if (found.as<std::uint32_t>(0) != organisation) {
        return fail(error_kind::invalid, "inbound server " + std::to_string(route) + " is of another organisation",
                    "route");
    }
    return or_failure(in);
}

result<domain> insert_domain(writer& in, const std::string& name, std::uint32_t organisation, std::uint32_t target,
                             std::uint32_t route) {
    in.on().run(
        "INSERT INTO domain(organisation, name, target, route, mode_since, created)"
        " VALUES (?, ?, nullif(?, 0), nullif(?, 0), ?, ?)",
        organisation, name, target, route, in.now(), in.now());
    const auto id = static_cast<std::uint32_t>(in.on().last_id());
    note_domains(in);
    record(in, "added", "domain:" + name, id, "", domain_json(in, id));
    return find_domain(in, id);
}

/// The domain, if it is one and not an alias.
result<domain> find_target(const reader& in, std::uint32_t id, std::string_view field) {
    auto found = find_domain(in, id);
    if (found && found->target != 0) {
        return fail(error_kind::invalid, found->name + " is a domain alias; name the domain that it leads to",
                    std::string(field));
    }
    return found;
}

}  // namespace

result<domain> add_domain(writer& in, const new_domain& input) {
    const auto name = new_name(in, input.name);
    if (!name) {
        return tl::unexpected(name.error());
    }
    if (!in.on().query("SELECT 1 FROM organisation WHERE id = ?", input.organisation).step()) {
        return fail(error_kind::invalid, "there is no organisation " + std::to_string(input.organisation),
                    "organisation");
    }
    if (const auto fits = check_route(in, input.route, input.organisation); !fits) {
        return tl::unexpected(fits.error());
    }
    return insert_domain(in, *name, input.organisation, 0, input.route);
}

result<domain> add_domain_alias(writer& in, std::string_view name, std::uint32_t target) {
    const auto normal = new_name(in, name);
    if (!normal) {
        return tl::unexpected(normal.error());
    }
    const auto leads_to = find_target(in, target, "target");
    if (!leads_to) {
        error cause = leads_to.error();
        if (cause.kind == error_kind::not_found) {
            cause.kind = error_kind::invalid;
            cause.field = "target";
        }
        return tl::unexpected(std::move(cause));
    }
    return insert_domain(in, *normal, leads_to->organisation, target, 0);
}

result<domain> change_domain_alias(writer& in, std::uint32_t id, const domain_alias_change& change) {
    auto found = find_domain(in, id);
    if (!found || found->target == 0) {
        return found ? fail(error_kind::invalid, found->name + " is not a domain alias", "id") : found;
    }
    std::string name = found->name;
    if (change.name) {
        recipients::normal_address parsed;
        const bool same = recipients::parse_domain(*change.name, parsed) && parsed.domain() == found->name;
        const auto normal = same ? result<std::string>(name) : new_name(in, *change.name);
        if (!normal) {
            return tl::unexpected(normal.error());
        }
        name = *normal;
    }
    const std::uint32_t target = change.target.value_or(found->target);
    const auto leads_to = find_target(in, target, "domain");
    if (!leads_to || leads_to->organisation != found->organisation) {
        return fail(error_kind::invalid,
                    leads_to ? leads_to->name + " is another organisation's" : leads_to.error().text, "domain");
    }
    const bool on_hold = change.on_hold.value_or(found->settings.on_hold);
    if (name == found->name && target == found->target && on_hold == found->settings.on_hold) {
        return found;
    }
    const std::string before = domain_json(in, id);
    // Another name is proven by nobody but whoever gives it.
    in.on().run(
        "UPDATE domain SET name = ?1, target = ?2, on_hold = ?3, proven = iif(name = ?1, proven, 0) WHERE id = ?4",
        name, target, on_hold, id);
    note_domains(in);
    record(in, "changed", "domain:" + name, id, before, domain_json(in, id));
    return find_domain(in, id);
}

result<domain> change_domain(writer& in, std::uint32_t id, const domain_change& change) {
    auto found = find_target(in, id, "id");
    if (!found) {
        return found;
    }
    const std::uint32_t route = change.route.value_or(found->route);
    if (const auto fits = check_route(in, route, found->organisation); !fits) {
        return tl::unexpected(fits.error());
    }
    recipients::domain_settings next = found->settings;
    next.subaddress_delimiter = change.subaddress_delimiter.value_or(next.subaddress_delimiter);
    const auto delimiter = static_cast<unsigned char>(next.subaddress_delimiter);
    constexpr std::string_view allowed = "+-=_!#$%&*/?^|~";
    if (delimiter != 0 && allowed.find(next.subaddress_delimiter) == std::string_view::npos) {
        return fail(error_kind::invalid,
                    "a subaddress delimiter is one of " + std::string(allowed) + ", or none at all",
                    "subaddress_delimiter");
    }
    for (const recipients::network& network : change.trusted.value_or(std::vector<recipients::network>{})) {
        if (network.length > 128) {
            return fail(error_kind::invalid, "a network's length is at most 128 bits", "trusted");
        }
    }
    next.grace_defers = change.grace_defers.value_or(next.grace_defers);
    next.abuse_always = change.abuse_always.value_or(next.abuse_always);
    next.strip_prvs = change.strip_prvs.value_or(next.strip_prvs);
    next.accept_srs = change.accept_srs.value_or(next.accept_srs);
    next.on_hold = change.on_hold.value_or(next.on_hold);
    next.trusted = change.trusted.value_or(next.trusted);
    next.route = route;
    if (next == found->settings) {
        return found;
    }
    const std::string before = domain_json(in, id);
    in.on().run(
        "UPDATE domain SET route = nullif(?, 0), subaddress = ?, grace_defers = ?, abuse_always = ?, strip_prvs = ?,"
        " accept_srs = ?, on_hold = ?, trusted = ? WHERE id = ?",
        route, delimiter, next.grace_defers, next.abuse_always, next.strip_prvs, next.accept_srs, next.on_hold,
        networks_text(next.trusted), id);
    note_domains(in);
    record(in, "changed", "domain:" + found->name, id, before, domain_json(in, id));
    return find_domain(in, id);
}

result<void> remove_domain(writer& in, std::uint32_t id, bool with_addresses) {
    const auto found = find_domain(in, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    connection& on = in.on();
    const bool full = on.query("SELECT 1 FROM address WHERE domain = ? LIMIT 1", id).step();
    const bool has_aliases = on.query("SELECT 1 FROM domain WHERE target = ? LIMIT 1", id).step();
    if ((full || has_aliases) && !with_addresses) {
        return fail(error_kind::conflict, found->name + (full ? " still has addresses" : " still has domain aliases") +
                                              "; remove them first, or ask for the domain with all that is in it");
    }
    if (full) {
        const auto act = need_act(in);
        if (!act) {
            return tl::unexpected(act.error());
        }
        std::vector<std::int64_t> elsewhere;  // mailboxes of other domains that may be kept by an alias here alone
        statement kept = on.query(
            "SELECT DISTINCT m.id FROM address a JOIN address m ON m.id = a.mailbox WHERE a.domain = ?1 AND m.domain "
            "<> ?1",
            id);
        while (kept.step()) {
            elsewhere.push_back(kept.integer(0));
        }
        // Aliases of other domains that lead to a mailbox here go with it.
        for (const std::string_view which :
             {"a.domain <> ?2 AND a.mailbox IN (SELECT id FROM address WHERE domain = ?2)",
              "a.domain = ?2 AND a.mailbox IS NOT NULL", "a.domain = ?2"}) {
            const std::string rows = "FROM address a WHERE " + std::string(which);
            on.run(
                "INSERT INTO history(act, what, subject, domain) SELECT ?1, 'removed', 'address:' || a.normal || '@' ||"
                " (SELECT name FROM domain WHERE id = a.domain), a.domain " +
                    rows,
                *act, id);
            on.run("DELETE FROM address WHERE ?1 = ?1 AND id IN (SELECT a.id " + rows + ")", *act, id);
        }
        for (const std::int64_t mailbox : elsewhere) {
            settle(in, mailbox, false);
        }
        // The base names this domain's addresses; one that is added again later must not find them.
        note_bulk(in);
    }
    const std::string before = domain_json(in, id);
    on.run("DELETE FROM mailbox_group WHERE domain = ?", id);  // those within it: they are empty now
    on.run("DELETE FROM domain WHERE target = ?", id);
    on.run("DELETE FROM domain WHERE id = ?", id);
    note_domains(in);
    return record(in, "removed", "domain:" + found->name, id, before, "");
}

result<domain> find_domain(const reader& in, std::uint32_t id) {
    statement row = in.on().query(std::string(domain_columns) + " WHERE d.id = ?", id);
    if (!row.step()) {
        return nothing_found(in, "there is no domain " + std::to_string(id));
    }
    return read_domain(row);
}

result<domain> find_domain(const reader& in, std::string_view name) {
    recipients::normal_address parsed;
    if (!recipients::parse_domain(name, parsed)) {
        return fail(error_kind::not_found, "'" + std::string(name.substr(0, 255)) + "' is not a domain");
    }
    statement row = in.on().query(std::string(domain_columns) + " WHERE d.name = ?", parsed.domain());
    if (!row.step()) {
        return nothing_found(in, "the domain " + std::string(parsed.domain()) + " is not served here");
    }
    return read_domain(row);
}

namespace {

const scope& scope_of(const domain_filter& filter) {
    static const scope everything;
    return filter.within == nullptr ? everything : *filter.within;
}

// Parameters 1 to 7; 8 and 9 are the page's.
std::string where(const domain_filter& filter) {
    std::string sql = filter.organisation == 0 ? " WHERE ?1 = 0" : " WHERE d.organisation = ?1";
    sql += filter.target == 0 ? " AND ?2 = 0" : " AND d.target = ?2";
    sql += !filter.alias ? " AND ?3 = 0" : " AND (d.target IS NOT NULL) = ?3";
    sql += !filter.mode ? " AND ?4 = 0" : " AND d.mode = ?4 AND d.target IS NULL";
    sql += filter.route == 0 ? " AND ?5 = 0" : " AND d.route = ?5";
    sql += filter.search.empty() ? " AND ?6 <> ''" : " AND d.name LIKE ?6 ESCAPE '\\'";
    sql += " AND " + domain_condition(scope_of(filter), "d", "?7");
    return sql;
}

template <class... More>
statement query(const reader& in, const std::string& sql, const domain_filter& filter, const More&... more) {
    return in.on().query(sql, filter.organisation, filter.target, filter.alias.value_or(false),
                         filter.mode ? static_cast<int>(*filter.mode) : 0, filter.route, like_part(filter.search),
                         scope_ids(scope_of(filter)), more...);
}

}  // namespace

result<page<domain>> list_domains(const reader& in, const domain_filter& filter, const page_request& at) {
    const std::uint32_t limit = std::clamp<std::uint32_t>(at.limit, 1, 1000);
    statement rows =
        query(in, std::string(domain_columns) + where(filter) + " AND d.name > ?8 ORDER BY d.name LIMIT ?9", filter,
              at.after, limit + 1);
    page<domain> out;
    while (rows.step()) {
        if (out.items.size() == limit) {
            out.next = out.items.back().name;
            break;
        }
        out.items.push_back(read_domain(rows));
    }
    return or_failure(in, std::move(out));
}

result<std::uint64_t> count_domains(const reader& in, const domain_filter& filter) {
    statement row = query(in, "SELECT count(*) FROM domain d" + where(filter), filter);
    const std::uint64_t out = row.step() ? row.as<std::uint64_t>(0) : 0;
    return or_failure(in, out);
}

namespace {

result<domain_counts> read_counts(const reader& in, statement row) {
    domain_counts out;
    if (row.step()) {
        out.mailboxes = row.as<std::uint64_t>(0);
        out.aliases = row.as<std::uint64_t>(1);
        out.valid = out.mailboxes + out.aliases;
        out.blocked = row.as<std::uint64_t>(2);
    }
    return or_failure(in, out);
}

constexpr std::string_view kept_counts =
    "SELECT total(valid_mailboxes), total(valid_aliases), total(blocked) FROM address_count c WHERE ";

}  // namespace

result<domain_counts> count_addresses(const reader& in, std::uint32_t domain) {
    return read_counts(in, in.on().query(std::string(kept_counts) + "?1 = 0 OR c.domain = ?1", domain));
}

result<domain_counts> count_addresses(const reader& in, const scope& within) {
    if (within.reach == reach::group) {
        return read_counts(in, in.on().query("SELECT total(a.valid AND a.mailbox IS NULL), total(a.valid AND a.mailbox "
                                             "IS NOT NULL), total(a.hold = 2) FROM address a WHERE " +
                                                 domain_id_condition(within, "a.domain", "?1") + " AND " +
                                                 group_condition(within, "a", "?2"),
                                             scope_ids(within), within.group));
    }
    return read_counts(
        in, in.on().query(std::string(kept_counts) + domain_id_condition(within, "c.domain", "?1"), scope_ids(within)));
}

}  // namespace postern::directory
