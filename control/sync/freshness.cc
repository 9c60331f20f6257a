#include "control/sync/freshness.h"

#include "control/directory/connection.h"
#include "control/directory/domains.h"

namespace postern::sync {

namespace {

using directory::statement;

constexpr std::string_view overdue =
    " FROM sync_source y WHERE y.enabled AND y.freshness > 0 AND NOT y.out_of_date AND max(y.last_good, y.created) +"
    " y.freshness < ?1";
constexpr std::string_view recovered =
    " FROM sync_source y WHERE y.out_of_date AND (y.freshness = 0 OR NOT y.enabled OR y.last_good + y.freshness >= ?1)";

std::vector<std::uint32_t> numbers(const directory::reader& in, const std::string& sql, std::int64_t value) {
    std::vector<std::uint32_t> out;
    statement rows = in.on().query(sql, value);
    while (rows.step()) {
        out.push_back(rows.as<std::uint32_t>(0));
    }
    return out;
}

/// Domains in `enforce` that the source feeds, or that another source's age put into `defer`.
void fall_back(directory::writer& in, std::uint32_t source, std::vector<std::string>& changed) {
    const auto fed =
        numbers(in,
                "SELECT d.id FROM domain d JOIN sync_source y ON y.organisation = d.organisation AND"
                " y.fallback_to_defer WHERE y.source = ?1 AND d.target IS NULL AND (d.mode = 3 OR EXISTS"
                " (SELECT 1 FROM sync_fallback f WHERE f.domain = d.id)) AND EXISTS (SELECT 1 FROM address a"
                " JOIN assertion n ON n.address = a.id AND n.source = ?1 WHERE a.domain = d.id)",
                source);
    for (const std::uint32_t domain : fed) {
        auto now = directory::find_domain(in, domain);
        if (now && now->mode == recipients::mode::enforce) {
            now = directory::set_mode(in, domain, recipients::mode::defer);
            if (now) {
                changed.push_back(now->name);
            }
        }
        if (now) {
            in.on().run("INSERT OR REPLACE INTO sync_fallback(source, domain, since) VALUES (?, ?, ?)", source, domain,
                        now->mode_since);
        }
    }
}

/// Back to `enforce`, unless another source is out of date too, or a person or the end date changed the mode since.
void come_back(directory::writer& in, std::uint32_t source, std::vector<std::string>& changed) {
    const auto fallen = numbers(in,
                                "SELECT f.domain FROM sync_fallback f JOIN domain d ON d.id = f.domain WHERE f.source ="
                                " ?1 AND d.mode = 2 AND d.mode_since = f.since AND NOT EXISTS (SELECT 1 FROM"
                                " sync_fallback o WHERE o.domain = f.domain AND o.source <> f.source)",
                                source);
    for (const std::uint32_t domain : fallen) {
        if (const auto back = directory::set_mode(in, domain, recipients::mode::enforce)) {
            changed.push_back(back->name);
        }
    }
    in.on().run("DELETE FROM sync_fallback WHERE source = ?", source);
}

}  // namespace

directory::result<bool> freshness_due(const directory::reader& in, directory::timestamp now) {
    statement row = in.on().query(
        "SELECT EXISTS (SELECT 1" + std::string(overdue) + ") OR EXISTS (SELECT 1" + std::string(recovered) + ")", now);
    const bool due = row.step() && row.integer(0) != 0;
    return directory::or_failure(in, due);
}

directory::result<std::vector<freshness_change>> check_freshness(directory::writer& in) {
    std::vector<freshness_change> out;
    for (const std::uint32_t source : numbers(in, "SELECT y.source" + std::string(overdue), in.now())) {
        freshness_change& next = out.emplace_back(freshness_change{source, true, {}});
        fall_back(in, source, next.domains);
        in.on().run("UPDATE sync_source SET out_of_date = 1 WHERE source = ?", source);
    }
    for (const std::uint32_t source : numbers(in, "SELECT y.source" + std::string(recovered), in.now())) {
        freshness_change& next = out.emplace_back(freshness_change{source, false, {}});
        come_back(in, source, next.domains);
        in.on().run("UPDATE sync_source SET out_of_date = 0 WHERE source = ?", source);
    }
    return directory::or_failure(in, std::move(out));
}

}  // namespace postern::sync
