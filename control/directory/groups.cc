#include "control/directory/groups.h"

#include <algorithm>

#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/directory/rows.h"
#include "control/directory/scope_sql.h"

namespace postern::directory {

namespace {

constexpr std::string_view columns =
    "SELECT g.id, g.organisation, g.name, coalesce(g.domain, 0), (SELECT count(*) FROM address a WHERE a.grp = g.id),"
    " g.created FROM mailbox_group g";

group read(const statement& row) {
    return {row.as<std::uint32_t>(0), row.as<std::uint32_t>(1), std::string(row.text(2)),
            row.as<std::uint32_t>(3), row.as<std::uint64_t>(4), row.integer(5)};
}

std::string subject(std::uint32_t id) {
    return "group:" + std::to_string(id);
}

std::string json(const reader& in, std::uint32_t id) {
    statement row = in.on().query(
        "SELECT json_object('id', id, 'organisation', organisation, 'name', name, 'domain', domain) FROM mailbox_group "
        "WHERE id = ?",
        id);
    return row.step() ? std::string(row.text(0)) : std::string();
}

result<void> check_free(const reader& in, std::uint32_t organisation, std::string_view name, std::uint32_t but) {
    if (auto good = check_name(name, "name"); !good) {
        return good;
    }
    if (in.on()
            .query("SELECT 1 FROM mailbox_group WHERE organisation = ? AND name = ? AND id <> ?", organisation, name,
                   but)
            .step()) {
        return fail(error_kind::conflict, "the group '" + std::string(name) + "' is there already", "name");
    }
    return or_failure(in);
}

/// `group` 0: a new one.
result<void> check_domain(const reader& in, std::uint32_t organisation, std::uint32_t domain, std::uint32_t group) {
    if (domain == 0) {
        return {};
    }
    if (!in.on()
             .query("SELECT 1 FROM domain WHERE id = ? AND organisation = ? AND target IS NULL", domain, organisation)
             .step()) {
        return fail(error_kind::invalid, "there is no domain " + std::to_string(domain) + " in the organisation",
                    "domain");
    }
    if (in.on().query("SELECT 1 FROM address WHERE grp = ? AND domain <> ? LIMIT 1", group, domain).step()) {
        return fail(error_kind::conflict, "the group has mailboxes of other domains; take them out first", "domain");
    }
    return or_failure(in);
}

}  // namespace

result<group> add_group(writer& in, std::uint32_t organisation, std::string_view name, std::uint32_t domain) {
    if (!in.on().query("SELECT 1 FROM organisation WHERE id = ?", organisation).step()) {
        return fail(error_kind::invalid, "there is no organisation " + std::to_string(organisation), "organisation");
    }
    if (auto free = check_free(in, organisation, name, 0); !free) {
        return tl::unexpected(free.error());
    }
    if (auto good = check_domain(in, organisation, domain, 0); !good) {
        return tl::unexpected(good.error());
    }
    in.on().run("INSERT INTO mailbox_group(organisation, name, domain, created) VALUES (?, ?, nullif(?, 0), ?)",
                organisation, name, domain, in.now());
    const auto id = static_cast<std::uint32_t>(in.on().last_id());
    record(in, "added", subject(id), domain, "", json(in, id));
    return find_group(in, id);
}

result<group> change_group(writer& in, std::uint32_t id, const group_change& change) {
    auto found = find_group(in, id);
    if (!found) {
        return found;
    }
    const std::string name = change.name.value_or(found->name);
    const std::uint32_t domain = change.domain.value_or(found->domain);
    if (auto free = check_free(in, found->organisation, name, id); !free) {
        return tl::unexpected(free.error());
    }
    if (auto good = check_domain(in, found->organisation, domain, id); !good) {
        return tl::unexpected(good.error());
    }
    const std::string before = json(in, id);
    in.on().run("UPDATE mailbox_group SET name = ?, domain = nullif(?, 0) WHERE id = ?", name, domain, id);
    if (const std::string after = json(in, id); before != after) {
        record(in, "changed", subject(id), found->domain, before, after);
    }
    return find_group(in, id);
}

result<void> remove_group(writer& in, std::uint32_t id) {
    const auto found = find_group(in, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    const std::string before = json(in, id);
    in.on().run("UPDATE address SET grp = NULL WHERE grp = ?", id);
    in.on().run("DELETE FROM mailbox_group WHERE id = ?", id);
    return record(in, "removed", subject(id), found->domain, before, "");
}

result<group> find_group(const reader& in, std::uint32_t id) {
    statement row = in.on().query(std::string(columns) + " WHERE g.id = ?", id);
    if (!row.step()) {
        return nothing_found(in, "there is no group " + std::to_string(id));
    }
    return read(row);
}

bool has_group(const scope& within, const group& one) noexcept {
    switch (within.reach) {
        case reach::everything:
            return true;
        case reach::organisation:
            return within.has_organisation(one.organisation);
        case reach::domains:
            return one.domain != 0 && std::ranges::binary_search(within.domains, one.domain);
        case reach::group:
            return one.id == within.group;
    }
    return false;
}

result<page<group>> list_groups(const reader& in, const group_filter& filter, const page_request& at) {
    const auto cursor = read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    std::string condition;
    switch (filter.within.reach) {
        case reach::everything:
        case reach::organisation:
            condition = organisation_condition(filter.within, "g.organisation", "?4") + " AND ?5 >= 0";
            break;
        case reach::domains:
            condition = domain_id_condition(filter.within, "g.domain", "?4") + " AND ?5 = 0";
            break;
        case reach::group:
            condition = "g.id = ?5 AND ?4 <> ''";
            break;
    }
    statement rows = in.on().query(std::string(columns) +
                                       " WHERE g.id > ?1 AND (?2 = 0 OR g.organisation = ?2) AND (?3 = 0 OR g.domain = "
                                       "?3) AND " +
                                       condition + " ORDER BY g.id LIMIT ?6",
                                   cursor->after, filter.organisation, filter.domain, scope_ids(filter.within),
                                   filter.within.group, cursor->limit + 1);
    page<group> out;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        out.items.push_back(read(rows));
    }
    return or_failure(in, std::move(out));
}

}  // namespace postern::directory
