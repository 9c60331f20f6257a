#include "control/directory/renames.h"

#include <vector>

#include "control/directory/changes.h"
#include "control/directory/history.h"
#include "control/directory/rows.h"

namespace postern::directory {

namespace {

struct entry {
    std::uint32_t domain = 0;
    std::string text;  ///< normal form
    std::string local;
    bool valid = false;
};

result<entry> find_entry(const reader& in, std::uint64_t id) {
    statement row = in.on().query(
        "SELECT a.domain, a.normal || '@' || d.name, a.local, a.valid FROM address a JOIN domain d ON d.id = a.domain"
        " WHERE a.id = ?",
        id);
    if (!row.step()) {
        return nothing_found(in, "there is no mailbox or alias " + std::to_string(id));
    }
    return entry{row.as<std::uint32_t>(0), std::string(row.text(1)), std::string(row.text(2)), row.integer(3) != 0};
}

result<void> check_free(const reader& in, std::uint64_t id, const entry& present, const place& wanted) {
    if (wanted.domain != present.domain) {
        return fail(error_kind::invalid, present.text + " stays in its domain: only its local part can be changed",
                    "address");
    }
    if (address_at(in, wanted) != 0) {
        return fail(error_kind::conflict, wanted.text() + " is in the list already", "address");
    }
    statement synced = in.on().query(
        "SELECT s.name FROM assertion n JOIN sync_source y ON y.source = n.source JOIN source s ON s.id = y.source"
        " WHERE n.address = ? LIMIT 1",
        id);
    if (synced.step()) {
        return fail(error_kind::conflict,
                    present.text + " is in the directory of " + std::string(synced.text(0)) + ": rename it there",
                    "address");
    }
    return or_failure(in);
}

std::vector<std::uint32_t> sources_of(const reader& in, std::uint64_t id) {
    std::vector<std::uint32_t> out;
    statement rows = in.on().query("SELECT source FROM assertion WHERE address = ? ORDER BY source", id);
    while (rows.step()) {
        out.push_back(rows.as<std::uint32_t>(0));
    }
    return out;
}

}  // namespace

result<void> rename_address(writer& in, std::uint64_t id, std::string_view address) {
    const auto present = find_entry(in, id);
    if (!present) {
        return tl::unexpected(present.error());
    }
    const auto wanted = place_address(in, address, "address");
    if (!wanted) {
        return tl::unexpected(wanted.error());
    }
    const auto row = static_cast<std::int64_t>(id);
    const std::string before = address_json(in, row);
    if (wanted->domain == present->domain && wanted->text() == present->text) {
        if (wanted->local == present->local) {
            return {};
        }
        in.on().run("UPDATE address SET local = ?, updated = ? WHERE id = ?", wanted->local, in.now(), id);
        return record(in, "changed", "address:" + present->text, present->domain, before, address_json(in, row));
    }
    if (auto free = check_free(in, id, *present, *wanted); !free) {
        return free;
    }
    if (present->valid) {
        note_address(in, present->domain, present->text, true);
    }
    in.on().run("UPDATE address SET normal = ?, local = ?, updated = ? WHERE id = ?", wanted->normal, wanted->local,
                in.now(), id);
    if (present->valid) {
        note_address(in, present->domain, wanted->text(), false);
    }
    record(in, "removed", "address:" + present->text, present->domain, before, "");
    const std::string subject = "address:" + wanted->text();
    const std::string after = address_json(in, row);
    std::string_view what = "added";
    std::string_view was;
    for (const std::uint32_t source : sources_of(in, id)) {
        record(in, what, subject, present->domain, was, after, source);
        what = "asserted";
        was = after;
    }
    if (what == "added") {
        return record(in, what, subject, present->domain, "", after);
    }
    return or_failure(in);
}

}  // namespace postern::directory
