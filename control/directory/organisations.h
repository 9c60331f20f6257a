// Organisations: who a domain, a route, a group or a source belongs to. A new store has one, "default", with id 1.
// A reseller is an organisation that others, its customers, belong to: its administrators see and manage theirs.
#pragma once

#include <optional>

#include "control/directory/scope.h"
#include "control/directory/store.h"

namespace postern::directory {

struct organisation {
    std::uint32_t id = 0;
    std::string name;          ///< unique among the customers of one reseller, and among those of none
    std::uint32_t parent = 0;  ///< the reseller whose customer it is; 0: none
    bool reseller = false;     ///< may have customers; has no parent itself
    timestamp created = 0;
};

struct new_organisation {
    std::string name;
    std::uint32_t parent = 0;
    bool reseller = false;
};
result<organisation> add_organisation(writer& in, const new_organisation& input);

/// What is set is changed, the rest stays.
struct organisation_change {
    std::optional<std::string> name;
    std::optional<std::uint32_t> parent;
    std::optional<bool> reseller;
};
result<organisation> change_organisation(writer& in, std::uint32_t id, const organisation_change& change);
/// Refused (`conflict`) while it has customers, domains, routes, groups or directory sources. Tokens for it are
/// revoked.
result<void> remove_organisation(writer& in, std::uint32_t id);
result<organisation> find_organisation(const reader& in, std::uint32_t id);
struct organisation_filter {
    std::uint32_t parent = 0;  ///< customers of this one; 0: any
    scope within = {};         ///< of a domain or a group: its organisation alone
};
result<page<organisation>> list_organisations(const reader& in, const organisation_filter& filter,
                                              const page_request& at);

}  // namespace postern::directory
