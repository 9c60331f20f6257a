#include "control/directory/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "board/process/files.h"
#include "control/directory/connection.h"
#include "control/directory/schema.h"

namespace postern::directory {

// What the store, its leases and its writers share; the leases keep it alive.
struct store_state : std::enable_shared_from_this<store_state> {
    std::string path;
    store_options options;
    process::descriptor lock_file;

    std::mutex pool_mutex;
    std::condition_variable pool_changed;
    std::vector<std::unique_ptr<connection>> idle;
    unsigned open_connections = 0;

    std::mutex turn_mutex;
    std::condition_variable turn_changed;
    std::deque<std::uint64_t> waiting;  // tickets, in order of coming
    std::uint64_t next_ticket = 0;
    bool writing = false;

    std::mutex tell_mutex;
    std::map<std::uint64_t, std::function<void(std::uint64_t)>> listeners;
    std::uint64_t next_listener = 0;
    std::atomic<std::uint64_t> told{0};

    timestamp now() const {
        if (options.clock) {
            return options.clock();
        }
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    }

    result<lease> take(bool pooled) {
        if (!pooled) {
            auto fresh = connection::open(path, options.cache_kib);
            if (!fresh) {
                return tl::unexpected(fresh.error());
            }
            return lease(nullptr, std::move(*fresh));
        }
        std::unique_lock hold(pool_mutex);
        pool_changed.wait(hold, [&] { return !idle.empty() || open_connections < options.max_connections; });
        if (!idle.empty()) {
            std::unique_ptr<connection> found = std::move(idle.back());
            idle.pop_back();
            return lease(shared_from_this(), std::move(found));
        }
        ++open_connections;
        hold.unlock();
        auto fresh = connection::open(path, options.cache_kib);
        if (!fresh) {
            hold.lock();
            --open_connections;
            pool_changed.notify_one();
            return tl::unexpected(fresh.error());
        }
        return lease(shared_from_this(), std::move(*fresh));
    }

    void give_back(std::unique_ptr<connection> back) {
        back->clear_failure();
        const std::lock_guard hold(pool_mutex);
        idle.push_back(std::move(back));
        pool_changed.notify_one();
    }

    bool wait_turn(std::chrono::milliseconds patience) {
        std::unique_lock hold(turn_mutex);
        const std::uint64_t mine = next_ticket++;
        waiting.push_back(mine);
        const bool got = turn_changed.wait_for(hold, patience, [&] { return !writing && waiting.front() == mine; });
        waiting.erase(std::ranges::find(waiting, mine));
        writing = writing || got;
        turn_changed.notify_all();  // whoever is in front now may be able to go
        return got;
    }

    void end_turn() {
        const std::lock_guard hold(turn_mutex);
        writing = false;
        turn_changed.notify_all();
    }

