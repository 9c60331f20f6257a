// Organisations: who a domain, a route, a group or a source belongs to. A new store has one, "default", with id 1.
#pragma once

#include "control/directory/store.h"

namespace postern::directory {

struct organisation {
    std::uint32_t id = 0;
    std::string name;
    timestamp created = 0;
};

result<organisation> add_organisation(writer& in, std::string_view name);
result<organisation> rename_organisation(writer& in, std::uint32_t id, std::string_view name);
/// Refused (`conflict`) while it has domains, routes, groups or directory sources.
result<void> remove_organisation(writer& in, std::uint32_t id);
result<organisation> find_organisation(const reader& in, std::uint32_t id);
result<page<organisation>> list_organisations(const reader& in, const page_request& at);

}  // namespace postern::directory
