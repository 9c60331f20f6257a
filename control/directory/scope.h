// What a token may reach: everything, an organisation (a reseller: with its customers), single domains, or one group
// within a domain. Reads take it as `within` and answer only what lies in it; for one thing that was found, ask `has`.
//
// What is outside is to look as if it were not there: same answer, same words.
#pragma once

#include <string>
#include <vector>

#include "control/directory/domains.h"
#include "control/directory/mailboxes.h"
#include "control/directory/store.h"

namespace postern::directory {

/// As a token keeps it.
struct scope_rule {
    std::uint32_t organisation = 0;      ///< 0: everything
    std::vector<std::uint32_t> domains;  ///< not empty: these of the organisation's alone
    std::uint32_t group = 0;             ///< a group within a domain; 0: not so narrow
    bool operator==(const scope_rule&) const = default;
};

enum class reach : std::uint8_t { group, domains, organisation, everything };
std::string_view to_string(reach of) noexcept;  ///< "group", "domain", "organisation", "everything"

/// A rule as the directory stands.
struct scope {
    directory::reach reach = directory::reach::everything;
    std::uint32_t organisation = 0;            ///< whose new things are; 0 only with `everything`
    std::vector<std::uint32_t> organisations;  ///< reach organisation: it and its customers, sorted
    std::vector<std::uint32_t> domains;        ///< reach domains and group: ids, aliases of them left out; sorted
    std::uint32_t group = 0;                   ///< reach group
    std::string group_name;

    bool is_everything() const noexcept { return reach == directory::reach::everything; }
    /// The organisation with all that is in it.
    bool has_organisation(std::uint32_t id) const noexcept;
    /// The domain with all that is in it; for reach `group` only that it is the group's.
    bool has(const domain& one) const noexcept;
};

/// A rule that a person gives, checked: what it names is there, the domains are the organisation's, the group is in a
/// domain. Fills in the organisation of a group. `invalid` with the field otherwise.
result<scope_rule> check_scope(const reader& in, const scope_rule& rule);
/// What is gone meanwhile is not in it.
result<scope> resolve_scope(const reader& in, const scope_rule& rule);

/// Whether `inner` reaches nothing that `outer` does not.
bool contains(const scope& outer, const scope& inner) noexcept;

/// Refuses an address whose domain is not served, or is not in the scope, in the same words (`invalid`, with the
/// field).
result<void> check_address(const reader& in, const scope& within, std::string_view address, std::string_view field);

/// `find_mailbox`'s words for an address of a served domain that is not in the list.
error absent(const reader& in, std::string_view address);

result<bool> has_mailbox(const reader& in, const scope& within, const mailbox& one);
result<bool> has_alias(const reader& in, const scope& within, const alias& one);
result<bool> has_domain(const reader& in, const scope& within, std::uint32_t domain);

}  // namespace postern::directory
