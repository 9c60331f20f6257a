// The record of syncs: each run with what it found, what the guard said, what it changed, and when it came into force.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/directory/scope.h"
#include "control/directory/store.h"

namespace postern::sync {

enum class run_state : std::uint8_t {
    queued = 0,      ///< waits for its turn
    fetching = 1,    ///< the directory is being read
    comparing = 2,   ///< all is fetched and on disk
    publishing = 3,  ///< applied; on its way to the edges
    held = 4,        ///< a limit was exceeded: waits for approve or discard
    succeeded = 5,   ///< over: the list is what the directory said
    partial = 6,     ///< over: something was missing; additions were applied, nothing was removed
    failed = 7,      ///< over: nothing was changed
    cancelled = 8,   ///< over, by a person or by the program's end: nothing was changed
    previewed = 9,   ///< over: a dry run
    discarded = 10,  ///< was held: a person said no
    superseded = 11  ///< was held: a later sync took its place
};
std::string_view to_string(run_state state) noexcept;
std::optional<run_state> parse_run_state(std::string_view word) noexcept;
constexpr bool is_at_work(run_state state) noexcept {
    return state <= run_state::publishing;
}

/// Numbers of addresses, unless said otherwise.
struct run_counts {
    std::uint64_t read = 0;      ///< objects that the directory gave
    std::uint64_t left_out = 0;  ///< objects without a usable address, or excluded by the source's settings
    std::uint64_t foreign = 0;   ///< of domains that the organisation has not here: not asserted
    std::uint64_t unusable = 0;  ///< that can't be parsed, or that two objects have: see the problems
    std::uint64_t before = 0;    ///< that the source asserted before
    std::uint64_t added = 0;     ///< to be added; were added unless the guard held them
    std::uint64_t removed = 0;   ///< to be removed; were removed unless held or partial
    std::uint64_t changed = 0;   ///< whose name, kind or mailbox changed
    std::uint64_t moved = 0;     ///< objects that stand elsewhere in the directory (renamed OU)
};

struct sync_run {
    std::uint64_t id = 0;
    std::uint32_t source = 0;
    std::string source_name;
    std::uint32_t organisation = 0;
    run_state state = run_state::queued;
    bool dry = false;
    bool whole = true;  ///< false: only changes were asked for and given
    std::string who;    ///< started it; "system": the schedule
    std::string why;
    std::string step;    ///< where the fetch ended early: "name", "TCP", "bind", …; else empty
    std::string reason;  ///< in words: why failed, partial or cancelled
    std::string guard;   ///< in words: what limit was exceeded, by how much
    std::string server;  ///< that answered
    bool additions_applied = false;
    bool removals_applied = false;
    run_counts counts;
    std::string decided_by;  ///< of approve or discard
    std::uint64_t seq = 0;   ///< the change feed's number; 0: nothing applied
    directory::timestamp started = 0;
    directory::timestamp fetched = 0;  ///< the fetch's end
    directory::timestamp applied = 0;
    directory::timestamp in_force = 0;  ///< at every edge
    directory::timestamp ended = 0;
};

struct run_filter {
    std::uint32_t source = 0;        ///< 0: any
    std::uint32_t organisation = 0;  ///< 0: any
    std::optional<run_state> state;
    directory::scope within = {};
};
/// Newest first.
directory::result<directory::page<sync_run>> list_runs(const directory::reader& in, const run_filter& filter,
                                                       const directory::page_request& at);
directory::result<sync_run> find_run(const directory::reader& in, std::uint64_t id);

/// One line of a run's diff.
struct diff_item {
    enum class kind : std::uint8_t {
        added = 0,
        removed = 1,
        changed = 2,     ///< name, kind or internal-only of a mailbox
        reassigned = 3,  ///< the address leads to another mailbox, or became one
        moved = 4,       ///< an object stands elsewhere in the directory; no address
    };
    std::uint64_t id = 0;
    diff_item::kind what = kind::added;
    std::string address;
    std::string object;  ///< where it stands in the directory, for people: the DN
    std::string before;  ///< in words; empty for added
    std::string after;   ///< in words; empty for removed
};
std::string_view to_string(diff_item::kind what) noexcept;
std::optional<diff_item::kind> parse_item_kind(std::string_view word) noexcept;

/// What a run could not use.
struct run_problem {
    std::uint64_t id = 0;
    std::string address;  ///< as the directory spells it
    std::string object;
    std::string reason;
};

}  // namespace postern::sync
