#include "control/directory/organisations.h"

#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/directory/rows.h"

namespace postern::directory {

namespace {

constexpr std::string_view columns = "SELECT id, name, created FROM organisation";

organisation read(const statement& row) {
    return {row.as<std::uint32_t>(0), std::string(row.text(1)), row.integer(2)};
}

std::string subject(std::uint32_t id) {
    return "organisation:" + std::to_string(id);
}

std::string json(const reader& in, std::uint32_t id) {
    statement row = in.on().query("SELECT json_object('id', id, 'name', name) FROM organisation WHERE id = ?", id);
    return row.step() ? std::string(row.text(0)) : std::string();
}

result<void> check_free(const reader& in, std::string_view name, std::uint32_t but) {
    if (auto good = check_name(name, "name"); !good) {
        return good;
    }
    if (in.on().query("SELECT 1 FROM organisation WHERE name = ? AND id <> ?", name, but).step()) {
        return fail(error_kind::conflict, "the organisation '" + std::string(name) + "' is there already", "name");
    }
    return or_failure(in);
}

}  // namespace

result<organisation> add_organisation(writer& in, std::string_view name) {
    if (auto free = check_free(in, name, 0); !free) {
        return tl::unexpected(free.error());
    }
    in.on().run("INSERT INTO organisation(name, created) VALUES (?, ?)", name, in.now());
    const auto id = static_cast<std::uint32_t>(in.on().last_id());
    record(in, "added", subject(id), 0, "", json(in, id));
    return find_organisation(in, id);
}

result<organisation> rename_organisation(writer& in, std::uint32_t id, std::string_view name) {
    if (auto found = find_organisation(in, id); !found) {
        return found;
    }
    if (auto free = check_free(in, name, id); !free) {
        return tl::unexpected(free.error());
    }
    const std::string before = json(in, id);
    in.on().run("UPDATE organisation SET name = ? WHERE id = ?", name, id);
    record(in, "changed", subject(id), 0, before, json(in, id));
    return find_organisation(in, id);
}

result<void> remove_organisation(writer& in, std::uint32_t id) {
    const auto found = find_organisation(in, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    statement used = in.on().query(
        "SELECT 'domains' FROM domain WHERE organisation = ?1 UNION ALL SELECT 'inbound servers' FROM route"
        " WHERE organisation = ?1 UNION ALL SELECT 'groups' FROM mailbox_group WHERE organisation = ?1"
        " UNION ALL SELECT 'directory sources' FROM sync_source WHERE organisation = ?1 LIMIT 1",
        id);
    if (used.step()) {
        return fail(error_kind::conflict,
                    found->name + " still has " + std::string(used.text(0)) + "; remove them first");
    }
    const std::string before = json(in, id);
    in.on().run("UPDATE source SET organisation = NULL WHERE organisation = ?", id);
    in.on().run("DELETE FROM organisation WHERE id = ?", id);
    return record(in, "removed", subject(id), 0, before, "");
}

result<organisation> find_organisation(const reader& in, std::uint32_t id) {
    statement row = in.on().query(std::string(columns) + " WHERE id = ?", id);
    if (!row.step()) {
        return nothing_found(in, "there is no organisation " + std::to_string(id));
    }
    return read(row);
}

result<page<organisation>> list_organisations(const reader& in, const page_request& at) {
    const auto cursor = read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    statement rows =
        in.on().query(std::string(columns) + " WHERE id > ? ORDER BY id LIMIT ?", cursor->after, cursor->limit + 1);
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
