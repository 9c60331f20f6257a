// What was changed: who, what, when, why, before and after. Append-only (the store's triggers refuse anything else).
//
// Subjects: "address:alice@example.com" (normal form), "domain:example.com", "route:3", "group:7", "organisation:1",
// "token:2", "import:41". Verbs: added, changed, removed, asserted, withdrawn, blocked, pinned, lifted, mode, probed,
// confirmed, issued, revoked, imported.
#pragma once

#include <optional>

#include "control/directory/store.h"

namespace postern::directory {

struct scope;  // scope.h

struct history_entry {
    std::uint64_t id = 0;
    timestamp at = 0;
    std::string who;
    std::string why;
    std::string what;     ///< the verb
    std::string subject;  ///< KIND:NAME
    std::uint32_t domain = 0;
    std::string source;  ///< of asserted and withdrawn
    std::string before;  ///< JSON; empty: was not there
    std::string after;   ///< JSON; empty: is gone
};

struct history_filter {
    std::string subject;  ///< exact; empty: any
    std::uint32_t domain = 0;
    std::string who;
    timestamp from = 0;   ///< inclusive
    timestamp until = 0;  ///< exclusive; 0: now
    /// What was done to what is in the scope now; of a group: to its mailboxes and aliases. Null: everything
    const scope* within = nullptr;
};
/// Newest first.
result<page<history_entry>> list_history(const reader& in, const history_filter& filter, const page_request& at);

/// What was true of an address at a time, and by whom.
struct past_standing {
    bool valid = false;
    std::vector<std::string> sources;   ///< that asserted it then
    timestamp grace_until = 0;          ///< a sync had taken it, but it was still good until then; 0: not in grace
    std::optional<history_entry> last;  ///< the entry that made it so
};
/// `at` 0: now. By any spelling of the address. `whole`: also from when the domain was served before, perhaps for
/// another organisation; else since it was added last.
result<past_standing> standing_at(const reader& in, std::string_view address, timestamp at, bool whole = true);

/// Appends an entry. `before` and `after` are JSON texts or empty. For the directory's own functions and the sources.
result<void> record(writer& in, std::string_view what, std::string_view subject, std::uint32_t domain,
                    std::string_view before, std::string_view after, std::uint32_t source = 0);
/// The id of this transaction's row of `act` (who, why, when), for bulk work that appends history by sets.
result<std::int64_t> need_act(writer& in);

}  // namespace postern::directory
