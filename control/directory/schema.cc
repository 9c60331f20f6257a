#include "control/directory/schema.h"

#include <array>

#include "control/directory/schema_parts.h"

namespace postern::directory {
namespace {

std::int64_t pragma(connection& on, std::string_view sql) {
    statement asked = on.query(sql);
    return asked.step() ? asked.integer(0) : 0;
}

}  // namespace

std::span<const migration> migrations() noexcept {
    static const std::array<migration, 11> all = {{
        {1, "the model", model_schema},
        {2, "publication", publication_schema},
        {3, "search", search_schema},
        {4, "counts", counts_schema},
        {5, "syncs", syncs_schema},
        {6, "lists", lists_schema},
        {7, "tenants", tenants_schema},
        {8, "names of sources", names_of_sources_schema},
        {9, "pushed lists", pushes_schema},
        {10, "discovery", discovery_schema},
        {11, "mailroute", mailroute_schema},
    }};
    return all;
}

result<void> migrate(connection& on, int version) {
    const auto all = migrations();
    const int newest = all.back().version;
    const int wanted = version == 0 ? newest : version;
    // A table that others refer to can take another's place only without foreign keys, and these can be switched only
    // outside a transaction; they are checked before the end.
    on.script("PRAGMA foreign_keys=OFF");
    // IMMEDIATE: of two programs that start at once, the second waits and finds the work done.
    on.script("BEGIN IMMEDIATE");
    const std::int64_t mark = pragma(on, "PRAGMA application_id");
    const std::int64_t found = pragma(on, "PRAGMA user_version");
    const std::int64_t tables = pragma(on, "SELECT count(*) FROM sqlite_schema");
    const auto give_up = [&](std::string text) {
        on.script("ROLLBACK; PRAGMA foreign_keys=ON");
        return fail(error_kind::failed, std::move(text));
    };
    if (on.failed()) {
        const error cause = on.failure();
        on.clear_failure();
        return give_up(cause.text);
    }
    if (mark != application_id && (tables != 0 || found != 0)) {
        return give_up("the file is a SQLite database of another program (application id " + std::to_string(mark) +
                       "); give postern-control a path of its own");
    }
    if (found > newest) {
        return give_up("the directory has schema version " + std::to_string(found) +
                       ", but this program knows only up to " + std::to_string(newest) +
                       ": it was used by a newer Postern. Install that version again, or restore a backup made before");
    }
    for (const migration& next : all) {
        if (next.version <= found || next.version > wanted) {
            continue;
        }
        on.script(next.sql);
        on.script(("PRAGMA user_version=" + std::to_string(next.version)).c_str());
        if (on.failed()) {
            const error cause = on.failure();
            on.clear_failure();
            return give_up("migration " + std::to_string(next.version) + " (" + next.subject +
                           ") failed and was taken back: " + cause.text);
        }
    }
    if (mark != application_id) {
        on.script(("PRAGMA application_id=" + std::to_string(application_id)).c_str());
    }
    if (found != newest && on.query("PRAGMA foreign_key_check").step()) {
        return give_up("the directory's rows do not fit together after the migration, which was taken back");
    }
    if (!on.script("COMMIT") || !on.script("PRAGMA foreign_keys=ON")) {
        const error cause = on.failure();
        on.clear_failure();
        return give_up(cause.text);
    }
    return {};
}

}  // namespace postern::directory
