// Groups: names under which an organisation's mailboxes are put together (departments, sites). Only a label.
#pragma once

#include "control/directory/store.h"

namespace postern::directory {

struct group {
    std::uint32_t id = 0;
    std::uint32_t organisation = 0;
    std::string name;
    std::uint64_t mailboxes = 0;
    timestamp created = 0;
};

result<group> add_group(writer& in, std::uint32_t organisation, std::string_view name);
result<group> rename_group(writer& in, std::uint32_t id, std::string_view name);
/// Its mailboxes stay, without a group.
result<void> remove_group(writer& in, std::uint32_t id);
result<group> find_group(const reader& in, std::uint32_t id);
/// By id. `organisation` 0: of all.
result<page<group>> list_groups(const reader& in, std::uint32_t organisation, const page_request& at);

}  // namespace postern::directory
