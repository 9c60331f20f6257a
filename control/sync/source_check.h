// Whether a person's settings of a directory source are possible; each error names its field. Private to this folder.
#pragma once

#include <string_view>

#include "control/sync/sources.h"

namespace postern::sync {

/// What every source has: schedule, limits, grace, freshness, notices; `settings` is a JSON object.
directory::result<void> check(const directory::reader& in, const source_settings& set);
/// What the type of directory says of its own settings and secret. `invalid` for a type that this program has not.
directory::result<void> check_type(const environment& with, std::string_view type, const source_order& order);

}  // namespace postern::sync
