#include "control/recent/recent_store.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <mutex>
#include <numeric>
#include <utility>

#include "board/process/log.h"
#include "control/directory/connection.h"

namespace postern::recent {

namespace {

using directory::connection;
using directory::statement;

constexpr unsigned cache_kib = 16'384;
constexpr int format = 1;

constexpr const char* model = R"sql(
CREATE TABLE recipient(
    domain INTEGER NOT NULL,
    address TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    how INTEGER NOT NULL,
    source TEXT NOT NULL,
    n0 INTEGER NOT NULL DEFAULT 0,
    n1 INTEGER NOT NULL DEFAULT 0,
    n2 INTEGER NOT NULL DEFAULT 0,
    n3 INTEGER NOT NULL DEFAULT 0,
    n4 INTEGER NOT NULL DEFAULT 0,
    n5 INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (domain, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX recipient_by_time ON recipient(last);
CREATE INDEX recipient_of_domain_by_time ON recipient(domain, last, address);
CREATE TABLE edge(
    name TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    last INTEGER NOT NULL,
    lost INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE total(
    one INTEGER PRIMARY KEY CHECK (one = 1),
    dropped INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    events INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO total(one) VALUES (1);
)sql";

constexpr std::string_view columns =
    "SELECT domain, address, first, last, how, source, n0, n1, n2, n3, n4, n5 FROM recipient ";

seen_address read_row(const statement& row) {
    seen_address out;
    out.domain = row.as<std::uint32_t>(0);
    out.address = row.text(1);
    out.first = row.integer(2);
    out.last = row.integer(3);
    const auto how = row.integer(4);
    out.last_outcome =
        how >= 0 && how < static_cast<std::int64_t>(outcomes) ? static_cast<outcome>(how) : outcome::unknown;
    out.last_source = row.text(5);
    for (std::size_t i = 0; i < outcomes; ++i) {
        out.counts.at(i) = row.as<std::uint64_t>(6 + static_cast<int>(i));
    }
    return out;
}

result<std::unique_ptr<connection>> open_file(const std::string& path) {
    auto on = connection::open(path, cache_kib);
    if (!on) {
        return on;
    }
    // A power cut may take the last seconds: the edge has them still, or they are not worth a sync each.
    (*on)->script("PRAGMA synchronous=NORMAL");
    return on;
}

result<void> prepare_file(connection& on) {
    const auto found = [&] {
        statement asked = on.query("PRAGMA user_version");
        return asked.step() ? asked.integer(0) : -1;
    }();
    if (found == 0) {
        on.script("BEGIN IMMEDIATE");
        on.script(model);
        on.script(("PRAGMA user_version=" + std::to_string(format)).c_str());
        on.script("COMMIT");
    } else if (!on.failed() && found != format) {
        return directory::fail(directory::error_kind::failed, "it has the format " + std::to_string(found));
    }
    if (on.failed()) {
        return tl::unexpected(on.failure());
    }
    return {};
}

void remove_file(const std::string& path) {
    std::error_code ignored;
    for (const char* const end : {"", "-wal", "-shm"}) {
        std::filesystem::remove(path + end, ignored);
    }
}

template <class T>
result<T> value_of(const connection& on, T value) {
    if (on.failed()) {
        return tl::unexpected(on.failure());
    }
    return value;
}

}  // namespace

std::uint64_t seen_address::times() const noexcept {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

struct recent_store::state {
    std::string path;
    recent_options options;
    std::mutex mutex;  ///< of the writing connection
    std::unique_ptr<connection> writes;
    std::uint64_t rows = 0;

    /// A reader's own connection: opening one takes a fraction of a millisecond, and these questions are rare.
    result<std::unique_ptr<connection>> reads() const { return open_file(path); }
    void add(const sighting& one);
    void make_room(timestamp now);
    void book(const batch& told);
};

recent_store::recent_store(std::unique_ptr<state> made) : _state(std::move(made)) {}
recent_store::~recent_store() = default;

result<std::unique_ptr<recent_store>> recent_store::open(const std::string& path, const recent_options& options) {
    auto made = std::make_unique<state>();
    made->path = path;
    made->options = options;
    for (const bool last : {false, true}) {
        auto on = open_file(path);
        const auto good = on ? prepare_file(**on) : result<void>(tl::unexpected(on.error()));
        if (good) {
            made->writes = std::move(*on);
            break;
        }
        if (last) {
            return tl::unexpected(good.error());
        }
        process::log(process::level::warn, "recent_recipients_begun_anew",
                     {{"file", path}, {"reason", good.error().text}});
        on = directory::fail(directory::error_kind::failed, "closed");
        remove_file(path);
    }
    std::error_code ignored;
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write,
                                 ignored);
    {
        statement counted = made->writes->query("SELECT count(*) FROM recipient");
        made->rows = counted.step() ? counted.as<std::uint64_t>(0) : 0;
    }
    if (made->writes->failed()) {
        return tl::unexpected(made->writes->failure());
    }
    return std::unique_ptr<recent_store>(new recent_store(std::move(made)));
}

result<std::uint64_t> recent_store::position(std::string_view edge, std::string_view run) {
    const std::lock_guard hold(_state->mutex);
    connection& on = *_state->writes;
    on.clear_failure();
    statement asked = on.query("SELECT last FROM edge WHERE name = ? AND run = ?", edge, run);
    const std::uint64_t last = asked.step() ? asked.as<std::uint64_t>(0) : 0;
    return value_of(on, last);
}

void recent_store::state::add(const sighting& one) {
    const auto how = static_cast<std::size_t>(one.how);
    const std::string column = "n" + std::to_string(how);
    connection& on = *writes;
    on.run("UPDATE recipient SET last = max(last, ?), how = ?, source = ?, " + column + " = " + column +
               " + 1 WHERE domain = ? AND address = ?",
           one.at, how, one.source, one.domain, one.address);
    if (on.changed() == 0 && !on.failed()) {
        on.run("INSERT INTO recipient(domain, address, first, last, how, source, " + column +
                   ") VALUES (?, ?, ?, ?, ?, ?, 1)",
               one.domain, one.address, one.at, one.at, how, one.source);
        ++rows;
    }
}

void recent_store::state::make_room(timestamp now) {
    connection& on = *writes;
    const timestamp oldest = now - std::chrono::duration_cast<std::chrono::milliseconds>(options.keep).count();
    on.run("DELETE FROM recipient WHERE last < ?", oldest);
    rows -= std::min<std::uint64_t>(rows, static_cast<std::uint64_t>(on.changed()));
    if (rows <= options.limit) {
        return;
    }
    on.run(
        "DELETE FROM recipient WHERE (domain, address) IN"
        " (SELECT domain, address FROM recipient ORDER BY last LIMIT ?)",
        rows - options.limit);
    const auto gone = static_cast<std::uint64_t>(on.changed());
    rows -= std::min(rows, gone);
    on.run("UPDATE total SET dropped = dropped + ?", gone);
}

void recent_store::state::book(const batch& told) {
    connection& on = *writes;
    const std::uint64_t lost = told.overwritten + told.missed;
    std::uint64_t before = 0;
    {
        statement asked = on.query("SELECT lost FROM edge WHERE name = ? AND run = ?", told.edge, told.run);
        before = asked.step() ? asked.as<std::uint64_t>(0) : 0;
    }
    on.run(
        "INSERT INTO edge(name, run, last, lost) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET run = excluded.run, last = excluded.last, lost = excluded.lost",
        told.edge, told.run, told.last, lost);
    on.run("UPDATE total SET lost = lost + ?, events = events + ?", lost > before ? lost - before : 0,
           told.sightings.size());
}

result<void> recent_store::take(const batch& told) {
    const std::lock_guard hold(_state->mutex);
    connection& on = *_state->writes;
    on.clear_failure();
    const std::uint64_t rows = _state->rows;
    on.script("BEGIN IMMEDIATE");
    timestamp newest = 0;
    for (const sighting& one : told.sightings) {
        if (!is_finding(one.how)) {
            _state->add(one);
            newest = std::max(newest, one.at);
        }
    }
    if (newest != 0) {
        _state->make_room(newest);
    }
    _state->book(told);
    if (!on.script("COMMIT")) {
        const directory::error cause = on.failure();
        on.clear_failure();
        if (on.in_transaction()) {
            on.script("ROLLBACK");
        }
        _state->rows = rows;
        return tl::unexpected(cause);
    }
    return {};
}

result<void> recent_store::each(std::uint32_t domain, timestamp since,
                                const std::function<bool(const seen_address&)>& see) const {
    const auto on = _state->reads();
    if (!on) {
        return tl::unexpected(on.error());
    }
    statement rows = (*on)->query(std::string(columns) + "WHERE domain = ? AND last >= ?", domain, since);
    while (rows.step()) {
        if (!see(read_row(rows))) {
            break;
        }
    }
    if ((*on)->failed()) {
        return tl::unexpected((*on)->failure());
    }
    return {};
}

result<directory::page<seen_address>> recent_store::list(std::uint32_t domain, timestamp since,
                                                         const directory::page_request& at) const {
    timestamp before = std::numeric_limits<timestamp>::max();
    std::string address;
    if (!at.after.empty()) {
        const char* const end = at.after.data() + at.after.size();
        const auto [stop, wrong] = std::from_chars(at.after.data(), end, before);
        if (wrong != std::errc() || stop == end || *stop != ' ') {
            return directory::fail(directory::error_kind::invalid, "the cursor is not one of this list", "cursor");
        }
        address.assign(stop + 1, end);
    }
    const auto on = _state->reads();
    if (!on) {
        return tl::unexpected(on.error());
    }
    const std::uint32_t limit = std::clamp<std::uint32_t>(at.limit, 1, 1000);
    directory::page<seen_address> out;
    statement rows = (*on)->query(
        std::string(columns) +
            "WHERE domain = ? AND last >= ? AND (last, address) < (?, ?) ORDER BY last DESC, address DESC LIMIT ?",
        domain, since, before, address, limit + 1);
    while (rows.step()) {
        if (out.items.size() == limit) {
            out.next = std::to_string(out.items.back().last) + " " + out.items.back().address;
            break;
        }
        out.items.push_back(read_row(rows));
    }
    return value_of(**on, std::move(out));
}

result<std::pair<timestamp, timestamp>> recent_store::span_of(std::uint32_t domain) const {
    const auto on = _state->reads();
    if (!on) {
        return tl::unexpected(on.error());
    }
    statement asked =
        (*on)->query("SELECT coalesce(min(first), 0), coalesce(max(last), 0) FROM recipient WHERE domain = ?", domain);
    std::pair<timestamp, timestamp> out;
    if (asked.step()) {
        out = {asked.integer(0), asked.integer(1)};
    }
    return value_of(**on, out);
}

result<recent_counts> recent_store::counts() const {
    recent_counts out;
    {
        const std::lock_guard hold(_state->mutex);
        out.addresses = _state->rows;
    }
    const auto on = _state->reads();
    if (!on) {
        return tl::unexpected(on.error());
    }
    statement asked = (*on)->query("SELECT dropped, lost, events FROM total");
    if (asked.step()) {
        out.dropped = asked.as<std::uint64_t>(0);
        out.lost = asked.as<std::uint64_t>(1);
        out.events = asked.as<std::uint64_t>(2);
    }
    return value_of(**on, out);
}

}  // namespace postern::recent
