#include "control/directory/groups.h"

#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/directory/rows.h"

namespace postern::directory {

namespace {

constexpr std::string_view columns =
    "SELECT g.id, g.organisation, g.name, (SELECT count(*) FROM address a WHERE a.grp = g.id), g.created"
    " FROM mailbox_group g";

group read(const statement& row) {
    return {row.as<std::uint32_t>(0), row.as<std::uint32_t>(1), std::string(row.text(2)), row.as<std::uint64_t>(3),
            row.integer(4)};
}

std::string subject(std::uint32_t id) {
    return "group:" + std::to_string(id);
}

std::string json(const reader& in, std::uint32_t id) {
    statement row = in.on().query(
        "SELECT json_object('id', id, 'organisation', organisation, 'name', name) FROM mailbox_group WHERE id = ?", id);
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

}  // namespace

result<group> add_group(writer& in, std::uint32_t organisation, std::string_view name) {
    if (!in.on().query("SELECT 1 FROM organisation WHERE id = ?", organisation).step()) {
        return fail(error_kind::invalid, "there is no organisation " + std::to_string(organisation), "organisation");
    }
    if (auto free = check_free(in, organisation, name, 0); !free) {
        return tl::unexpected(free.error());
    }
    in.on().run("INSERT INTO mailbox_group(organisation, name, created) VALUES (?, ?, ?)", organisation, name,
                in.now());
    const auto id = static_cast<std::uint32_t>(in.on().last_id());
    record(in, "added", subject(id), 0, "", json(in, id));
    return find_group(in, id);
}

result<group> rename_group(writer& in, std::uint32_t id, std::string_view name) {
    auto found = find_group(in, id);
    if (!found) {
        return found;
    }
    if (auto free = check_free(in, found->organisation, name, id); !free) {
        return tl::unexpected(free.error());
    }
    const std::string before = json(in, id);
    in.on().run("UPDATE mailbox_group SET name = ? WHERE id = ?", name, id);
    record(in, "changed", subject(id), 0, before, json(in, id));
    return find_group(in, id);
}

result<void> remove_group(writer& in, std::uint32_t id) {
    if (auto found = find_group(in, id); !found) {
        return tl::unexpected(found.error());
    }
    const std::string before = json(in, id);
    in.on().run("UPDATE address SET grp = NULL WHERE grp = ?", id);
    in.on().run("DELETE FROM mailbox_group WHERE id = ?", id);
    return record(in, "removed", subject(id), 0, before, "");
}

result<group> find_group(const reader& in, std::uint32_t id) {
    statement row = in.on().query(std::string(columns) + " WHERE g.id = ?", id);
    if (!row.step()) {
        return nothing_found(in, "there is no group " + std::to_string(id));
    }
    return read(row);
}

result<page<group>> list_groups(const reader& in, std::uint32_t organisation, const page_request& at) {
    const auto cursor = read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    statement rows = in.on().query(
        std::string(columns) + " WHERE g.id > ?1 AND (?2 = 0 OR g.organisation = ?2) ORDER BY g.id LIMIT ?3",
        cursor->after, organisation, cursor->limit + 1);
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
