// Sources beyond their freshness limit: who is, who is back, and their domains' way to `defer` and back to `enforce`.
// Private to this folder.
#pragma once

#include <string>
#include <vector>

#include "control/directory/store.h"

namespace postern::sync {

struct freshness_change {
    std::uint32_t source = 0;
    bool out_of_date = false;          ///< false: it is up to date again
    std::vector<std::string> domains;  ///< whose mode changed
};
directory::result<std::vector<freshness_change>> check_freshness(directory::writer& in);
/// Whether there is anything for `check_freshness` to do.
directory::result<bool> freshness_due(const directory::reader& in, directory::timestamp now);

}  // namespace postern::sync
