// A list as it was at a time, brought back as a new change. Replayed from the history, which nothing takes away.
//
// What a source asserted then it asserts again, what it asserted since it does not; pins and blocks stay as they are
// now. Its sync would undo that, so a restored directory source is paused (`enabled` false) until a person who has put
// the directory right enables it again; the sync after that is a whole one. While a sync of it is at work, which would
// undo it as well, nothing is restored.
#pragma once

#include <string>
#include <vector>

#include "control/directory/store.h"

namespace postern::sync {

struct restore_request {
    std::uint32_t source = 0;        ///< this one's assertions (any source: CSV, manual, LDAP); or
    std::uint32_t organisation = 0;  ///< those of every source, of addresses in this organisation's domains
    directory::timestamp at = 0;     ///< the moment to go back to: changes after it are undone
};

struct restore_item {
    std::string address;
    std::string source;
    bool returns = false;  ///< true: asserted again; false: no longer
};

struct restore_report {
    std::uint64_t returning = 0;  ///< assertions
    std::uint64_t leaving = 0;
    std::vector<restore_item> items;  ///< the first 1000
    std::vector<std::string> paused;  ///< names of the directory sources that are (to be) paused
    bool applied = false;
};

/// Nothing is changed.
directory::result<restore_report> preview_restore(const directory::store& in, const restore_request& request);
/// Within the caller's transaction. error_kind::conflict while a sync of a source concerned is at work.
directory::result<restore_report> apply_restore(directory::writer& in, const restore_request& request);

}  // namespace postern::sync
