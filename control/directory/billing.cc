#include "control/directory/billing.h"

#include "control/directory/rows.h"
#include "control/directory/scope_sql.h"

namespace postern::directory {

namespace {

const scope& scope_of(const billing_filter& filter) {
    static const scope everything;
    return filter.within == nullptr ? everything : *filter.within;
}

/// Domains `d` that count; parameters 1 (organisation) and 2 (scope).
std::string domains_where(const billing_filter& filter) {
    const scope& within = scope_of(filter);
    return "d.target IS NULL AND (?1 = 0 OR d.organisation = ?1) AND " + domain_condition(within, "d", "?2") +
           (within.reach == reach::group ? " AND 0" : "");
}

std::string kinds_json(const billed_kinds& kinds) {
    std::string out = "[";
    for (std::size_t kind = 0; kind < kinds.counts.size(); ++kind) {
        if (kinds.counts.at(kind)) {
            out += (out.size() == 1 ? "" : ",") + std::to_string(kind);
        }
    }
    return out + "]";
}

}  // namespace

result<page<billed>> list_billed(const reader& in, const billed_kinds& kinds, const billing_filter& filter,
                                 const page_request& at) {
    const auto cursor = read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    const bool by_domain = filter.by == billed_by::domain;
    const scope& within = scope_of(filter);
    const std::string own =
        within.is_everything() || within.reach == reach::organisation
            ? organisation_condition(within, "o.id", "?2")
            : "EXISTS (SELECT 1 FROM domain d WHERE d.organisation = o.id AND " + domains_where(filter) + ")";
    statement rows =
        by_domain ? in.on().query("SELECT d.id, d.name, d.organisation FROM domain d WHERE " + domains_where(filter) +
                                      " AND d.id > ?3 ORDER BY d.id LIMIT ?4",
                                  filter.organisation, scope_ids(within), cursor->after, cursor->limit + 1)
                  : in.on().query("SELECT o.id, o.label, o.id FROM organisation o WHERE (?1 = 0 OR o.id = ?1) AND " +
                                      own + " AND o.id > ?3 ORDER BY o.id LIMIT ?4",
                                  filter.organisation, scope_ids(within), cursor->after, cursor->limit + 1);
    page<billed> out;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        billed next;
        next.id = rows.as<std::uint32_t>(0);
        next.name = rows.text(1);
        next.organisation = rows.as<std::uint32_t>(2);
        statement counts = in.on().query(
            "SELECT k.kind, total(k.addresses) FROM address_tally k JOIN domain d ON d.id = k.domain WHERE " +
                domains_where(filter) + (by_domain ? " AND d.id = ?3" : " AND d.organisation = ?3") +
                " AND k.valid AND k.kind <> 4 GROUP BY k.kind",
            filter.organisation, scope_ids(within), next.id);
        while (counts.step()) {
            const auto kind = static_cast<recipients::mailbox_kind>(counts.integer(0));
            next.mailboxes.at(static_cast<std::size_t>(kind)) = counts.as<std::uint64_t>(1);
            next.billable += kinds.has(kind) ? counts.as<std::uint64_t>(1) : 0;
        }
        out.items.push_back(std::move(next));
    }
    return or_failure(in, std::move(out));
}

result<std::uint64_t> count_billable(const reader& in, const billed_kinds& kinds, const billing_filter& filter) {
    statement row = in.on().query(
        "SELECT total(k.addresses) FROM address_tally k JOIN domain d ON d.id = k.domain WHERE " +
            domains_where(filter) + " AND k.valid AND k.kind <> 4 AND k.kind IN (SELECT value FROM json_each(?3))",
        filter.organisation, scope_ids(scope_of(filter)), kinds_json(kinds));
    const std::uint64_t out = row.step() ? row.as<std::uint64_t>(0) : 0;
    return or_failure(in, out);
}

}  // namespace postern::directory
