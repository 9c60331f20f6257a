// What a source keeps for its syncs: secrets, the cookie, and whether its claims still are what it asserts.
#include <algorithm>

#include "control/sync/digest.h"
#include "control/sync/source_rows.h"

namespace postern::sync {

using directory::error_kind;
using directory::fail;
using directory::statement;
using std::chrono::milliseconds;

std::string secret_place(std::uint32_t source) {
    return "sync_source:" + std::to_string(source) + ":secret";
}
std::string webhook_secret_place(std::uint32_t source) {
    return "sync_source:" + std::to_string(source) + ":webhook_secret";
}

directory::result<std::string> open_secret(const directory::reader& in, const environment& with, std::uint32_t source,
                                           std::string_view column) {
    std::string sealed;
    {
        statement row = in.on().query("SELECT " + std::string(column) + " FROM sync_source WHERE source = ?", source);
        if (!row.step() || row.is_null(0)) {
            return directory::or_failure(in, std::string());
        }
        sealed = row.text(0);
    }
    auto opened = with.secrets.open_sealed(std::as_bytes(std::span(sealed)),
                                           column == "secret" ? secret_place(source) : webhook_secret_place(source));
    if (!opened) {
        return fail(error_kind::failed, opened.error());
    }
    return *std::move(opened);
}

directory::result<sync_memory> find_memory(const directory::reader& in, std::uint32_t source) {
    statement row =
        in.on().query("SELECT cookie, served, unsure, guard_since FROM sync_source WHERE source = ?", source);
    if (!row.step()) {
        return directory::nothing_found(in, "there is no directory source " + std::to_string(source));
    }
    return sync_memory{std::string(row.text(0)), std::string(row.text(1)), row.integer(2) != 0, row.integer(3)};
}

std::string digest_of_domains(const directory::reader& in, std::uint32_t organisation) {
    statement rows = in.on().query(
        "SELECT id, name, coalesce(target, 0) FROM domain WHERE organisation = ? ORDER BY id", organisation);
    std::string all;
    while (rows.step()) {
        all += std::to_string(rows.integer(0)) + ' ' + std::string(rows.text(1)) + ' ' +
               std::to_string(rows.integer(2)) + '\n';
    }
    return std::to_string(digest(all));
}

bool differs_from_claims(const directory::reader& in, std::uint32_t source) {
    {
        statement row = in.on().query(
            "SELECT (SELECT total(addresses) FROM source_tally WHERE source = ?1) <>"
            " (SELECT count(*) FROM (SELECT DISTINCT domain, normal FROM sync_claim WHERE source = ?1)),"
            " EXISTS (SELECT 1 FROM sync_source WHERE source = ?1 AND unsure)",
            source);
        if (!row.step()) {
            return false;
        }
        const bool others = row.integer(0) != 0;
        const bool unsure = row.integer(1) != 0;
        if (others || !unsure) {
            return others;
        }
    }
    // As many, but after a restore perhaps not the same ones. Of two sets of one size it is enough to look at one.
    statement missing = in.on().query(
        "SELECT 1 FROM sync_claim c LEFT JOIN address a ON a.domain = c.domain AND a.normal = c.normal"
        " WHERE c.source = ?1 AND NOT EXISTS (SELECT 1 FROM assertion n WHERE n.address = a.id AND n.source = ?1)"
        " LIMIT 1",
        source);
    return missing.step();
}

std::chrono::milliseconds pause_before_next(std::chrono::milliseconds interval, std::uint32_t failures, double random) {
    milliseconds pause = interval;
    if (failures != 0) {
        constexpr milliseconds first = std::chrono::minutes(5);
        pause = std::min(interval, first * (1U << std::min(failures - 1, 10U)));
    }
    return pause + milliseconds(static_cast<std::int64_t>(static_cast<double>(pause.count()) * random / 10));
}

}  // namespace postern::sync
