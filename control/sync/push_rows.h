// Rows of pushed lists, for the other files here. Private to this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/directory/store.h"
#include "control/sync/push.h"
#include "control/sync/stage.h"

namespace postern::sync {

struct push_run {
    bool whole = true;
    std::uint64_t sequence = 0;
};
directory::result<push_run> find_push_run(const directory::reader& in, std::uint64_t run);

/// All that is said of an order before a run is made of it: null, or why not; `again` set if it was taken before.
std::optional<push_refusal> refuse_push(const directory::reader& in, const directory_source& source,
                                        const push_order& what, directory::timestamp now, taken_push& again);

/// Leaves the domains of these names, with their aliases; none: leaves all.
void limit_domains(served_domains& served, const std::vector<std::string>& names);

}  // namespace postern::sync
