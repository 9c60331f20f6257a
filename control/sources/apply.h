// What is staged becomes the list: set by set, within one transaction. Private to this folder.
#pragma once

#include "control/directory/store.h"
#include "control/sources/csv_layout.h"
#include "control/sources/import.h"

namespace postern::sources {

/// After `staging::compare` in the same transaction. Withdraws what `options.replace` asks for.
directory::result<void> apply_staged(directory::writer& out, std::uint32_t source, const csv_layout& layout,
                                     const import_options& options, const import_report& report);

}  // namespace postern::sources
