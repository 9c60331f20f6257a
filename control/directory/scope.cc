#include "control/directory/scope.h"

#include <algorithm>
#include <array>

#include "control/directory/connection.h"
#include "control/directory/rows.h"
#include "control/directory/scope_sql.h"

namespace postern::directory {

namespace {

constexpr std::array<std::string_view, 4> reach_words = {"group", "domain", "organisation", "everything"};
constexpr std::size_t most_domains = 1000;

bool holds(const std::vector<std::uint32_t>& sorted, std::uint32_t id) noexcept {
    return std::ranges::binary_search(sorted, id);
}

std::uint32_t number(const reader& in, std::string_view sql, std::uint64_t id) {
    statement row = in.on().query(sql, id);
    return row.step() ? row.as<std::uint32_t>(0) : 0;
}

/// Nothing but the organisation's name is in it.
scope nothing_of(reach reach, std::uint32_t organisation) {
    scope out;
    out.reach = reach;
    out.organisation = organisation;
    return out;
}

}  // namespace

std::string_view to_string(reach of) noexcept {
    return reach_words.at(static_cast<std::size_t>(of));
}

bool scope::has_organisation(std::uint32_t id) const noexcept {
    return is_everything() || (reach == reach::organisation && holds(organisations, id));
}

bool scope::has(const domain& one) const noexcept {
    switch (reach) {
        case reach::everything:
            return true;
        case reach::organisation:
            return holds(organisations, one.organisation);
        case reach::domains:
        case reach::group:
            return holds(domains, one.target != 0 ? one.target : one.id);
    }
    return false;
}

result<scope_rule> check_scope(const reader& in, const scope_rule& rule) {
    scope_rule out = rule;
    if (rule.group != 0) {
        if (!rule.domains.empty()) {
            return fail(error_kind::invalid, "a group is within one domain: give the group alone", "domains");
        }
        statement row =
            in.on().query("SELECT organisation, coalesce(domain, 0) FROM mailbox_group WHERE id = ?", rule.group);
        if (!row.step()) {
            return fail(error_kind::invalid, "there is no group " + std::to_string(rule.group), "group");
        }
        if (row.integer(1) == 0) {
            return fail(error_kind::invalid,
                        "the group is not within a domain: set its domain first, or give the domains", "group");
        }
        out.organisation = row.as<std::uint32_t>(0);
    }
    if (out.domains.size() > most_domains) {
        return fail(error_kind::invalid, "a token is for at most 1000 domains, or for its organisation", "domains");
    }
    std::ranges::sort(out.domains);
    out.domains.erase(std::unique(out.domains.begin(), out.domains.end()), out.domains.end());
    for (const std::uint32_t id : out.domains) {
        const auto found = find_domain(in, id);
        if (!found || found->target != 0) {
            return fail(error_kind::invalid, "there is no domain " + std::to_string(id), "domains");
        }
        if (out.organisation == 0) {
            out.organisation = found->organisation;
        } else if (found->organisation != out.organisation) {
            return fail(error_kind::invalid, found->name + " is another organisation's: one token is for one",
                        "domains");
        }
    }
    if ((rule.organisation != 0 && rule.organisation != out.organisation) ||
        (out.organisation != 0 && number(in, "SELECT id FROM organisation WHERE id = ?", out.organisation) == 0)) {
        return fail(error_kind::invalid,
                    rule.group != 0 ? "the group is another organisation's"
                                    : "there is no organisation " + std::to_string(rule.organisation),
                    "organisation");
    }
    return or_failure(in, std::move(out));
}

result<scope> resolve_scope(const reader& in, const scope_rule& rule) {
    scope out;
    if (rule.organisation == 0) {
        return out;
    }
    out.organisation = rule.organisation;
    if (rule.group != 0) {
        statement row = in.on().query(
            "SELECT g.name, g.domain FROM mailbox_group g JOIN domain d ON d.id = g.domain AND d.organisation = "
            "g.organisation WHERE g.id = ? AND g.organisation = ?",
            rule.group, rule.organisation);
        if (!row.step()) {
            return or_failure(in, nothing_of(reach::group, rule.organisation));
        }
        out.reach = reach::group;
        out.group = rule.group;
        out.group_name = row.text(0);
        out.domains.push_back(row.as<std::uint32_t>(1));
        return or_failure(in, std::move(out));
    }
    if (!rule.domains.empty()) {
        out.reach = reach::domains;
        for (const std::uint32_t id : rule.domains) {
            if (number(in, "SELECT organisation FROM domain WHERE id = ? AND target IS NULL", id) ==
                rule.organisation) {
                out.domains.push_back(id);
            }
        }
        return or_failure(in, std::move(out));
    }
    out.reach = reach::organisation;
    statement rows =
        in.on().query("SELECT id FROM organisation WHERE id = ?1 OR parent = ?1 ORDER BY id", rule.organisation);
    while (rows.step()) {
        out.organisations.push_back(rows.as<std::uint32_t>(0));
    }
    return or_failure(in, std::move(out));
}

bool contains(const scope& outer, const scope& inner) noexcept {
    switch (outer.reach) {
        case reach::everything:
            return true;
        case reach::organisation:
            return !inner.is_everything() && holds(outer.organisations, inner.organisation) &&
                   std::ranges::includes(outer.organisations, inner.organisations);
        case reach::domains:
            return (inner.reach == reach::domains || inner.reach == reach::group) &&
                   inner.organisation == outer.organisation && !inner.domains.empty() &&
                   std::ranges::includes(outer.domains, inner.domains);
        case reach::group:
            return inner.reach == reach::group && inner.group == outer.group;
    }
    return false;
}

result<void> check_address(const reader& in, const scope& within, std::string_view address, std::string_view field) {
    const auto at = place_address(in, address, field);
    if (!at) {
        return tl::unexpected(at.error());
    }
    const auto inside = has_domain(in, within, at->domain);
    if (!inside) {
        return tl::unexpected(inside.error());
    }
    if (!*inside) {
        return tl::unexpected(not_served(address, field));
    }
    return {};
}

error absent(const reader& in, std::string_view address) {
    const auto at = place_address(in, address, "address");
    return at ? error{error_kind::not_found, at->text() + " is not in the list", {}} : at.error();
}

result<bool> has_domain(const reader& in, const scope& within, std::uint32_t domain) {
    if (within.is_everything()) {
        return true;
    }
    const auto found = find_domain(in, domain);
    if (!found) {
        return found.error().kind == error_kind::not_found ? result<bool>(false) : tl::unexpected(found.error());
    }
    return within.has(*found);
}

result<bool> has_mailbox(const reader& in, const scope& within, const mailbox& one) {
    if (within.reach == reach::group && number(in, "SELECT grp FROM address WHERE id = ?", one.id) != within.group) {
        return or_failure(in, false);
    }
    return has_domain(in, within, one.domain);
}

result<bool> has_alias(const reader& in, const scope& within, const alias& one) {
    if (within.reach == reach::group &&
        number(in, "SELECT grp FROM address WHERE id = ?", one.mailbox) != within.group) {
        return or_failure(in, false);
    }
    return has_domain(in, within, one.domain);
}

std::string scope_ids(const scope& within) {
    std::string out = "[";
    for (const std::uint32_t id : within.reach == reach::organisation ? within.organisations : within.domains) {
        out += (out.size() == 1 ? "" : ",") + std::to_string(id);
    }
    return out + "]";
}

std::string domain_condition(const scope& within, std::string_view row, std::string_view placeholder) {
    const std::string name(row);
    const std::string ids = "(SELECT value FROM json_each(" + std::string(placeholder) + "))";
    switch (within.reach) {
        case reach::everything:
            return std::string(placeholder) + " <> ''";
        case reach::organisation:
            return name + ".organisation IN " + ids;
        case reach::domains:
        case reach::group:
            return "coalesce(" + name + ".target, " + name + ".id) IN " + ids;
    }
    return "0";
}

std::string domain_id_condition(const scope& within, std::string_view column, std::string_view placeholder) {
    if (within.is_everything()) {
        return std::string(placeholder) + " <> ''";
    }
    return std::string(column) + " IN (SELECT inside.id FROM domain inside WHERE " +
           domain_condition(within, "inside", placeholder) + ")";
}

std::string organisation_condition(const scope& within, std::string_view column, std::string_view placeholder) {
    switch (within.reach) {
        case reach::everything:
            return std::string(placeholder) + " <> ''";
        case reach::organisation:
            return std::string(column) + " IN (SELECT value FROM json_each(" + std::string(placeholder) + "))";
        case reach::domains:
        case reach::group:
            return std::string(placeholder) + " = ''";
    }
    return "0";
}

std::string group_condition(const scope& within, std::string_view row, std::string_view placeholder) {
    const std::string name(row);
    if (within.reach != reach::group) {
        return std::string(placeholder) + " >= 0";
    }
    return "coalesce(" + name + ".grp, (SELECT leads.grp FROM address leads WHERE leads.id = " + name +
           ".mailbox)) = " + std::string(placeholder);
}

}  // namespace postern::directory
