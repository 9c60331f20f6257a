// CSV export in Postern's own layout (`email,first_name,last_name,group,kind,aliases`); importing it changes nothing.
#pragma once

#include <functional>
#include <string_view>

#include "control/directory/mailboxes.h"
#include "control/directory/store.h"

namespace postern::sources {

/// Gets the text piece by piece (some 64 KiB each); false stops.
using text_sink = std::function<bool(std::string_view)>;

/// Every mailbox of the filter that is valid or has valid aliases, by id, header first. UTF-8, CRLF, no BOM.
directory::result<std::uint64_t> export_csv(const directory::reader& in, const directory::mailbox_filter& filter,
                                            const text_sink& to);

/// The file to be downloaded beside the import.
std::string_view sample_csv() noexcept;

}  // namespace postern::sources
