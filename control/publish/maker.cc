#include "control/publish/maker.h"

#include <algorithm>
#include <filesystem>

#include "board/process/log.h"
#include "control/directory/changes.h"
#include "control/directory/domains.h"
#include "control/publish/generation_files.h"
#include "smtp/recipients/builder.h"
#include "smtp/recipients/overlay_base.h"

namespace postern::publish {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t numbers_at_once = 256;  // reserved in one transaction; lost at a crash, which is no harm
constexpr std::size_t most_unrecorded = 256;    // generations written down together
constexpr std::size_t forgotten_at_once =
    5'000;                          // feed rows deleted in one transaction, so that writers get in between
constexpr milliseconds quiet{100};  // without a change for so long, it is time to tidy
constexpr milliseconds patient{2'000};
constexpr milliseconds edges_wait{20};  // at most this long a next generation waits for edges to take the last
constexpr milliseconds longest_retry{5'000};
constexpr std::chrono::seconds distrust_pause{60};  // between bases built because an edge refused one

template <class T>
tl::unexpected<std::string> text_of(const directory::result<T>& failed) {
    return tl::unexpected(failed.error().text);
}

const directory::actor self{"postern-control", "publish"};

}  // namespace

directory::result<void> maker::resume() {
    const auto in = _store.read();
    if (!in) {
        return tl::unexpected(in.error());
    }
    const auto last_seq = directory::last_change(*in);
    auto last = directory::last_generation(*in);
    if (!last_seq || !last) {
        return tl::unexpected(last_seq ? last.error() : last_seq.error());
    }
    const std::lock_guard hold(_with.mutex);
    _with.told = *last_seq;
    if (!*last) {
        return {};
    }
    const auto file = recipients::overlay_base::open(path_of((*last)->base));
    if (!file) {
        process::log(process::level::warn, "base_missing", {{"file", (*last)->base}, {"error", file.error()}});
        _last.number = (*last)->number;
        return {};
    }
    std::error_code ignored;
    _last = **last;
    _base.file = _last.base;
    _base.number = number_of(_last.base);
    _base.seq = _last.base_seq;
    _base.addresses = file->header().addresses;
    _base_recorded = true;
    _feed_to_forget = true;
    _changes.start_from(_base.seq);
    const bool whole = _last.overlay.empty() || std::filesystem::is_regular_file(path_of(_last.overlay), ignored);
    if (whole) {
        // The edges are likely to have this pair already; what changed since comes as the next one.
        _with.aim = target{_last.number, _last.base, _last.overlay, _last.seq};
        _with.made = _last.seq;
        _with.facts.generation = _last.number;
        _with.facts.base = _last.base;
        _with.facts.overlay = _last.overlay;
        _with.facts.addresses = _last.addresses;
    }
    return {};
}

void maker::run() {
    // What was left unfinished is found by looking, not remembered.
    while (!_with.stop.load()) {
        _last_start = steady_clock::now();
        const outcome done = step();
        if (_with.stop.load()) {
            break;
        }
        {
            const std::lock_guard hold(_with.mutex);
            if (!done && _with.facts.error != done.error()) {
                process::log(process::level::error, "publish_failed", {{"error", done.error()}});
            }
            _with.facts.error = done ? std::string() : done.error();
            _with.facts.building = _building.running();
            _with.facts.overlay_size = _changes.size();
        }
        if (!done) {
            _retry = std::clamp(_retry * 2, milliseconds(100), longest_retry);
            std::unique_lock hold(_with.mutex);
            _with.changed.wait_for(hold, _retry, [&] { return _with.stop.load(); });
            continue;
        }
        _retry = {};
        if (!wait_for_work() || _unrecorded.size() >= most_unrecorded) {
            const outcome tidied = tidy();
            // What can't be done yet (an edge is away) is not asked for ten times a second.
            _tidy_pause = _feed_to_forget ? quiet : patient;
            if (!tidied && !_with.stop.load()) {
                process::log(process::level::warn, "tidy_failed", {{"error", tidied.error()}});
            }
        }
    }
    _building.cancel();
}

/// False: nothing to publish came up while it was quiet, and there is something to tidy.
bool maker::wait_for_work() {
    std::unique_lock hold(_with.mutex);
    const auto work = [&] {
        return _with.stop.load() || _with.told > _changes.seq() || _building.finished() || _with.distrust_base ||
               (_with.aim && _with.floor > _with.aim->number);
    };
    if (!tidy_due()) {
        _with.changed.wait(hold, work);
    } else if (!_with.changed.wait_for(hold, _tidy_pause, work)) {
        return false;
    }
    _tidy_pause = quiet;
    // A burst becomes one generation: the next starts no sooner than `coalesce` after the last one started.
    _with.changed.wait_until(hold, _last_start + std::min(_with.options.coalesce, milliseconds(20)),
                             [&] { return _with.stop.load(); });
    return true;
}

maker::outcome maker::step() {
    if (_building.finished()) {
        if (auto adopted = adopt_base(); !adopted) {
            return adopted;
        }
    }
    const auto in = _store.read();
    if (!in) {
        return text_of(in);
    }
    if (auto absorbed = _changes.absorb(*in); !absorbed) {
        return text_of(absorbed);
    }
    if (_with.crash_at("absorbed")) {
        return {};
    }
    bool renumber = false;
    {
        const std::lock_guard hold(_with.mutex);
        renumber = _with.aim && _with.floor > _with.aim->number;
        if (_with.distrust_base) {
            _with.distrust_base = false;
            const auto now = steady_clock::now();
            if (_last_distrust == steady_clock::time_point() || now - _last_distrust > distrust_pause) {
                _last_distrust = now;
                _renew_base = true;
            }
        }
    }
    if (!has_base() && _last.number == 0) {
        const auto domains = directory::count_domains(*in, {});
        if (!domains) {
            return text_of(domains);
        }
        // Before the first domain an edge is better off without a table: it answers 451, not 550.
        const std::lock_guard hold(_with.mutex);
        if (*domains == 0) {
            _with.nothing_until = _changes.seq();
            _with.changed.notify_all();
            return {};
        }
    }
    const bool too_big = _changes.size() > _with.options.overlay_limit;
    if ((!has_base() || _changes.needs_base() || too_big || _renew_base) && !_building.running()) {
        if (auto started = start_base(); !started) {
            return started;
        }
    }
    if (!has_base()) {
        return {};  // when it is built
    }
    if (_changes.needs_base()) {
        // The next base is being built. One that was built just now goes out as it is, so that a row of imports does
        // not hold up each other.
        return _last.base == _base.file ? outcome() : publish_base();
    }
    const bool news = _changes.seq() > _last.seq || _last.base != _base.file || renumber;
    {
        const std::lock_guard hold(_with.mutex);
        if (!news && _with.aim) {
            return {};
        }
    }
    return publish_changes(*in);
}

maker::outcome maker::start_base() {
    const auto number = next_number();
    if (!number) {
        return tl::unexpected(number.error());
    }
    _renew_base = false;
    _building.start(_store, _with.options.tables, *number, [this] {
        const std::lock_guard hold(_with.mutex);
        _with.changed.notify_all();
    });
    return {};
}

maker::outcome maker::adopt_base() {
    auto built = _building.take();
    if (!built) {
        return tl::unexpected(built.error());
    }
    if (_with.crash_at("base_written")) {
        return {};
    }
    process::log(process::level::info, "base_built",
                 {{"file", built->file}, {"addresses", built->addresses}, {"domains", built->domains}});
    _base = std::move(*built);
    _base_recorded = false;
    _changes.start_from(_base.seq);
    const std::lock_guard hold(_with.mutex);
    ++_with.facts.bases_built;
    return {};
}

maker::outcome maker::publish_base() {
    const auto number = next_number();
    if (!number) {
        return tl::unexpected(number.error());
    }
    directory::generation made;
    made.number = *number;
    made.base = _base.file;
    made.base_seq = _base.seq;
    made.seq = _base.seq;
    made.addresses = _base.addresses;
    return set_target(std::move(made));
}

maker::outcome maker::publish_changes(const directory::reader& in) {
    const auto number = next_number();
    if (!number) {
        return tl::unexpected(number.error());
    }
    directory::generation made;
    made.number = *number;
    made.base = _base.file;
    made.base_seq = _base.seq;
    made.seq = _changes.seq();
    made.addresses = _base.addresses + static_cast<std::uint64_t>(_changes.growth());
    if (!_changes.empty()) {
        recipients::domain_section domains;
        if (_changes.domains_changed()) {
            auto section = directory::published_domains(in);
            if (!section) {
                return text_of(section);
            }
            domains = std::move(*section);
        }
        const change_set::lists lists = _changes.make_lists();
        made.overlay = overlay_name(*number);
        const auto built =
            recipients::build_overlay(path_of(made.overlay), *number, path_of(_base.file),
                                      _changes.domains_changed() ? &domains : nullptr, lists.added, lists.removed);
        if (!built) {
            _renew_base = true;  // whatever is wrong with it, a new one is right
            return tl::unexpected(built.error());
        }
        made.added = lists.added.size();
        made.removed = lists.removed.size();
        if (_with.crash_at("overlay_written")) {
            return {};
        }
    }
    return set_target(std::move(made));
}

maker::outcome maker::set_target(directory::generation made) {
    made.made = _store.now();
    _last = made;
    _unrecorded.push_back(made);
    if (!_base_recorded) {
        // Before any edge may name it: the feed is forgotten up to what the recorded base holds, never further.
        if (auto remembered = remember(true); !remembered) {
            return remembered;
        }
        _base_recorded = true;
        _feed_to_forget = true;
        if (_with.crash_at("base_recorded")) {
            return {};
        }
    }
    {
        const std::lock_guard hold(_with.mutex);
        _with.aim = target{made.number, made.base, made.overlay, made.seq};
        _with.made = made.seq;
        _with.facts.generation = made.number;
        _with.facts.base = made.base;
        _with.facts.overlay = made.overlay;
        _with.facts.addresses = made.addresses;
        _with.facts.overlays_built += made.overlay.empty() ? 0 : 1;
        for (edge_progress& edge : _with.edges) {
            if (edge.status.state == edge_state::in_step) {
                edge.status.state = edge_state::behind;
            }
        }
        _with.changed.notify_all();
    }
    _files_to_remove = true;
    wait_for_edges();
    return {};
}

void maker::wait_for_edges() {
    std::unique_lock hold(_with.mutex);
    const auto taken = [&] {
        return _with.stop.load() || std::ranges::all_of(_with.edges, [&](const edge_progress& edge) {
                   return edge.status.state == edge_state::connecting || edge.status.state == edge_state::refused ||
                          edge.applied == _with.aim->number;
               });
    };
    _with.changed.wait_for(hold, edges_wait, taken);
    const bool in_force =
        std::ranges::any_of(_with.edges, [&](const edge_progress& edge) { return edge.status.seq >= _last.seq; });
    if (in_force && !_unrecorded.empty()) {
        _unrecorded.back().published = _store.now();
    }
}

bool maker::tidy_due() const {
    return !_unrecorded.empty() || _feed_to_forget || _files_to_remove;
}

maker::outcome maker::remember(bool everything) {
    if (_unrecorded.empty()) {
        return {};
    }
    auto in = _store.write(self);
    if (!in) {
        return text_of(in);
    }
    for (const directory::generation& next : _unrecorded) {
        if (auto recorded = directory::record_generation(*in, next); !recorded) {
            return text_of(recorded);
        }
    }
    if (auto committed = in->commit(); !committed) {
        return text_of(committed);
    }
    // The last one may still come into force: it is written once more then.
    const directory::generation last = _unrecorded.back();
    _unrecorded.clear();
    if (everything && last.published == 0) {
        _unrecorded.push_back(last);
    }
    return {};
}

maker::outcome maker::tidy() {
    {
        const std::lock_guard hold(_with.mutex);
        const bool in_force =
            std::ranges::any_of(_with.edges, [&](const edge_progress& edge) { return edge.status.seq >= _last.seq; });
        if (in_force && !_unrecorded.empty() && _unrecorded.back().published == 0) {
            _unrecorded.back().published = _store.now();
        }
    }
    if (auto remembered = remember(false); !remembered) {
        return remembered;
    }
    if (_with.crash_at("recorded")) {
        return {};
    }
    if (_feed_to_forget) {
        auto in = _store.write(self);
        if (!in) {
            return text_of(in);
        }
        const auto gone = directory::forget_changes(*in, _base.seq, forgotten_at_once);
        if (!gone) {
            return text_of(gone);
        }
        if (auto committed = in->commit(); !committed) {
            return text_of(committed);
        }
        _feed_to_forget = *gone == forgotten_at_once;
        if (_with.crash_at("forgotten")) {
            return {};
        }
    }
    if (_files_to_remove) {
        std::set<std::string> keep{_base.file, _last.base, _last.overlay};
        std::uint64_t below = 0;
        {
            const std::lock_guard hold(_with.mutex);
            if (!_with.aim) {
                _files_to_remove = false;
                return {};
            }
            below = _with.aim->number;
            for (const edge_progress& edge : _with.edges) {
                if (!edge.names_known) {
                    return {};  // it may be using any of them
                }
                keep.insert(edge.names.begin(), edge.names.end());
            }
        }
        remove_files(_with.options.tables, keep, below);
        _files_to_remove = false;
        _with.crash_at("cleaned");
    }
    return {};
}

tl::expected<std::uint64_t, std::string> maker::next_number() {
    std::uint64_t floor = 0;
    {
        const std::lock_guard hold(_with.mutex);
        floor = std::max(_with.floor, _last.number);
    }
    if (_next == 0 || _next > _reserved || _next <= floor) {
        auto in = _store.write(self);
        if (!in) {
            return text_of(in);
        }
        const auto first = directory::reserve_generations(*in, floor, numbers_at_once);
        if (!first) {
            return text_of(first);
        }
        if (auto committed = in->commit(); !committed) {
            return text_of(committed);
        }
        _next = *first;
        _reserved = *first + numbers_at_once - 1;
    }
    return _next++;
}

}  // namespace postern::publish
