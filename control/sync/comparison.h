// What a staged fetch would change: the staged objects against what the source claimed before. All by sets, in
// temporary tables on disk; the list is read, not touched. Private to this folder.
//
// CROSS JOIN holds SQLite to the order that is written: from the few rows of a temporary table to the millions of the
// list. On a connection that has the run's files attached as `stage` and `diff`, within a transaction. Only objects
// that the digest tells apart are looked at closer, so a sync that changes little costs little beyond one walk over
// both sides.
//
// temp.work_object  staged objects that are new, changed (changed 1), gone or stand elsewhere (was_name)
// temp.work_redo    objects whose claims are replaced or end
// temp.work_claim   what the changed ones assert; winner 1: the first that asserts the address, its row follows it;
//                   kept 1: something else stands behind the row too, so that it stays mailbox or alias as it is
// temp.work_owner   by staged object: the claim of its own mailbox; good 1: that is or becomes a mailbox
// temp.work_changed rows whose name, kind or internal-only changes; temp.work_removed: assertions that end
#pragma once

#include <cstdint>

#include "control/directory/connection.h"

namespace postern::sync {

struct comparison_input {
    std::uint32_t source = 0;
    std::uint32_t organisation = 0;
    bool whole = true;     ///< what is not staged is gone
    bool complete = true;  ///< false: what is missing says nothing; nothing is removed
    std::uint64_t max_items = 0;
};

struct comparison {
    std::uint64_t asserted = 0;  ///< by the source, before
    std::uint64_t staged = 0;    ///< addresses in the stage
    std::uint64_t added = 0;
    std::uint64_t removed = 0;
    std::uint64_t changed = 0;  ///< attributes and reassigned addresses
    std::uint64_t moved = 0;
    bool differed = false;  ///< the source's assertions were not its claims
};

/// Makes and fills the tables.
directory::result<comparison> compare(const directory::reader& in, const comparison_input& with);
/// Writes the itemised diff and the problems into `diff`.
void write_items(const directory::reader& in, const comparison_input& with);
/// Takes the tables away.
void drop_work(directory::connection& on);

/// Makes an empty file at `path` and attaches it as `diff`.
directory::result<void> attach_new_diff(directory::connection& on, const std::string& path);
directory::result<void> attach(directory::connection& on, const std::string& path, std::string_view as);

}  // namespace postern::sync
