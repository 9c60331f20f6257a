// Holds the recipient table in force: loads files, checks them, publishes snapshots to the shards, keeps the manifest.
//
// Everything here is called on one thread that is no shard (a base may take seconds to load); the shards only read
// `in_force()`. Order of a commit: manifest replaced, pointer published, every shard quiescent, old snapshot freed, the
// manifest's name durable. What is refused leaves the table in force as it was. The contract of names and numbers:
// docs/edge-socket.md.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "board/process/files.h"
#include "dataplane/edge/domain_changes.h"
#include "dataplane/edge/manifest.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/recipients/table.h"

namespace postern::edge {

using process::result;

/// A table file by name, with what its header says.
struct table_file {
    std::string name;
    recipients::table_facts facts;
};

struct pair_facts {
    table_file base;
    std::optional<table_file> overlay;
    /// Listed addresses: the base's, and the overlay's, less its removals. An address whose payload the overlay
    /// replaces counts twice.
    std::uint64_t addresses() const noexcept;
};

struct table_difference {
    std::optional<pair_facts> from;
    pair_facts to;
    domain_changes domains;
};

/// Readable on any thread.
struct table_counters {
    std::atomic<std::uint64_t> generation{0};  ///< in force; 0: none
    std::atomic<std::uint64_t> addresses{0};   ///< in force
    std::atomic<std::uint64_t> commits{0};     ///< pairs put in force, rollbacks and the one at start included
    std::atomic<std::uint64_t> refused{0};     ///< pairs that did not load
};

class table_holder {
public:
    /// The descriptors are of folders and stay the caller's. `wait_for_shards` returns when every shard has passed a
    /// quiescent state since it was called.
    table_holder(int state_fd, int tables_fd, std::function<void()> wait_for_shards);
    ~table_holder();  ///< the shards must have ended
    table_holder(const table_holder&) = delete;
    table_holder& operator=(const table_holder&) = delete;

    /// What the shards decide from; null while no table was loaded.
    const std::atomic<const recipients::snapshot*>& in_force() const noexcept { return _published; }

    /// At start: puts the last good pair in force (the manifest's, else the first kept one that loads, committed under
    /// the next number). Problems met on the way are logged; without any good pair nothing is in force.
    void load_last_good();

    /// Loads and checks; nothing changes in force. An empty `base`: the base in force. Forgets what was prepared
    /// before, also if it fails.
    result<pair_facts> prepare(const std::string& base, const std::string& overlay);
    void discard();
    result<table_difference> difference() const;
    /// Puts the prepared pair in force under `generation` (greater than the number in force; empty: the next).
    result<table_pair> commit(std::optional<std::uint64_t> generation);
    /// Puts the `back`-th last kept pair (from 1) in force under the next number.
    result<table_pair> rollback(std::uint64_t back);

    const table_counters& counts() const noexcept { return _counts; }
    const manifest& remembered() const noexcept { return _manifest; }
    /// Empty: no table is in force.
    std::optional<pair_facts> facts() const;
    /// Empty: nothing is prepared.
    std::optional<pair_facts> prepared_facts() const;

private:
    /// Tells whether a file is the one that was loaded, without reading it again.
    struct identity {
        dev_t device = 0;
        ino_t inode = 0;
        off_t size = 0;
        std::int64_t changed_ns = 0;
        friend bool operator==(const identity&, const identity&) = default;
    };
    struct loaded_file {
        std::string name;
        identity file;
        std::shared_ptr<const recipients::table> table;
    };
    struct loaded_pair {
        loaded_file base;
        std::optional<loaded_file> overlay;
        std::unique_ptr<const recipients::snapshot> snapshot;
        bool base_in_force = false;  ///< `prepare` was told to keep the base

        pair_facts facts() const;
    };

    result<loaded_file> load_file(const std::string& name) const;
    result<loaded_pair> load_pair(const std::string& base, const std::string& overlay);
    result<loaded_pair> check_pair(const std::string& base, const std::string& overlay) const;
    result<table_pair> put_in_force(loaded_pair pair, std::uint64_t generation);
    void publish(loaded_pair pair, std::uint64_t generation);

    int _state_fd;
    int _tables_fd;
    std::function<void()> _wait_for_shards;
    manifest _manifest;
    table_counters _counts;
    std::optional<loaded_pair> _in_force;
    std::optional<loaded_pair> _prepared;
    std::atomic<const recipients::snapshot*> _published{nullptr};
};

}  // namespace postern::edge
