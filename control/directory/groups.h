// Groups: names under which an organisation's mailboxes are put together (departments, sites). A group may be within
// one domain: then it takes mailboxes of that domain alone, and a token can be for it.
#pragma once

#include <optional>

#include "control/directory/scope.h"
#include "control/directory/store.h"

namespace postern::directory {

struct group {
    std::uint32_t id = 0;
    std::uint32_t organisation = 0;
    std::string name;          ///< unique within the organisation
    std::uint32_t domain = 0;  ///< 0: of the organisation as a whole
    std::uint64_t mailboxes = 0;
    timestamp created = 0;
};

/// `domain`: one of the organisation's, or 0.
result<group> add_group(writer& in, std::uint32_t organisation, std::string_view name, std::uint32_t domain = 0);

/// What is set is changed, the rest stays.
struct group_change {
    std::optional<std::string> name;
    std::optional<std::uint32_t> domain;  ///< refused (`conflict`) while it has mailboxes of other domains. 0: none
};
result<group> change_group(writer& in, std::uint32_t id, const group_change& change);
/// Its mailboxes stay, without a group.
result<void> remove_group(writer& in, std::uint32_t id);
result<group> find_group(const reader& in, std::uint32_t id);
struct group_filter {
    std::uint32_t organisation = 0;  ///< 0: any
    std::uint32_t domain = 0;        ///< within this domain; 0: any
    scope within = {};               ///< of domains: the groups within them; of a group: that one
};
/// Whether the group is in the scope, as a list with it has it.
bool has_group(const scope& within, const group& one) noexcept;
/// By id.
result<page<group>> list_groups(const reader& in, const group_filter& filter, const page_request& at);

}  // namespace postern::directory
