#include "control/api/import_jobs.h"

#include <fcntl.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "board/process/files.h"
#include "board/process/log.h"
#include "control/api/encode.h"
#include "control/api/import_files.h"
#include "control/api/import_record.h"
#include "control/sync/guard.h"

namespace postern::api {

struct import_jobs::state {
    struct held : import_record {
        bool cancel = false;
    };
    struct known_key {
        std::string digest;
        std::string id;
    };

    directory::store& store;
    import_files files;
    sync::guard_limits limits;
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::string> queue;
    std::map<std::string, held> jobs;
    std::deque<std::string> order;  ///< oldest first
    std::map<std::string, known_key> keys;
    directory::timestamp newest = 0;  ///< when the last one was added: no two at once, so that their order is kept
    bool stopping = false;
    std::thread thread;

    state(directory::store& in, import_files where, const sync::guard_limits& within)
        : store(in), files(std::move(where)), limits(within) {}

    bool enqueue(held& of, const directory::actor& by, std::optional<std::uint64_t> approved);
    void take_over(import_record of);
    void work();
    void run(const std::string& id, bool apply);
    void finish(held& of, import_state as);
    void forget(const std::string& id);
    void make_room();
    void supersede(const std::string& id, const import_job& by);
    static bool over(const import_job& of);
};

bool import_jobs::state::over(const import_job& of) {
    return of.state == import_state::applied || of.state == import_state::refused ||
           of.state == import_state::cancelled || of.state == import_state::failed;
}

void import_jobs::state::finish(held& of, import_state as) {
    of.job.state = as;
    of.job.finished = store.now();
    if (over(of.job)) {
        files.drop(of.job.id);
    }
}

void import_jobs::state::forget(const std::string& id) {
    files.drop(id);
    jobs.erase(id);
    order.erase(std::find(order.begin(), order.end(), id));
    std::erase_if(keys, [&](const auto& each) { return each.second.id == id; });
}

/// To be applied, on disk and then here. False: it could not be kept, and is as it was.
bool import_jobs::state::enqueue(held& of, const directory::actor& by, std::optional<std::uint64_t> approved) {
    import_record wanted = of;
    wanted.by = by;
    wanted.job.approved = approved;
    wanted.job.state = import_state::queued;
    if (!files.keep(wanted)) {
        return false;
    }
    static_cast<import_record&>(of) = std::move(wanted);
    queue.push_back(of.job.id);
    changed.notify_all();
    return true;
}

/// The oldest that are over go first; then, over the number of kept files, the oldest that waits for a person.
void import_jobs::state::make_room() {
    const auto oldest = [&](auto wanted) -> std::string {
        const auto found =
            std::find_if(order.begin(), order.end(), [&](const std::string& id) { return wanted(jobs.at(id)); });
        return found == order.end() ? std::string() : *found;
    };
    while (jobs.size() >= max_jobs) {
        const std::string id = oldest([](const held& of) { return over(of.job); });
        if (id.empty()) {
            break;
        }
        forget(id);
    }
    const auto waits = [](const held& of) {
        return of.job.state == import_state::previewed || of.job.state == import_state::held;
    };
    while (std::count_if(jobs.begin(), jobs.end(), [&](const auto& each) { return waits(each.second); }) >=
           static_cast<std::ptrdiff_t>(max_kept_files)) {
        held& of = jobs.at(oldest(waits));
        of.job.error = "given up: newer previews were waiting; import the file again";
        finish(of, import_state::cancelled);
    }
}

/// A newer list of the source's makes removals that an older one waits with void.
void import_jobs::state::supersede(const std::string& id, const import_job& by) {
    for (auto& [each, of] : jobs) {
        if (each != id && of.job.state == import_state::held && of.job.report &&
            of.job.report->source == by.report->source && of.job.options.organisation == by.options.organisation) {
            of.job.error = "a newer list of " + by.report->source + " was imported; its removals were not done";
            finish(of, import_state::cancelled);
        }
    }
}

namespace {

/// The guard of syncs over a replacement by a file.
sources::replacement_verdict judge(const sync::guard_limits& limits, const import_job& job,
                                   const sources::replacement& what) {
    using end = enum sources::replacement_verdict::end;
    if (what.staged == 0 && what.asserted != 0) {
        return {end::refuse,
                "the file has no usable address, where the source had " + std::to_string(what.asserted) +
                    "; nothing was changed",
                false};
    }
    sync::guard_numbers numbers;
    numbers.staged = what.staged;
    numbers.asserted = what.asserted;
    numbers.added = what.added;
    numbers.removed = what.removed;
    numbers.removed_earlier = what.removed_earlier;
    numbers.oldest = what.oldest;
    numbers.approved = job.confirmed == what.removed || (job.approved && what.removed <= *job.approved);
    const sync::guard_verdict said = sync::judge(limits, numbers);
    return {said.removals ? end::pass : said.additions ? end::hold : end::refuse, said.text, numbers.approved};
}

sources::import_progress all_of(const import_job& job) {
    return {sources::import_progress::stage::done, job.size, job.report->rows};
}

}  // namespace

void import_jobs::state::run(const std::string& id, bool apply) {
    const std::string path = files.file_of(id);
    sources::import_options options;
    directory::actor by;
    {
        const std::lock_guard lock(mutex);
        const auto found = jobs.find(id);
        if (found == jobs.end()) {
            return;
        }
        held& of = found->second;
        if (of.cancel) {
            finish(of, import_state::cancelled);
            return;
        }
        of.job.state = apply ? import_state::applying : import_state::reading;
        of.job.progress = {};
        ++of.begun;
        if (!files.keep(of)) {
            of.job.error = "it could not be kept in " + files.folder() + "; nothing was changed";
            finish(of, import_state::failed);
            return;
        }
        options = of.job.options;
        options.guard = [this, job = of.job](const sources::replacement& what) { return judge(limits, job, what); };
        by = of.by;
    }
    const auto progress = [&](const sources::import_progress& now) {
        const std::lock_guard lock(mutex);
        const auto found = jobs.find(id);
        if (found == jobs.end()) {
            return false;
        }
        found->second.job.progress = now;
        return !found->second.cancel && !stopping;
    };
    const process::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    directory::result<sources::import_report> done =
        file ? (apply
                    ? sources::apply_csv(store, sources::from_descriptor(file.get(), "the file"), options, by, progress)
                    : sources::preview_csv(store, sources::from_descriptor(file.get(), "the file"), options, progress))
             : directory::fail(directory::error_kind::failed, process::errno_text("open", path, errno));

    const std::lock_guard lock(mutex);
    const auto found = jobs.find(id);
    if (found == jobs.end()) {
        return;
    }
    held& of = found->second;
    if (!done && stopping && !of.cancel) {
        --of.begun;
        files.keep(of);  // else the next process takes it for one more that ended in the middle
        return;
    }
    of.begun = 0;
    if (!done) {
        of.job.error = done.error().text;
        finish(of, of.cancel ? import_state::cancelled : import_state::failed);
        process::log(process::level::warn, "import_failed", {{"import", id}, {"error", of.job.error}});
        return;
    }
    of.job.report = std::move(*done);
    of.job.progress = all_of(of.job);
    if (apply) {
        const bool waits = of.job.report->applied && of.job.report->held != 0;
        if (of.job.report->refused_by_guard) {
            of.job.error = of.job.report->guard;
        }
        finish(of, waits ? import_state::held : of.job.report->applied ? import_state::applied : import_state::refused);
        if (waits) {
            files.keep(of);  // else the next process applies it again, which changes nothing and is held again
        }
        if (of.job.report->applied) {
            supersede(id, of.job);
        }
        process::log(process::level::info, "import_finished",
                     {{"import", id},
                      {"state", to_string(of.job.state)},
                      {"rows", of.job.report->rows},
                      {"created", of.job.report->created},
                      {"updated", of.job.report->updated},
                      {"withdrawn", of.job.report->withdrawn},
                      {"held", of.job.report->held},
                      {"invalid", of.job.report->invalid}});
    } else if (of.cancel) {
        finish(of, import_state::cancelled);
    } else {
        of.job.state = import_state::previewed;
        files.keep(of);
    }
}

/// Goes on with what an earlier process left.
void import_jobs::state::take_over(import_record of) {
    const std::string id = of.job.id;
    if (!of.idempotency.empty()) {
        keys[of.idempotency] = {of.digest, id};
    }
    newest = std::max(newest, of.job.created);
    order.push_back(id);
    held& mine = jobs.emplace(id, held{std::move(of)}).first->second;
    if (mine.job.state == import_state::held && mine.job.report) {
        mine.job.progress = all_of(mine.job);
        return;
    }
    if (mine.begun >= max_begun) {
        mine.job.error = "postern-control ended " + std::to_string(mine.begun) +
                         " times while it was at work on it; it was given up. Its log says why it ended";
        finish(mine, import_state::failed);
        return;
    }
    const bool apply = mine.job.state == import_state::queued || mine.job.state == import_state::applying ||
                       mine.job.state == import_state::held;
    mine.job.state = apply ? import_state::queued : import_state::waiting;
    queue.push_back(id);
    process::log(process::level::info, "import_resumed", {{"import", id}, {"state", to_string(mine.job.state)}});
}

void import_jobs::state::work() {
    while (true) {
        std::string id;
        bool apply = false;
        {
            std::unique_lock lock(mutex);
            changed.wait(lock, [this] { return stopping || !queue.empty(); });
            if (stopping) {
                return;
            }
            id = std::move(queue.front());
            queue.pop_front();
            const auto found = jobs.find(id);
            if (found == jobs.end()) {
                continue;
            }
            apply = found->second.job.state == import_state::queued;
        }
        run(id, apply);
    }
}

tl::expected<std::unique_ptr<import_jobs>, std::string> import_jobs::open(directory::store& store,
                                                                          const std::string& folder,
                                                                          const sync::guard_limits& limits) {
    auto files = import_files::open(folder);
    if (!files) {
        return tl::unexpected(files.error());
    }
    auto made = std::make_unique<state>(store, std::move(*files), limits);
    for (import_record& each : made->files.recover()) {
        made->take_over(std::move(each));
    }
    state* const raw = made.get();
    made->thread = std::thread([raw] { raw->work(); });
    return std::unique_ptr<import_jobs>(new import_jobs(std::move(made)));
}

import_jobs::import_jobs(std::unique_ptr<state> made) : _state(std::move(made)) {}

import_jobs::~import_jobs() {
    {
        const std::lock_guard lock(_state->mutex);
        _state->stopping = true;
        _state->changed.notify_all();
    }
    _state->thread.join();
}

const std::string& import_jobs::folder() const noexcept {
    return _state->files.folder();
}

tl::expected<std::string, import_jobs::add_error> import_jobs::add(submission given) {
    given.idempotency = given.idempotency.empty() ? std::string() : sha256(given.idempotency);
    // Before the lock: it may take a while.
    if (auto on_disk = process::sync_file(given.path); !on_disk) {
        process::log(process::level::error, "import_not_kept", {{"error", on_disk.error()}});
        return tl::unexpected(add_error::failed);
    }
    const std::lock_guard lock(_state->mutex);
    if (!given.idempotency.empty()) {
        const auto known = _state->keys.find(given.idempotency);
        if (known != _state->keys.end()) {
            if (known->second.digest != given.digest) {
                return tl::unexpected(add_error::other_request);
            }
            return known->second.id;
        }
    }
    _state->make_room();
    if (_state->jobs.size() >= max_jobs) {
        return tl::unexpected(add_error::too_many);
    }
    const std::string id = hex(random_octets(8));
    if (auto kept = _state->files.take(given.path, id); !kept) {
        process::log(process::level::error, "import_not_kept", {{"import", id}, {"error", kept.error()}});
        return tl::unexpected(add_error::failed);
    }
    state::held of;
    of.by = given.by;
    of.idempotency = std::move(given.idempotency);
    of.digest = std::move(given.digest);
    of.job.id = id;
    of.job.file_name = std::move(given.file_name);
    of.job.options = std::move(given.options);
    of.job.confirmed = given.confirmed;
    of.job.apply_at_once = given.apply_at_once;
    of.job.state = given.apply_at_once ? import_state::queued : import_state::waiting;
    of.job.by = given.by.who;
    of.job.created = std::max(_state->store.now(), _state->newest + 1);
    std::error_code error;
    of.job.size = std::filesystem::file_size(_state->files.file_of(id), error);
    if (!_state->files.keep(of)) {
        _state->files.drop(id);
        return tl::unexpected(add_error::failed);
    }
    _state->newest = of.job.created;
    if (!of.idempotency.empty()) {
        _state->keys[of.idempotency] = {of.digest, id};
    }
    _state->jobs.emplace(id, std::move(of));
    _state->order.push_back(id);
    _state->queue.push_back(id);
    _state->changed.notify_all();
    return id;
}

std::optional<import_job> import_jobs::find(const std::string& id) const {
    const std::lock_guard lock(_state->mutex);
    const auto found = _state->jobs.find(id);
    return found == _state->jobs.end() ? std::nullopt : std::optional<import_job>(found->second.job);
}

std::vector<import_job> import_jobs::list() const {
    const std::lock_guard lock(_state->mutex);
    std::vector<import_job> out;
    for (auto id = _state->order.rbegin(); id != _state->order.rend(); ++id) {
        out.push_back(_state->jobs.at(*id).job);
    }
    return out;
}

import_jobs::apply_answer import_jobs::apply(const std::string& id, const directory::actor& by) {
    const std::lock_guard lock(_state->mutex);
    const auto found = _state->jobs.find(id);
    if (found == _state->jobs.end()) {
        return apply_answer::gone;
    }
    state::held& of = found->second;
    switch (of.job.state) {
        case import_state::queued:
        case import_state::applying:
        case import_state::applied:
            return apply_answer::already;
        case import_state::previewed:
            return _state->enqueue(of, by, std::nullopt) ? apply_answer::queued : apply_answer::failed;
        case import_state::waiting:
        case import_state::reading:
        case import_state::held:
        case import_state::refused:
        case import_state::cancelled:
        case import_state::failed:
            return apply_answer::not_previewed;
    }
    return apply_answer::not_previewed;
}

import_jobs::approve_answer import_jobs::approve(const std::string& id, const directory::actor& by) {
    const std::lock_guard lock(_state->mutex);
    const auto found = _state->jobs.find(id);
    if (found == _state->jobs.end()) {
        return approve_answer::gone;
    }
    state::held& of = found->second;
    if (of.job.state != import_state::held) {
        return approve_answer::not_held;
    }
    return _state->enqueue(of, by, of.job.report->held) ? approve_answer::queued : approve_answer::failed;
}

bool import_jobs::remove(const std::string& id) {
    const std::lock_guard lock(_state->mutex);
    const auto found = _state->jobs.find(id);
    if (found == _state->jobs.end()) {
        return false;
    }
    state::held& of = found->second;
    if (state::over(of.job)) {
        _state->forget(id);
    } else if (of.job.state == import_state::previewed || of.job.state == import_state::held) {
        of.job.error = of.job.state == import_state::held ? "the removals were discarded" : "";
        _state->finish(of, import_state::cancelled);
    } else {
        of.cancel = true;
        _state->files.forget(id);
    }
    return true;
}

}  // namespace postern::api
