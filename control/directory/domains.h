// Served domains and domain aliases: identity, mode and its dates, lookup settings, route.
//
// Ids are stable and never used again. Domains and aliases share one space of ids and names, as in the table file. An
// alias has no addresses, mode or settings of its own: its target's count.
#pragma once

#include <functional>
#include <optional>

#include "control/directory/store.h"
#include "smtp/recipients/domains.h"

namespace postern::directory {

struct domain {
    std::uint32_t id = 0;
    std::uint32_t organisation = 0;
    std::string name;          ///< normal form
    std::uint32_t target = 0;  ///< 0: a domain; else it is an alias of that domain
    std::uint32_t route = 0;   ///< 0: none
    recipients::mode mode = recipients::mode::observe;
    timestamp mode_since = 0;
    timestamp mode_until = 0;  ///< 0: no end. Only `discover` and `defer` have one
    /// Lookup settings; id, name, target, route and mode in it are copies of the above.
    recipients::domain_settings settings;
    timestamp created = 0;
    timestamp proven = 0;  ///< when DNS said that it is the organisation's; 0: the operator says so
};

struct scope;  // scope.h

struct new_domain {
    std::string name;
    std::uint32_t organisation = 1;
    std::uint32_t route = 0;
};
/// Starts in `observe`, without addresses.
result<domain> add_domain(writer& in, const new_domain& input);
/// `target` is a domain, not an alias.
result<domain> add_domain_alias(writer& in, std::string_view name, std::uint32_t target);

struct domain_alias_change {
    std::optional<std::string> name;
    std::optional<std::uint32_t> target;  ///< a domain of the same organisation
    std::optional<bool> on_hold;          ///< 450 4.3.2 to every recipient in the alias, not in its target
};
result<domain> change_domain_alias(writer& in, std::uint32_t id, const domain_alias_change& change);

/// What is set is changed, the rest stays.
struct domain_change {
    std::optional<std::uint32_t> route;  ///< 0: none
    std::optional<char> subaddress_delimiter;
    std::optional<bool> grace_defers;
    std::optional<bool> abuse_always;
    std::optional<bool> strip_prvs;
    std::optional<bool> accept_srs;
    std::optional<bool> on_hold;
    std::optional<std::vector<recipients::network>> trusted;
};
result<domain> change_domain(writer& in, std::uint32_t id, const domain_change& change);

/// Changes the mode. `enforce` is refused on a list without a valid address. `until` counts for `discover` (30 days
/// unless given) and `defer` (3 days unless given) and is refused otherwise.
result<domain> set_mode(writer& in, std::uint32_t id, recipients::mode mode, std::optional<timestamp> until = {});
/// Whether the mode of any domain has ended by then.
result<bool> modes_end(const reader& in, timestamp now);
/// Puts every domain whose mode has ended by `in.now()` into the mode that `next` says (null: `observe`), which is
/// given the domain as it was; answers which, for the alarm.
result<std::vector<domain>> end_modes(writer& in, const std::function<recipients::mode(const domain&)>& next = {});

/// Removes a domain or an alias. A domain with addresses or aliases only if `with_addresses`, then with all of them.
result<void> remove_domain(writer& in, std::uint32_t id, bool with_addresses);

result<domain> find_domain(const reader& in, std::uint32_t id);
/// By any spelling of its name.
result<domain> find_domain(const reader& in, std::string_view name);

struct domain_filter {
    std::uint32_t organisation = 0;  ///< 0: any
    std::uint32_t target = 0;        ///< aliases of this domain; 0: any
    std::optional<bool> alias;       ///< true: aliases only, false: domains only
    std::optional<recipients::mode> mode;
    std::uint32_t route = 0;        ///< 0: any
    std::string search;             ///< part of the name
    const scope* within = nullptr;  ///< null: everything
};
/// By name.
result<page<domain>> list_domains(const reader& in, const domain_filter& filter, const page_request& at);
result<std::uint64_t> count_domains(const reader& in, const domain_filter& filter);

/// Numbers of one domain's list.
struct domain_counts {
    std::uint64_t valid = 0;      ///< addresses in force: mailboxes and aliases
    std::uint64_t mailboxes = 0;  ///< valid mailboxes
    std::uint64_t aliases = 0;    ///< valid aliases
    std::uint64_t blocked = 0;
};
result<domain_counts> count_addresses(const reader& in, std::uint32_t domain);  ///< 0: of all domains
/// Of the scope's domains; of a group: of its mailboxes and aliases.
result<domain_counts> count_addresses(const reader& in, const scope& within);

std::string_view to_string(recipients::mode mode) noexcept;  ///< "observe", …
std::optional<recipients::mode> parse_mode(std::string_view word) noexcept;

}  // namespace postern::directory
