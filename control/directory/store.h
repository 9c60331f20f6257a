// The directory's store: one SQLite file in WAL mode (synchronous=FULL), its connections, transactions and migrations.
//
// Threads: any thread may call `read` and `write`. A `reader` or `writer` is used by one thread at a time and holds a
// connection of its own until it ends, so readers never wait for the writer (WAL) nor for each other (but for the
// pool's bound); writers queue behind one lock. A reader sees the store as it was at its first query: keep it short,
// since it holds back the WAL's checkpoint.
//
//     auto in = store.write({.who = "token:ops", .why = "ticket 4711"});
//     auto box = add_mailbox(*in, {.address = "alice@example.com"});
//     auto seq = in->commit();      // not reached, or an error: nothing of it happened
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/directory/error.h"

struct sqlite3;

namespace postern::directory {

using timestamp = std::int64_t;  ///< Unix time in milliseconds; 0: never, none

class connection;  // connection.h: SQLite handle and its prepared statements
class store;
struct store_state;

/// Who does a change and why: stamped on every history entry of the transaction.
struct actor {
    std::string who = "system";
    std::string why;
};

/// A cursor page. `after` is what an earlier answer gave as `next`; empty: from the start.
struct page_request {
    std::string after;
    std::uint32_t limit = 50;  ///< clamped to 1…1000
};
template <class T>
struct page {
    std::vector<T> items;
    std::string next;  ///< empty: that was the last
};

/// Owns a connection until destroyed, then hands it back to the pool.
class lease {
public:
    lease() noexcept;
    lease(lease&&) noexcept;
    lease& operator=(lease&&) noexcept;
    ~lease();
    connection& on() const noexcept { return *_connection; }

private:
    friend struct store_state;
    lease(std::shared_ptr<store_state> from, std::unique_ptr<connection> held) noexcept;
    std::shared_ptr<store_state> _from;
    std::unique_ptr<connection> _connection;
};

/// A consistent view. Ends (and returns its connection) when destroyed.
class reader {
public:
    reader(reader&& other) noexcept : _lease(std::move(other._lease)), _on(std::exchange(other._on, nullptr)) {}
    reader& operator=(reader&&) = delete;
    virtual ~reader();
    connection& on() const noexcept { return *_on; }

protected:
    friend class store;
    explicit reader(lease&& held) noexcept : _lease(std::move(held)), _on(&_lease.on()) {}
    explicit reader(connection& on) noexcept : _on(&on) {}
    lease _lease;     // empty: the connection is the caller's
    connection* _on;  // null: moved from
};

/// A view over a connection that is the caller's, who has begun a transaction and ends it.
class borrowed_reader final : public reader {
public:
    explicit borrowed_reader(connection& on) noexcept : reader(on) {}
    ~borrowed_reader() override;
};

/// A change in progress: everything that is done with it happens at `commit`, or not at all. Reads through it see its
/// own changes.
class writer final : public reader {
public:
    writer(writer&&) noexcept;
    ~writer() override;  ///< rolls back what was not committed

    /// Durable when it answers. The value is the change feed's last number: what `publisher::wait_in_force` takes.
    result<std::uint64_t> commit();

    const actor& by() const noexcept { return _by; }
    timestamp now() const noexcept { return _now; }  ///< one time for the whole transaction

private:
    friend class store;
    struct turn;  // the place in the queue of writers
    writer(reader&& on, std::unique_ptr<turn> lock, actor by, timestamp now) noexcept;
    static result<std::unique_ptr<turn>> take_turn(const std::shared_ptr<store_state>& state,
                                                   std::chrono::milliseconds patience);
    static result<writer> begin(reader&& idle, std::unique_ptr<turn> lock, actor by, timestamp now);
    std::unique_ptr<turn> _turn;
    actor _by;
    timestamp _now;
};

struct store_options {
    unsigned max_connections = 16;     ///< readers beyond it wait
    unsigned cache_kib = 8192;         ///< SQLite's page cache, for each connection
    std::function<timestamp()> clock;  ///< null: the system's
    bool exclusive = true;             ///< refuse to open while another process has it open (flock on PATH.lock)
};

class store {
public:
    /// Opens or creates (mode 0600) the file at `path` and brings its schema up to date. Refuses a newer schema, a
    /// file that is not a directory of Postern's, and one that another process has open.
    static result<std::unique_ptr<store>> open(const std::string& path, const store_options& options = {});
    ~store();

    result<reader> read() const;
    /// Waits up to `patience` for other writers (an import of a million rows holds its turn for half a minute), then
    /// answers `busy`.
    result<writer> write(actor by, std::chrono::milliseconds patience = std::chrono::seconds(30)) const;
    /// A connection without a transaction, for work that stages in temporary tables first and writes afterwards.
    result<lease> borrow() const;
    /// The same on a borrowed connection, which must outlive the writer.
    result<writer> write(const lease& held, actor by, std::chrono::milliseconds patience) const;

    /// Called after each commit that changed the feed, by the committing thread, with its last number. Not to block.
    /// The number is for `ignore_commits`, which returns only when no call is running.
    std::uint64_t on_commit(std::function<void(std::uint64_t)> tell);
    void ignore_commits(std::uint64_t registration);

    const std::string& path() const noexcept;
    timestamp now() const;
    /// What `/healthz` asks: one query on a reader.
    result<void> check() const;

private:
    explicit store(std::shared_ptr<store_state> state) noexcept;
    std::shared_ptr<store_state> _state;
};

}  // namespace postern::directory
