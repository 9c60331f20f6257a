#include "control/directory/assertions.h"

#include "control/directory/history.h"
#include "control/directory/rows.h"
#include "control/directory/scope_sql.h"

namespace postern::directory {

namespace {

constexpr std::string_view columns =
    "SELECT s.id, s.name, coalesce(s.organisation, 0),"
    " (SELECT count(*) FROM assertion a WHERE a.source = s.id), s.created FROM source s";

source read(const statement& row) {
    return {row.as<std::uint32_t>(0), std::string(row.text(1)), row.as<std::uint32_t>(2), row.as<std::uint64_t>(3),
            row.integer(4)};
}

std::uint32_t domain_of(const reader& in, std::uint64_t address) {
    statement row = in.on().query("SELECT domain FROM address WHERE id = ?", address);
    return row.step() ? row.as<std::uint32_t>(0) : 0;
}

}  // namespace

result<std::uint32_t> need_source(writer& in, std::string_view name, std::uint32_t organisation) {
    {
        statement found =
            in.on().query("SELECT id FROM source WHERE name = ? AND coalesce(organisation, 0) = ?", name, organisation);
        if (found.step()) {
            return found.as<std::uint32_t>(0);
        }
    }
    if (auto good = check_name(name, "source"); !good) {
        return tl::unexpected(good.error());
    }
    in.on().run("INSERT INTO source(name, organisation, created) VALUES (?, nullif(?, 0), ?)", name, organisation,
                in.now());
    return or_failure(in, static_cast<std::uint32_t>(in.on().last_id()));
}

result<source> find_source(const reader& in, std::string_view name, const scope& within, std::uint32_t organisation) {
    // Whoever sees a part of an organisation's addresses sees which of its sources assert them.
    const bool part = within.reach == reach::domains || within.reach == reach::group;
    statement rows =
        in.on().query(std::string(columns) + " WHERE s.name = ?1 AND (s.organisation IS NULL OR (" +
                          organisation_condition(part ? scope() : within, "s.organisation", "?2") +
                          " AND (?3 = 0 OR s.organisation = ?3))) ORDER BY s.organisation IS ?4 DESC LIMIT 2",
                      name, scope_ids(within), part ? within.organisation : 0U, organisation);
    if (!rows.step()) {
        return nothing_found(in, "there is no source '" + std::string(name) + "'");
    }
    source out = read(rows);
    if (out.organisation != organisation && rows.step()) {
        return fail(error_kind::invalid,
                    "several organisations have a source '" + std::string(name) + "'; name the organisation as well",
                    "source");
    }
    return or_failure(in, std::move(out));
}

result<page<source>> list_sources(const reader& in, const page_request& at) {
    const auto cursor = read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    statement rows =
        in.on().query(std::string(columns) + " WHERE s.id > ? ORDER BY s.id LIMIT ?", cursor->after, cursor->limit + 1);
    page<source> out;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        out.items.push_back(read(rows));
    }
    return or_failure(in, std::move(out));
}

result<void> assert_address(writer& in, std::uint64_t address, std::uint32_t source) {
    const std::string subject = address_subject(in, static_cast<std::int64_t>(address));
    if (subject.empty()) {
        return nothing_found(in, "there is no address " + std::to_string(address));
    }
    in.on().run("INSERT OR IGNORE INTO assertion(address, source, since) VALUES (?, ?, ?)", address, source, in.now());
    if (in.on().changed() == 0) {
        return or_failure(in);
    }
    settle(in, static_cast<std::int64_t>(address), false);
    return record(in, "asserted", subject, domain_of(in, address), "", "", source);
}

result<void> withdraw_address(writer& in, std::uint64_t address, std::uint32_t source) {
    const std::string subject = address_subject(in, static_cast<std::int64_t>(address));
    if (subject.empty()) {
        return nothing_found(in, "there is no address " + std::to_string(address));
    }
    in.on().run("DELETE FROM assertion WHERE address = ? AND source = ?", address, source);
    if (in.on().changed() == 0) {
        return or_failure(in);
    }
    const std::uint32_t domain = domain_of(in, address);
    settle(in, static_cast<std::int64_t>(address), false);
    return record(in, "withdrawn", subject, domain, "", "", source);
}

}  // namespace postern::directory
