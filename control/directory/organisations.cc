#include "control/directory/organisations.h"

#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/directory/rows.h"
#include "control/directory/scope_sql.h"

namespace postern::directory {

namespace {

constexpr std::string_view columns =
    "SELECT o.id, o.label, coalesce(o.parent, 0), o.reseller, o.created FROM organisation o";

organisation read(const statement& row) {
    organisation out;
    out.id = row.as<std::uint32_t>(0);
    out.name = row.text(1);
    out.parent = row.as<std::uint32_t>(2);
    out.reseller = row.integer(3) != 0;
    out.created = row.integer(4);
    return out;
}

std::string subject(std::uint32_t id) {
    return "organisation:" + std::to_string(id);
}

std::string json(const reader& in, std::uint32_t id) {
    statement row = in.on().query(
        "SELECT json_object('id', id, 'organisation', id, 'name', label, 'parent', parent, 'reseller',"
        " json(iif(reseller, 'true', 'false'))) FROM organisation WHERE id = ?",
        id);
    return row.step() ? std::string(row.text(0)) : std::string();
}

/// The name that is unique among all: what sources of its lists are called after.
std::string whole_name(std::string_view name, std::uint32_t parent) {
    return (parent == 0 ? std::string() : std::to_string(parent) + "/") + std::string(name);
}

/// Whether it can be so. `wanted.id` 0: a new one.
result<void> check(const reader& in, const organisation& wanted) {
    if (auto good = check_name(wanted.name, "name"); !good) {
        return good;
    }
    connection& on = in.on();
    if (on.query(
              "SELECT 1 FROM organisation WHERE (name = ?1 OR (label = ?2 AND coalesce(parent, 0) = ?3)) AND id <> ?4",
              whole_name(wanted.name, wanted.parent), wanted.name, wanted.parent, wanted.id)
            .step()) {
        return fail(error_kind::conflict, "the organisation '" + wanted.name + "' is there already", "name");
    }
    if (wanted.parent != 0) {
        statement parent = on.query("SELECT reseller FROM organisation WHERE id = ?", wanted.parent);
        if (!parent.step()) {
            return fail(error_kind::invalid, "there is no organisation " + std::to_string(wanted.parent), "parent");
        }
        if (parent.integer(0) == 0 || wanted.parent == wanted.id) {
            return fail(error_kind::invalid,
                        "organisation " + std::to_string(wanted.parent) + " is not a reseller: it has no customers",
                        "parent");
        }
        if (wanted.reseller) {
            return fail(error_kind::invalid, "a reseller's customer is not a reseller itself", "reseller");
        }
    }
    if (!wanted.reseller && on.query("SELECT 1 FROM organisation WHERE parent = ?", wanted.id).step()) {
        return fail(error_kind::conflict, wanted.name + " still has customers", "reseller");
    }
    return or_failure(in);
}

}  // namespace

result<organisation> add_organisation(writer& in, const new_organisation& input) {
    const organisation wanted{0, input.name, input.parent, input.reseller, in.now()};
    if (auto good = check(in, wanted); !good) {
        return tl::unexpected(good.error());
    }
    in.on().run("INSERT INTO organisation(name, label, parent, reseller, created) VALUES (?, ?, nullif(?, 0), ?, ?)",
                whole_name(wanted.name, wanted.parent), wanted.name, wanted.parent, wanted.reseller, wanted.created);
    const auto id = static_cast<std::uint32_t>(in.on().last_id());
    record(in, "added", subject(id), 0, "", json(in, id));
    return find_organisation(in, id);
}

result<organisation> change_organisation(writer& in, std::uint32_t id, const organisation_change& change) {
    auto found = find_organisation(in, id);
    if (!found) {
        return found;
    }
    organisation wanted = *found;
    wanted.name = change.name.value_or(wanted.name);
    wanted.parent = change.parent.value_or(wanted.parent);
    wanted.reseller = change.reseller.value_or(wanted.reseller);
    if (auto good = check(in, wanted); !good) {
        return tl::unexpected(good.error());
    }
    const std::string before = json(in, id);
    in.on().run("UPDATE organisation SET name = ?, label = ?, parent = nullif(?, 0), reseller = ? WHERE id = ?",
                whole_name(wanted.name, wanted.parent), wanted.name, wanted.parent, wanted.reseller, id);
    if (const std::string after = json(in, id); before != after) {
        record(in, "changed", subject(id), 0, before, after);
    }
    return find_organisation(in, id);
}

result<void> remove_organisation(writer& in, std::uint32_t id) {
    const auto found = find_organisation(in, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    statement used = in.on().query(
        "SELECT 'customers' FROM organisation WHERE parent = ?1 UNION ALL"
        " SELECT 'domains' FROM domain WHERE organisation = ?1 UNION ALL SELECT 'inbound servers' FROM route"
        " WHERE organisation = ?1 UNION ALL SELECT 'groups' FROM mailbox_group WHERE organisation = ?1"
        " UNION ALL SELECT 'directory sources' FROM sync_source WHERE organisation = ?1 LIMIT 1",
        id);
    if (used.step()) {
        return fail(error_kind::conflict,
                    found->name + " still has " + std::string(used.text(0)) + "; remove them first");
    }
    const std::string before = json(in, id);
    in.on().run("UPDATE token SET revoked = ? WHERE organisation = ? AND revoked = 0", in.now(), id);
    in.on().run("UPDATE source SET organisation = NULL WHERE organisation = ?", id);
    in.on().run("DELETE FROM organisation WHERE id = ?", id);
    return record(in, "removed", subject(id), 0, before, "");
}

result<organisation> find_organisation(const reader& in, std::uint32_t id) {
    statement row = in.on().query(std::string(columns) + " WHERE o.id = ?", id);
    if (!row.step()) {
        return nothing_found(in, "there is no organisation " + std::to_string(id));
    }
    return read(row);
}

result<page<organisation>> list_organisations(const reader& in, const organisation_filter& filter,
                                              const page_request& at) {
    const auto cursor = read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    const bool narrow = filter.within.reach == reach::domains || filter.within.reach == reach::group;
    statement rows = in.on().query(
        std::string(columns) + " WHERE o.id > ?1 AND (?2 = 0 OR o.parent = ?2) AND " +
            (narrow ? std::string("o.id = CAST(?3 AS INTEGER)") : organisation_condition(filter.within, "o.id", "?3")) +
            " ORDER BY o.id LIMIT ?4",
        cursor->after, filter.parent, narrow ? std::to_string(filter.within.organisation) : scope_ids(filter.within),
        cursor->limit + 1);
    page<organisation> out;
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
