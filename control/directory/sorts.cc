#include "control/directory/sorts.h"

#include <numeric>

#include "control/directory/assertions.h"

#include "control/directory/scope_sql.h"

namespace postern::directory {

namespace {

constexpr int alias_kind = static_cast<int>(recipients::mailbox_kind::alias);

void add_domains(conditions& to, const scope* within, const std::string& column) {
    if (within != nullptr && !within->is_everything()) {
        to.add(domain_id_condition(*within, column, "?"), scope_ids(*within));
    }
}

/// `row` is a row of `address_tally` or, with a point behind it, one of `address`; `no_group`: how that has none.
void add(conditions& to, const mailbox_filter& filter, const std::string& row, const std::string& no_group) {
    if (filter.domain != 0) {
        to.add(row + "domain = ?", filter.domain);
    }
    if (filter.organisation != 0) {
        to.add(row + "domain IN (SELECT id FROM domain WHERE organisation = ?)", filter.organisation);
    }
    if (filter.kind) {
        to.add(row + "kind = ?", static_cast<int>(*filter.kind));
    }
    if (filter.group && filter.group->empty()) {
        to.add(row + no_group);
    } else if (filter.group) {
        to.add(row + "grp IN (SELECT id FROM mailbox_group WHERE name = ?)", *filter.group);
    }
    if (filter.hold) {
        to.add(row + "hold = ?", static_cast<int>(*filter.hold));
    }
    if (filter.valid) {
        to.add(row + "valid = ?", *filter.valid);
    }
    add_domains(to, filter.within, row + "domain");
    if (filter.within != nullptr && filter.within->reach == reach::group) {
        to.add(row + "grp = ?", filter.within->group);
    }
}

}  // namespace

result<std::vector<sort>> find_sorts(const reader& in, const conditions& on) {
    statement rows =
        in.on().query("SELECT domain, kind, hold, valid, grp, addresses FROM address_tally WHERE addresses > 0" +
                          on.sql + " ORDER BY addresses DESC",
                      on.values);
    std::vector<sort> out;
    while (rows.step()) {
        out.push_back({rows.as<std::uint32_t>(0), rows.as<int>(1), rows.as<int>(2), rows.integer(3) != 0,
                       rows.as<std::uint32_t>(4), rows.as<std::uint64_t>(5)});
    }
    return or_failure(in, std::move(out));
}

conditions sort_conditions(const mailbox_filter& filter) {
    conditions out;
    out.add("kind <> ?", alias_kind);
    add(out, filter, "", "grp = 0");
    return out;
}

conditions sort_conditions(const alias_filter& filter) {
    conditions out;
    out.add("kind = ?", alias_kind);
    if (filter.domain != 0) {
        out.add("domain = ?", filter.domain);
    }
    add_domains(out, filter.within, "domain");
    return out;
}

void add_row_conditions(conditions& to, const mailbox_filter& filter, const char* row) {
    add(to, filter, std::string(row) + '.', "grp IS NULL");
}

void add_row_scope(conditions& to, const alias_filter& filter, const char* row) {
    add_domains(to, filter.within, std::string(row) + ".domain");
    if (filter.within != nullptr && filter.within->reach == reach::group) {
        to.add(group_condition(*filter.within, row, "?"), filter.within->group);
    }
}

std::uint64_t count_of(const std::vector<sort>& sorts) noexcept {
    return std::accumulate(sorts.begin(), sorts.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const sort& each) { return sum + each.addresses; });
}

result<std::uint32_t> find_source_id(const reader& in, const mailbox_filter& filter) {
    const auto found =
        find_source(in, filter.source, filter.within == nullptr ? scope() : *filter.within, filter.organisation);
    if (!found && found.error().kind == error_kind::not_found) {
        return 0U;
    }
    return found ? result<std::uint32_t>(found->id) : tl::unexpected(found.error());
}

result<std::uint64_t> count_asserted(const reader& in, std::uint32_t source, std::uint32_t domain,
                                     std::uint32_t organisation) {
    statement row = in.on().query(
        "SELECT total(addresses) FROM source_tally WHERE source = ?1 AND NOT alias AND (?2 = 0 OR domain = ?2)"
        " AND (?3 = 0 OR domain IN (SELECT id FROM domain WHERE organisation = ?3))",
        source, domain, organisation);
    const std::uint64_t out = row.step() ? row.as<std::uint64_t>(0) : 0;
    return or_failure(in, out);
}

}  // namespace postern::directory
