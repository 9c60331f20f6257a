// Rows of `sync_run`, for the other files here. Private to this folder.
#pragma once

#include <string>
#include <vector>

#include "control/directory/connection.h"
#include "control/sources/fetch.h"
#include "control/sync/comparison.h"
#include "control/sync/guard.h"
#include "control/sync/runs.h"
#include "control/sync/stage.h"

namespace postern::sync {

/// A run with what its steps hand on to each other.
struct run_row {
    sync_run shown;
    bool complete = false;  ///< the fetch was
    bool approved = false;
    std::string cookie;  ///< where the fetch ended
    std::string served;  ///< digest of the domains at the fetch
};
directory::result<run_row> find_run_row(const directory::reader& in, std::uint64_t id);

/// `conflict` if a sync of the source is at work.
directory::result<std::uint64_t> insert_run(directory::writer& in, std::uint32_t source, bool dry);
/// Ids of the runs at work, in the order of their beginning.
directory::result<std::vector<std::uint64_t>> runs_at_work(const directory::reader& in);

void put_state(directory::writer& in, std::uint64_t run, run_state state);
/// The fetch's end: what it said goes into the row.
void put_fetched(directory::writer& in, std::uint64_t run, const sources::fetch_outcome& outcome,
                 const stage_counts& counts, const std::string& served);
void put_compared(directory::writer& in, std::uint64_t run, const comparison& found, const guard_verdict& verdict);
/// The run is over, with `reason` in words if there is one to tell.
void put_end(directory::writer& in, std::uint64_t run, run_state state, const std::string& reason);

/// Takes the source's held run, if it has one, out of the way: its id, or 0.
std::uint64_t supersede_held(directory::writer& in, std::uint32_t source, std::uint64_t but);
/// Forgets the oldest runs beyond `kept`; their ids, whose files may go.
directory::result<std::vector<std::uint64_t>> forget_runs(directory::writer& in, std::uint32_t source,
                                                          std::uint32_t kept);

/// Begin of the window in which removals add up: 24 hours, or since a person last approved.
directory::timestamp window_start(directory::timestamp now, directory::timestamp guard_since);
/// After `compare`: the window's part of the numbers.
void count_window(const directory::reader& in, std::uint32_t source, directory::timestamp since, guard_numbers& out);

}  // namespace postern::sync
