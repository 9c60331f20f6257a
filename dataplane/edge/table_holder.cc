#include "dataplane/edge/table_holder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "board/process/files.h"
#include "board/process/log.h"
#include "board/process/pauses.h"

namespace postern::edge {
namespace {

using process::level;

/// While shards answer, loading takes a fourth of a core: who shares it waits for a piece at most.
constexpr unsigned pause_share = 3;

std::string describe(const table_pair& pair) {
    return pair.overlay.empty() ? pair.base : pair.base + " with " + pair.overlay;
}

}  // namespace

std::uint64_t pair_facts::addresses() const noexcept {
    std::uint64_t sum = base.facts.addresses;
    if (overlay) {
        sum += overlay->facts.addresses;
        sum -= overlay->facts.removals < sum ? overlay->facts.removals : sum;
    }
    return sum;
}

pair_facts table_holder::loaded_pair::facts() const {
    pair_facts out;
    out.base = {base.name, base.table->facts()};
    if (overlay) {
        out.overlay = table_file{overlay->name, overlay->table->facts()};
    }
    return out;
}

table_holder::table_holder(int state_fd, int tables_fd, std::function<void()> wait_for_shards)
    : _state_fd(state_fd), _tables_fd(tables_fd), _wait_for_shards(std::move(wait_for_shards)) {}

table_holder::~table_holder() {
    _published.store(nullptr);
}

result<table_holder::loaded_file> table_holder::load_file(const std::string& name) const {
    // Never waits (a FIFO) and never follows a link out of the folder.
    const process::descriptor file(
        ::openat(_tables_fd, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    if (!file) {
        const int error = errno;
        return tl::unexpected(process::errno_text("open", name, error) +
                              (error == ENOENT ? "; put it into the tables folder first"
                                               : "; it must be a file that the edge's user may read"));
    }
    struct stat facts {};
    if (::fstat(file.get(), &facts) != 0) {
        return tl::unexpected(process::errno_text("examine", name, errno));
    }
    if (!S_ISREG(facts.st_mode)) {
        return tl::unexpected("cannot load " + name + ": it is not a regular file");
    }
    loaded_file out;
    out.name = name;
    out.file = {facts.st_dev, facts.st_ino, facts.st_size,
                facts.st_mtim.tv_sec * std::int64_t{1'000'000'000} + facts.st_mtim.tv_nsec};
    if (_in_force && _in_force->base.name == name && _in_force->base.file == out.file) {
        out.table = _in_force->base.table;
        return out;
    }
    process::pauses with(_in_force ? pause_share : 0);
    auto table = recipients::table::load_file(file.get(), name, with);
    if (!table) {
        return tl::unexpected(std::move(table.error()));
    }
    out.table = std::move(*table);
    return out;
}

result<table_holder::loaded_pair> table_holder::load_pair(const std::string& base, const std::string& overlay) {
    auto pair = check_pair(base, overlay);
    if (!pair) {
        _counts.refused.fetch_add(1, std::memory_order_relaxed);
    }
    return pair;
}

result<table_holder::loaded_pair> table_holder::check_pair(const std::string& base, const std::string& overlay) const {
    loaded_pair out;
    if (base.empty()) {
        if (!_in_force) {
            return tl::unexpected(std::string("no table is in force, so there is no base to keep; name a base file"));
        }
        out.base = _in_force->base;
        out.base_in_force = true;
    } else {
        auto loaded = load_file(base);
        if (!loaded) {
            return tl::unexpected(std::move(loaded.error()));
        }
        out.base = std::move(*loaded);
    }
    if (out.base.table->facts().is_overlay) {
        return tl::unexpected(out.base.name + " is an overlay; name its base first, then it");
    }
    if (!overlay.empty()) {
        auto loaded = load_file(overlay);
        if (!loaded) {
            return tl::unexpected(std::move(loaded.error()));
        }
        if (!loaded->table->facts().is_overlay) {
            return tl::unexpected(overlay + " is a base; name it first, or an overlay that was built over " +
                                  out.base.name);
        }
        out.overlay = std::move(*loaded);
    }
    auto snapshot = recipients::make_snapshot(0, out.base.table, out.overlay ? out.overlay->table : nullptr);
    if (!snapshot) {
        return tl::unexpected(std::move(snapshot.error()));
    }
    out.snapshot = std::move(*snapshot);
    return out;
}

void table_holder::load_last_good() {
    auto found = read_manifest(_state_fd);
    if (!found) {
        process::log(level::error, "manifest_unreadable",
                     {{"reason", found.error()}, {"remedy", "publish the table again"}});
        return;
    }
    if (!*found) {
        process::log(level::info, "no_table_yet", {{"answer", "451 4.3.0"}});
        return;
    }
    _manifest = std::move(**found);
    auto newest = load_pair(_manifest.in_force.base, _manifest.in_force.overlay);
    if (newest) {
        publish(std::move(*newest), _manifest.in_force.generation);
        return;
    }
    process::log(level::error, "table_refused",
                 {{"table", describe(_manifest.in_force)},
                  {"generation", _manifest.in_force.generation},
                  {"reason", newest.error()}});
    for (std::size_t i = 0; i < _manifest.kept.size(); ++i) {
        const table_pair pair = _manifest.kept[i];
        auto older = load_pair(pair.base, pair.overlay);
        if (!older) {
            process::log(level::error, "table_refused",
                         {{"table", describe(pair)}, {"generation", pair.generation}, {"reason", older.error()}});
            continue;
        }
        // What could not be loaded is not worth keeping for rollback; the rest is.
        manifest next;
        next.in_force = {_manifest.in_force.generation + 1, pair.base, pair.overlay};
        next.kept.assign(_manifest.kept.begin() + static_cast<std::ptrdiff_t>(i) + 1, _manifest.kept.end());
        const auto written = write_manifest(_state_fd, next).and_then([&] { return sync_manifest(_state_fd); });
        if (!written) {
            process::log(level::error, "manifest_not_written", {{"reason", written.error()}});
        }
        _manifest = std::move(next);
        publish(std::move(*older), _manifest.in_force.generation);
        process::log(level::warn, "older_table_in_force",
                     {{"table", describe(pair)},
                      {"generation", _manifest.in_force.generation},
                      {"remedy", "publish the table again"}});
        return;
    }
    process::log(level::error, "no_table_loads", {{"answer", "451 4.3.0"}, {"remedy", "publish the table again"}});
}

result<pair_facts> table_holder::prepare(const std::string& base, const std::string& overlay) {
    discard();
    auto loaded = load_pair(base, overlay);
    if (!loaded) {
        return tl::unexpected(std::move(loaded.error()));
    }
    _prepared = std::move(*loaded);
    return _prepared->facts();
}

void table_holder::discard() {
    _prepared.reset();
}

result<table_difference> table_holder::difference() const {
    if (!_prepared) {
        return tl::unexpected(std::string("nothing is prepared; say \"table prepare BASE [OVERLAY]\" first"));
    }
    table_difference out;
    out.from = facts();
    out.to = _prepared->facts();
    out.domains =
        compare_domains(_in_force ? _in_force->snapshot->domains.get() : nullptr, *_prepared->snapshot->domains);
    return out;
}

result<table_pair> table_holder::commit(std::optional<std::uint64_t> generation) {
    if (!_prepared) {
        return tl::unexpected(std::string("nothing is prepared; say \"table prepare BASE [OVERLAY]\" first"));
    }
    const std::uint64_t current = _manifest.in_force.generation;
    if (generation && *generation <= current) {
        return tl::unexpected("generation " + std::to_string(*generation) + " is not greater than the one in force, " +
                              std::to_string(current) + "; leave the number out to have the next");
    }
    if (_prepared->base_in_force && _prepared->base.table != _in_force->base.table) {
        return tl::unexpected(std::string("the base in force changed since this was prepared; prepare it again"));
    }
    auto done = put_in_force(std::move(*_prepared), generation.value_or(current + 1));
    _prepared.reset();
    return done;
}

result<table_pair> table_holder::rollback(std::uint64_t back) {
    if (back == 0 || back > _manifest.kept.size()) {
        return tl::unexpected(_manifest.kept.empty()
                                  ? std::string("no pair is kept for rollback")
                                  : "there are " + std::to_string(_manifest.kept.size()) +
                                        " pairs kept for rollback (\"show table\" lists them), not " +
                                        std::to_string(back));
    }
    const table_pair wanted = _manifest.kept[static_cast<std::size_t>(back) - 1];
    auto loaded = load_pair(wanted.base, wanted.overlay);
    if (!loaded) {
        return tl::unexpected("cannot roll back to " + describe(wanted) + ": " + loaded.error());
    }
    return put_in_force(std::move(*loaded), _manifest.in_force.generation + 1);
}

result<table_pair> table_holder::put_in_force(loaded_pair pair, std::uint64_t generation) {
    const table_pair entry{generation, pair.base.name, pair.overlay ? pair.overlay->name : std::string()};
    manifest next = _manifest.after(entry);
    if (auto written = write_manifest(_state_fd, next); !written) {
        return tl::unexpected(written.error() + "; the table in force stays");
    }
    _manifest = std::move(next);
    publish(std::move(pair), generation);
    // Only a power cut tells this from the manifest's own rename, so the shards need not wait for it; whoever asked for
    // the commit does.
    if (auto synced = sync_manifest(_state_fd); !synced) {
        return tl::unexpected(synced.error() + "; generation " + std::to_string(generation) +
                              " is in force, but may be lost in a power cut");
    }
    return entry;
}

void table_holder::publish(loaded_pair pair, std::uint64_t generation) {
    auto numbered = std::make_unique<recipients::snapshot>(*pair.snapshot);
    numbered->generation = generation;
    pair.snapshot = std::move(numbered);
    pair.base_in_force = false;
    const pair_facts facts = pair.facts();

    _published.store(pair.snapshot.get(), std::memory_order_release);
    // Shards may decide from the old snapshot until each has passed a quiescent state; only then is it freed.
    const std::optional<loaded_pair> old = std::exchange(_in_force, std::move(pair));
    _wait_for_shards();
    _counts.generation.store(generation, std::memory_order_relaxed);
    _counts.addresses.store(facts.addresses(), std::memory_order_relaxed);
    _counts.commits.fetch_add(1, std::memory_order_relaxed);
    // Live edits come many a second; a new base is an event.
    const bool new_base = !old || old->base.table != _in_force->base.table;
    process::log(new_base ? level::info : level::debug, "table_in_force",
                 {{"generation", generation},
                  {"base", facts.base.name},
                  {"overlay", facts.overlay ? facts.overlay->name : std::string()},
                  {"addresses", facts.addresses()},
                  {"domains", facts.overlay && facts.overlay->facts.has_domains ? facts.overlay->facts.domains
                                                                                : facts.base.facts.domains}});
}

std::optional<pair_facts> table_holder::facts() const {
    return _in_force ? std::optional(_in_force->facts()) : std::nullopt;
}

std::optional<pair_facts> table_holder::prepared_facts() const {
    return _prepared ? std::optional(_prepared->facts()) : std::nullopt;
}

}  // namespace postern::edge