    void tell(std::uint64_t seq) {
        const std::lock_guard hold(tell_mutex);
        if (seq <= told.load()) {
            return;
        }
        told.store(seq);
        for (const auto& [id, listener] : listeners) {
            listener(seq);
        }
    }
};

lease::lease(std::shared_ptr<store_state> from, std::unique_ptr<connection> held) noexcept
    : _from(std::move(from)), _connection(std::move(held)) {}
lease::lease() noexcept = default;
lease::lease(lease&&) noexcept = default;
lease& lease::operator=(lease&& other) noexcept {
    std::swap(_from, other._from);
    std::swap(_connection, other._connection);
    return *this;
}
lease::~lease() {
    if (_from && _connection) {
        _from->give_back(std::move(_connection));
    }
}

reader::~reader() {
    if (_on != nullptr && on().in_transaction()) {
        on().clear_failure();
        on().script("ROLLBACK");
    }
}

borrowed_reader::~borrowed_reader() {
    _on = nullptr;  // not ours to end
}

struct writer::turn {
    std::shared_ptr<store_state> state;
    explicit turn(std::shared_ptr<store_state> from) : state(std::move(from)) {}
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    ~turn() { state->end_turn(); }
};

writer::writer(reader&& on, std::unique_ptr<turn> lock, actor by, timestamp now) noexcept
    : reader(std::move(on)), _turn(std::move(lock)), _by(std::move(by)), _now(now) {}
writer::writer(writer&&) noexcept = default;

result<std::unique_ptr<writer::turn>> writer::take_turn(const std::shared_ptr<store_state>& state,
                                                        std::chrono::milliseconds patience) {
    if (!state->wait_turn(patience)) {
        return fail(error_kind::busy, "another change (an import?) holds the directory; try again in a moment");
    }
    return std::make_unique<turn>(state);
}

result<writer> writer::begin(reader&& idle, std::unique_ptr<turn> lock, actor by, timestamp now) {
    connection& on = idle.on();
    on.clear_failure();
    on.act = 0;
    writer out(std::move(idle), std::move(lock), std::move(by), now);
    if (!on.script("BEGIN IMMEDIATE")) {
        return tl::unexpected(on.failure());
    }
    return out;
}

writer::~writer() {
    // Before the turn ends: the next writer must find SQLite's lock free.
    if (_turn && on().in_transaction()) {
        on().clear_failure();
        on().script("ROLLBACK");
    }
}

result<std::uint64_t> writer::commit() {
    if (!on().in_transaction()) {
        return fail(error_kind::failed, "this change is over already: it was committed, or the store took it back");
    }
    std::uint64_t seq = 0;
    {
        statement last = on().query("SELECT seq FROM sqlite_sequence WHERE name = 'change'");
        if (last.step()) {
            seq = last.as<std::uint64_t>(0);
        }
    }
    if (on().failed() || !on().script("COMMIT")) {
        error cause = on().failure();
        on().clear_failure();
        on().script("ROLLBACK");
        return tl::unexpected(std::move(cause));
    }
    const std::shared_ptr<store_state> state = _turn->state;
    _turn.reset();
    state->tell(seq);
    return seq;
}

store::store(std::shared_ptr<store_state> state) noexcept : _state(std::move(state)) {}
store::~store() = default;

result<std::unique_ptr<store>> store::open(const std::string& path, const store_options& options) {
    auto state = std::make_shared<store_state>();
    state->path = path;
    state->options = options;
    state->options.max_connections = std::max(2U, options.max_connections);
    if (options.exclusive) {
        const std::string lock_path = path + ".lock";
        state->lock_file = process::descriptor(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (!state->lock_file) {
            return fail(error_kind::failed, process::errno_text("cannot open", lock_path, errno) +
                                                "; its folder must exist and belong to the user that runs this");
        }
        if (::flock(state->lock_file.get(), LOCK_EX | LOCK_NB) != 0) {
            return fail(error_kind::failed, "the directory " + path +
                                                " is in use by another postern-control; stop it, or use another path");
        }
    }
    // Made by us, so that it never has wider rights than its owner's; SQLite gives its -wal and -shm the same.
    const process::descriptor made(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!made) {
        return fail(error_kind::failed, process::errno_text("cannot open the directory", path, errno) +
                                            "; its folder must exist and belong to the user that runs this");
    }
    auto first = connection::open(path, options.cache_kib);
    if (!first) {
        return tl::unexpected(first.error());
    }
    if (auto migrated = migrate(**first); !migrated) {
        return fail(migrated.error().kind, "the directory " + path + " can't be used: " + migrated.error().text);
    }
    state->open_connections = 1;
    state->idle.push_back(std::move(*first));
    return std::unique_ptr<store>(new store(std::move(state)));
}

result<lease> store::borrow() const {
    return _state->take(false);
}

result<reader> store::read() const {
    auto held = _state->take(true);
    if (!held) {
        return tl::unexpected(held.error());
    }
    connection& on = held->on();
    reader out(std::move(*held));
    if (!on.script("BEGIN")) {
        return tl::unexpected(on.failure());
    }
    return out;
}

result<writer> store::write(actor by, std::chrono::milliseconds patience) const {
    // The turn first: a queue of writers must not hold the readers' connections.
    auto turn = writer::take_turn(_state, patience);
    if (!turn) {
        return tl::unexpected(turn.error());
    }
    auto held = _state->take(true);
    if (!held) {
        return tl::unexpected(held.error());
    }
    return writer::begin(reader(std::move(*held)), std::move(*turn), std::move(by), _state->now());
}

result<writer> store::write(const lease& held, actor by, std::chrono::milliseconds patience) const {
    auto turn = writer::take_turn(_state, patience);
    if (!turn) {
        return tl::unexpected(turn.error());
    }
    return writer::begin(reader(held.on()), std::move(*turn), std::move(by), _state->now());
}

std::uint64_t store::on_commit(std::function<void(std::uint64_t)> tell) {
    const std::lock_guard hold(_state->tell_mutex);
    _state->listeners.emplace(++_state->next_listener, std::move(tell));
    return _state->next_listener;
}

void store::ignore_commits(std::uint64_t registration) {
    const std::lock_guard hold(_state->tell_mutex);
    _state->listeners.erase(registration);
}

const std::string& store::path() const noexcept {
    return _state->path;
}
timestamp store::now() const {
    return _state->now();
}

result<void> store::check() const {
    auto in = read();
    if (!in) {
        return tl::unexpected(in.error());
    }
    in->on().query("SELECT count(*) FROM organisation").step();
    return or_failure(*in);
}

}  // namespace postern::directory
