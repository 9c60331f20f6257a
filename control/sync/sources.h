// Directory sources: what a person sets about a directory that a list follows, and how it is doing.
//
// A source is of one organisation and asserts addresses of that organisation's domains alone. Its protocol is a
// `source_type`; what the type needs to know is `settings`, JSON that only the type reads. Secrets go in and never come
// out, but to the type's own code.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/directory/scope.h"
#include "control/directory/store.h"
#include "control/sources/connection_test.h"
#include "control/sources/fetch.h"
#include "control/sync/secrets.h"

namespace postern::sync {

/// What a type's code gets to make a fetcher, or to test the connection. Holds the secret: not to be answered or
/// logged.
struct source_order {
    std::string name;
    std::uint32_t organisation = 0;
    std::string settings;  ///< JSON
    std::string secret;
};

/// A protocol, as the daemon wires it in.
struct source_type {
    /// Refuses settings that can't work (`invalid`, with the field); called before they are kept.
    std::function<directory::result<void>(const source_order&)> check;
    std::function<tl::expected<std::unique_ptr<sources::fetcher>, std::string>(const source_order&)> make;
    /// Whether these settings ask to be told of changes as they happen. Set with `follow`.
    std::function<bool(const source_order&)> follows;
    /// Stays connected and calls `changed` whenever the directory is not as it was at `cookie` any more (false: end).
    /// Returns when the connection ends, or soon after `stop` is set.
    std::function<sources::fetch_outcome(const source_order&, const std::string& cookie,
                                         const std::function<bool()>& changed, const std::atomic<bool>& stop)>
        follow;
    /// Tests the connection, step by step; blocks, a minute at most, and ends soon after `stop` is set.
    std::function<sources::test_report(const source_order&, const std::atomic<bool>& stop)> test;
};
using source_types = std::map<std::string, source_type, std::less<>>;  ///< by the name's part before ':'

/// What the functions below work with besides the store; the service's.
struct environment {
    const secret_box& secrets;
    const source_types& types;
};

/// Beyond these a sync waits for a person. 0: this one does not limit. Removals count over 24 hours against the list as
/// it was at their beginning (or when a person last approved); additions against the list before the sync.
struct guard_limits {
    std::uint64_t removed_count = 500;
    std::uint32_t removed_percent = 10;  ///< 1 to 100
    std::uint64_t added_count = 0;
    std::uint32_t added_percent = 0;  ///< 1 to 1000; the first sync of a source is not limited by it
    std::uint64_t total_count = 0;    ///< addresses that the source may assert in all
    std::uint64_t floor = 5;          ///< a change of so many addresses is never held by a percentage (small lists)
};

/// Who hears of what. All of it is in log and metrics anyway.
struct notices {
    std::string webhook;              ///< https:// or http:// URL; empty: none
    std::vector<std::string> emails;  ///< at most 20
    bool additions = false;           ///< a sync added addresses
    bool changes = false;             ///< a sync removed or changed addresses
    bool trouble = true;              ///< failed, partial, held, out of date; and that it is over
};

/// Refuses a webhook or an address that can't be told (`invalid`, "webhook" or "emails").
directory::result<void> check_notices(const notices& notify);

/// What can be edited.
struct source_settings {
    std::string settings = "{}";        ///< JSON of the type, at most 64 KiB
    bool enabled = true;                ///< syncs by schedule; "sync now" works either way
    std::chrono::minutes interval{60};  ///< 1 minute to 31 days; each run comes up to a tenth of it later
    guard_limits limits;
    std::chrono::seconds grace{0};           ///< how long an address that a sync took stays good; at most 90 days
    std::chrono::seconds freshness{86'400};  ///< since the last complete sync; beyond it an alarm. 0: none
    bool fallback_to_defer = false;  ///< beyond it, `enforce` domains fed by this source go to `defer`, and back
    notices notify;
};

/// How it is doing.
struct source_state {
    directory::timestamp next_run = 0;  ///< by schedule; 0: none
    directory::timestamp last_start = 0;
    directory::timestamp last_good = 0;  ///< end of the last fetch that was complete; 0: never
    std::uint32_t failures = 0;          ///< in a row
    bool out_of_date = false;            ///< beyond its freshness
    std::uint64_t running = 0;           ///< run at work; 0: none
    std::uint64_t held = 0;              ///< run that waits for a person; 0: none
    std::uint64_t last_run = 0;          ///< last one that is over, dry runs left out; 0: none
    std::string trouble;                 ///< why the last one failed, in words; empty: it did not
    std::uint64_t asserted = 0;          ///< addresses, after the last sync
};

struct directory_source {
    std::uint32_t id = 0;  ///< as in directory::source
    std::uint32_t organisation = 0;
    std::string name;  ///< "ldap:NAME"
    std::string type;  ///< "ldap"
    source_settings set;
    bool has_secret = false;
    bool has_webhook_secret = false;
    source_state state;
    directory::timestamp created = 0;
    directory::timestamp updated = 0;
};

struct new_source {
    std::uint32_t organisation = 1;
    std::string name;  ///< "TYPE:NAME", unique within the organisation
    source_settings set;
    std::string secret;          ///< bind password, client secret; empty: none
    std::string webhook_secret;  ///< signs the webhook's body (HMAC-SHA-256); empty: unsigned
};
directory::result<directory_source> add_source(directory::writer& in, const environment& with, const new_source& input);

/// All of `set` as it is to be (read it, change what is to change). Secrets: nothing leaves them, "" takes them away.
/// Other settings or another secret make the next sync a whole one.
directory::result<directory_source> change_source(directory::writer& in, const environment& with, std::uint32_t id,
                                                  const source_settings& set, const std::optional<std::string>& secret,
                                                  const std::optional<std::string>& webhook_secret);
/// Takes it and what it asserted away: an address that nothing else asserts leaves the list at once, without grace.
/// `conflict` while a sync of it is at work.
directory::result<void> remove_source(directory::writer& in, std::uint32_t id);

directory::result<directory_source> find_source(const directory::reader& in, std::uint32_t id);
/// The one in the scope. `invalid` (field "source") if several organisations have one of the name.
directory::result<directory_source> find_source(const directory::reader& in, std::string_view name,
                                                const directory::scope& within = {});
struct source_filter {
    std::uint32_t organisation = 0;  ///< 0: any
    directory::scope within = {};
};
/// By id.
directory::result<directory::page<directory_source>> list_sources(const directory::reader& in,
                                                                  const source_filter& filter,
                                                                  const directory::page_request& at);

/// With its secret in the clear: for the type's own code alone (to test a connection).
directory::result<source_order> order_of(const directory::reader& in, const environment& with, std::uint32_t id);

}  // namespace postern::sync
