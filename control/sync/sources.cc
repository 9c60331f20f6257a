#include "control/sync/sources.h"

#include <algorithm>

#include "control/directory/assertions.h"
#include "control/directory/bulk.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/directory/paging.h"
#include "control/directory/scope_sql.h"
#include "control/sources/text.h"
#include "control/sync/source_check.h"
#include "control/sync/source_rows.h"

namespace postern::sync {

namespace {

using directory::error_kind;
using directory::fail;
using directory::statement;
using std::chrono::milliseconds;

constexpr std::size_t longest_secret = 16U << 10U;  // a private key in PEM has its place
constexpr std::size_t longest_text = 255;

constexpr std::string_view columns =
    "SELECT y.source, y.organisation, s.name, y.type, y.settings, y.secret IS NOT NULL, y.webhook_secret IS NOT NULL,"
    " y.enabled, y.interval, y.removed_count, y.removed_percent, y.added_count, y.added_percent, y.total_count, "
    "y.floor,"
    " y.grace, y.freshness, y.fallback_to_defer, y.webhook, y.emails, y.notify_additions, y.notify_changes,"
    " y.notify_trouble, y.created, y.updated, iif(y.enabled AND y.type <> 'push', y.next_run, 0), y.last_start, "
    "y.last_good, y.failures,"
    " y.out_of_date, y.trouble, y.asserted,"
    " coalesce((SELECT r.id FROM sync_run r WHERE r.source = y.source AND r.state <= 3), 0),"
    " coalesce((SELECT r.id FROM sync_run r WHERE r.source = y.source AND r.state = 4), 0),"
    " coalesce((SELECT max(r.id) FROM sync_run r WHERE r.source = y.source AND r.state > 4 AND NOT r.dry), 0)"
    " FROM sync_source y JOIN source s ON s.id = y.source";

template <class Duration>
Duration duration(const statement& row, int column) {
    return std::chrono::duration_cast<Duration>(milliseconds(row.integer(column)));
}
template <class Duration>
std::int64_t in_milliseconds(Duration value) {
    return std::chrono::duration_cast<milliseconds>(value).count();
}

directory_source read(const statement& row) {
    directory_source out;
    out.id = row.as<std::uint32_t>(0);
    out.organisation = row.as<std::uint32_t>(1);
    out.name = row.text(2);
    out.type = row.text(3);
    source_settings& set = out.set;
    set.settings = row.text(4);
    out.has_secret = row.integer(5) != 0;
    out.has_webhook_secret = row.integer(6) != 0;
    set.enabled = row.integer(7) != 0;
    set.interval = duration<std::chrono::minutes>(row, 8);
    set.limits = {row.as<std::uint64_t>(9),  row.as<std::uint32_t>(10), row.as<std::uint64_t>(11),
                  row.as<std::uint32_t>(12), row.as<std::uint64_t>(13), row.as<std::uint64_t>(14)};
    set.grace = duration<std::chrono::seconds>(row, 15);
    set.freshness = duration<std::chrono::seconds>(row, 16);
    set.fallback_to_defer = row.integer(17) != 0;
    set.notify.webhook = row.text(18);
    set.notify.emails = sources::lines_of(row.text(19));
    set.notify.additions = row.integer(20) != 0;
    set.notify.changes = row.integer(21) != 0;
    set.notify.trouble = row.integer(22) != 0;
    out.created = row.integer(23);
    out.updated = row.integer(24);
    source_state& state = out.state;
    state.next_run = row.integer(25);
    state.last_start = row.integer(26);
    state.last_good = row.integer(27);
    state.failures = row.as<std::uint32_t>(28);
    state.out_of_date = row.integer(29) != 0;
    state.trouble = row.text(30);
    state.asserted = row.as<std::uint64_t>(31);
    state.running = row.as<std::uint64_t>(32);
    state.held = row.as<std::uint64_t>(33);
    state.last_run = row.as<std::uint64_t>(34);
    return out;
}

directory::result<void> put(directory::writer& in, std::uint32_t id, const source_settings& set) {
    in.on().run(
        "UPDATE sync_source SET settings = ?, enabled = ?, interval = ?, removed_count = ?, removed_percent = ?,"
        " added_count = ?, added_percent = ?, total_count = ?, floor = ?, grace = ?, freshness = ?,"
        " fallback_to_defer = ?, webhook = ?, emails = ?, notify_additions = ?, notify_changes = ?, notify_trouble = ?,"
        " updated = ? WHERE source = ?",
        set.settings, set.enabled, in_milliseconds(set.interval), set.limits.removed_count, set.limits.removed_percent,
        set.limits.added_count, set.limits.added_percent, set.limits.total_count, set.limits.floor,
        in_milliseconds(set.grace), in_milliseconds(set.freshness), set.fallback_to_defer, set.notify.webhook,
        sources::joined_lines(set.notify.emails), set.notify.additions, set.notify.changes, set.notify.trouble,
        in.now(), id);
    return directory::or_failure(in);
}

directory::result<void> put_secret(directory::writer& in, const environment& with, std::uint32_t id,
                                   std::string_view column, const std::string& secret, const std::string& place) {
    const std::string sql = "UPDATE sync_source SET " + std::string(column) + " = ? WHERE source = ?";
    if (secret.size() > longest_secret) {
        return fail(error_kind::invalid, "a secret has at most 16 KiB", std::string(column));
    }
    if (secret.empty()) {
        in.on().run(sql, nullptr, id);
        return directory::or_failure(in);
    }
    const auto sealed = with.secrets.seal(secret, place);
    if (!sealed) {
        return fail(error_kind::failed, sealed.error());
    }
    in.on().run(sql, std::span<const std::byte>(*sealed), id);
    return directory::or_failure(in);
}

/// What history keeps of a source: all that is set, without secrets.
std::string source_json(const directory::reader& in, std::uint32_t id) {
    statement row = in.on().query(
        "SELECT json_object('id', y.source, 'name', s.name, 'organisation', y.organisation, 'settings', "
        "json(y.settings),"
        " 'enabled', json(iif(y.enabled, 'true', 'false')), 'interval', y.interval, 'removed_count', y.removed_count,"
        " 'removed_percent', y.removed_percent, 'added_count', y.added_count, 'added_percent', y.added_percent,"
        " 'total_count', y.total_count, 'floor', y.floor, 'grace', y.grace, 'freshness', y.freshness,"
        " 'fallback_to_defer', json(iif(y.fallback_to_defer, 'true', 'false')), 'webhook', y.webhook, 'emails', "
        "y.emails,"
        " 'secret', iif(y.secret IS NULL, 'none', 'set'))"
        " FROM sync_source y JOIN source s ON s.id = y.source WHERE y.source = ?",
        id);
    return row.step() ? std::string(row.text(0)) : std::string();
}

std::string subject(std::string_view name) {
    return "source:" + std::string(name);
}

directory::result<std::uint32_t> need_row(directory::writer& in, const new_source& input) {
    {
        statement taken = in.on().query(
            "SELECT s.id, EXISTS (SELECT 1 FROM sync_source y WHERE y.source = s.id)"
            " FROM source s WHERE s.name = ? AND s.organisation = ?",
            input.name, input.organisation);
        if (taken.step()) {
            // A source of this name that was removed is taken up again.
            if (taken.integer(1) != 0) {
                return fail(error_kind::conflict, "there is a source '" + input.name + "' already; choose another name",
                            "name");
            }
            return taken.as<std::uint32_t>(0);
        }
    }
    return directory::need_source(in, input.name, input.organisation);
}

}  // namespace

directory::result<directory_source> add_source(directory::writer& in, const environment& with,
                                               const new_source& input) {
    const std::size_t colon = input.name.find(':');
    const std::string type = input.name.substr(0, colon);
    const std::string_view rest =
        colon == std::string::npos ? std::string_view() : std::string_view(input.name).substr(colon + 1);
    if (rest.empty() || input.name.size() > longest_text ||
        std::ranges::any_of(input.name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
        return fail(error_kind::invalid, "a directory source is named TYPE:NAME (ldap:head-office), at most 255 octets",
                    "name");
    }
    if (!in.on().query("SELECT 1 FROM organisation WHERE id = ?", input.organisation).step()) {
        return fail(error_kind::invalid, "there is no organisation " + std::to_string(input.organisation),
                    "organisation");
    }
    if (auto good = check(in, input.set); !good) {
        return tl::unexpected(good.error());
    }
    if (auto good = check_type(with, type, {input.name, input.organisation, input.set.settings, input.secret}); !good) {
        return tl::unexpected(good.error());
    }
    const auto id = need_row(in, input);
    if (!id) {
        return tl::unexpected(id.error());
    }
    in.on().run(
        "INSERT INTO sync_source(source, organisation, type, settings, enabled, interval, removed_count,"
        " removed_percent, added_count, added_percent, total_count, floor, grace, freshness, fallback_to_defer, "
        "webhook,"
        " emails, notify_additions, notify_changes, notify_trouble, created, updated, next_run)"
        " VALUES (?1, ?2, ?3, '', 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', 0, 0, 0, ?4, ?4, ?4)",
        *id, input.organisation, type, in.now());
    if (auto done = put(in, *id, input.set); !done) {
        return tl::unexpected(done.error());
    }
    if (auto done = put_secret(in, with, *id, "secret", input.secret, secret_place(*id)); !done) {
        return tl::unexpected(done.error());
    }
    if (auto done = put_secret(in, with, *id, "webhook_secret", input.webhook_secret, webhook_secret_place(*id));
        !done) {
        return tl::unexpected(done.error());
    }
    if (auto done = directory::record(in, "added", subject(input.name), 0, "", source_json(in, *id), *id); !done) {
        return tl::unexpected(done.error());
    }
    return find_source(in, *id);
}

directory::result<directory_source> change_source(directory::writer& in, const environment& with, std::uint32_t id,
                                                  const source_settings& set, const std::optional<std::string>& secret,
                                                  const std::optional<std::string>& webhook_secret) {
    auto found = find_source(in, id);
    if (!found) {
        return found;
    }
    if (auto good = check(in, set); !good) {
        return tl::unexpected(good.error());
    }
    source_order order{found->name, found->organisation, set.settings, secret.value_or("")};
    if (!secret) {
        auto kept = open_secret(in, with, id, "secret");
        if (!kept) {
            return tl::unexpected(kept.error());
        }
        order.secret = *std::move(kept);
    }
    if (auto good = check_type(with, found->type, order); !good) {
        return tl::unexpected(good.error());
    }
    const std::string before = source_json(in, id);
    if (auto done = put(in, id, set); !done) {
        return tl::unexpected(done.error());
    }
    if (secret) {
        if (auto done = put_secret(in, with, id, "secret", *secret, secret_place(id)); !done) {
            return tl::unexpected(done.error());
        }
    }
    if (webhook_secret) {
        if (auto done = put_secret(in, with, id, "webhook_secret", *webhook_secret, webhook_secret_place(id)); !done) {
            return tl::unexpected(done.error());
        }
    }
    if (secret || set.settings != found->set.settings) {
        in.on().run("UPDATE sync_source SET unsure = 1, cookie = '' WHERE source = ?", id);
    }
    // Soon rather than an old interval later; a source that is switched on starts at once.
    const directory::timestamp latest = found->set.enabled ? in.now() + in_milliseconds(set.interval) : in.now();
    in.on().run("UPDATE sync_source SET next_run = min(next_run, ?) WHERE source = ?", latest, id);
    if (auto done = directory::record(in, "changed", subject(found->name), 0, before, source_json(in, id), id); !done) {
        return tl::unexpected(done.error());
    }
    return find_source(in, id);
}

directory::result<void> remove_source(directory::writer& in, std::uint32_t id) {
    const auto found = find_source(in, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    if (found->state.running != 0) {
        return fail(error_kind::conflict, "sync " + std::to_string(found->state.running) + " of " + found->name +
                                              " is at work; wait for its end or cancel it");
    }
    const auto act = directory::need_act(in);
    if (!act) {
        return tl::unexpected(act.error());
    }
    directory::connection& on = in.on();
    const std::string before = source_json(in, id);
    directory::begin_bulk(on);
    on.run("INSERT INTO temp.bulk(address) SELECT address FROM assertion WHERE source = ?", id);
    on.run(
        "INSERT INTO history(act, what, subject, domain, source, before)"
        " SELECT ?1, 'withdrawn', 'address:' || a.normal || '@' || d.name, a.domain, ?2, " +
            std::string(directory::bulk_entry_json) +
            " FROM temp.bulk b JOIN address a ON a.id = b.address JOIN domain d ON d.id = a.domain",
        *act, id);
    on.run("DELETE FROM assertion WHERE source = ?", id);
    if (auto settled = directory::settle_bulk(in); !settled) {
        return settled;
    }
    on.run("DELETE FROM sync_claim WHERE source = ?", id);
    on.run("DELETE FROM sync_object WHERE source = ?", id);
    on.run("UPDATE sync_run SET state = 10, ended = ? WHERE source = ? AND state = 4", in.now(), id);
    on.run("DELETE FROM sync_source WHERE source = ?", id);
    return directory::record(in, "removed", subject(found->name), 0, before, "", id);
}

directory::result<directory_source> find_source(const directory::reader& in, std::uint32_t id) {
    statement row = in.on().query(std::string(columns) + " WHERE y.source = ?", id);
    if (!row.step()) {
        return directory::nothing_found(in, "there is no directory source " + std::to_string(id));
    }
    return read(row);
}

directory::result<directory_source> find_source(const directory::reader& in, std::string_view name,
                                                const directory::scope& within) {
    statement rows = in.on().query(std::string(columns) + " WHERE s.name = ? AND " +
                                       directory::organisation_condition(within, "y.organisation", "?2"),
                                   name, directory::scope_ids(within));
    if (!rows.step()) {
        return directory::nothing_found(in, "there is no directory source '" + std::string(name.substr(0, 255)) + "'");
    }
    directory_source out = read(rows);
    if (rows.step()) {
        return fail(
            error_kind::invalid,
            "several organisations have a directory source '" + std::string(name.substr(0, 255)) + "'; give its id",
            "source");
    }
    return directory::or_failure(in, std::move(out));
}

directory::result<directory::page<directory_source>> list_sources(const directory::reader& in,
                                                                  const source_filter& filter,
                                                                  const directory::page_request& at) {
    const auto cursor = directory::read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    statement rows = in.on().query(
        std::string(columns) + " WHERE y.source > ? AND (?2 = 0 OR y.organisation = ?2) AND " +
            directory::organisation_condition(filter.within, "y.organisation", "?4") + " ORDER BY y.source LIMIT ?3",
        cursor->after, filter.organisation, cursor->limit + 1, directory::scope_ids(filter.within));
    directory::page<directory_source> out;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        out.items.push_back(read(rows));
    }
    return directory::or_failure(in, std::move(out));
}

directory::result<source_order> order_of(const directory::reader& in, const environment& with, std::uint32_t id) {
    const auto found = find_source(in, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    auto secret = open_secret(in, with, id, "secret");
    if (!secret) {
        return tl::unexpected(secret.error());
    }
    return source_order{found->name, found->organisation, found->set.settings, *std::move(secret)};
}

}  // namespace postern::sync
