// What was compared becomes the list: set by set, within the caller's transaction. Private to this folder.
#pragma once

#include "control/directory/store.h"

namespace postern::sync {

struct apply_input {
    std::uint32_t source = 0;
    bool removals = true;  ///< false: what is no longer asserted stays claimed and asserted, until a sync that may
    directory::timestamp grace = 0;  ///< milliseconds that a removed address stays good
};

/// After `compare` in the same transaction.
directory::result<void> apply(directory::writer& out, const apply_input& with);

}  // namespace postern::sync
