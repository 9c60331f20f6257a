// What the service does with pushed lists: a list becomes a run, and its file the run's.
#include <fcntl.h>
#include <stdlib.h>  // NOLINT: mkostemp
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "board/process/files.h"
#include "board/process/log.h"
#include "control/directory/connection.h"
#include "control/directory/scope.h"
#include "control/sources/push/lines.h"
#include "control/sync/files.h"
#include "control/sync/push_rows.h"
#include "control/sync/run_rows.h"
#include "control/sync/service_body.h"

namespace postern::sync {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds writer_patience{25'000};
constexpr std::size_t flush_at = 256U << 10U;

tl::unexpected<push_refusal> refuse(const directory::error& why) {
    using reason = enum push_refusal::reason;
    push_refusal out{reason::failed, why.text, {}};
    switch (why.kind) {
        case directory::error_kind::invalid:
            out.why = reason::invalid;
            break;
        case directory::error_kind::not_found:
            out.why = reason::not_found;
            break;
        case directory::error_kind::conflict:
        case directory::error_kind::refused:
            out.why = reason::at_work;
            out.retry_after = std::chrono::seconds(5);
            break;
        case directory::error_kind::busy:
            out.retry_after = std::chrono::seconds(5);
            break;
        case directory::error_kind::failed:
            break;
    }
    return tl::unexpected(std::move(out));
}
tl::unexpected<push_refusal> refuse(std::string text) {
    return tl::unexpected(push_refusal{push_refusal::reason::failed, std::move(text), {}});
}

/// Durable under its new name once the folder is; the transaction that names the run comes after it.
process::result<void> take_file(const std::string& folder, const std::string& path, std::uint64_t run) {
    const process::descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file || ::fsync(file.get()) != 0) {
        return tl::unexpected(process::errno_text("keep", path, errno));
    }
    const std::string to = push_path(folder, run);
    if (std::rename(path.c_str(), to.c_str()) != 0) {
        return tl::unexpected(process::errno_text("rename to " + to, path, errno));
    }
    const process::descriptor in(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!in) {
        return tl::unexpected(process::errno_text("open", folder, errno));
    }
    return process::sync_folder(in.get(), folder);
}

/// A file of lines that goes away unless it was taken.
class list_file {
public:
    list_file() = default;
    list_file(const list_file&) = delete;
    list_file& operator=(const list_file&) = delete;
    ~list_file() {
        if (!path.empty()) {
            ::unlink(path.c_str());
        }
    }
    process::result<void> write_all(const std::string& folder, const std::vector<sources::directory_entry>& people) {
        std::string name = push_template(folder);
        const process::descriptor file(::mkostemp(name.data(), O_CLOEXEC));
        if (!file) {
            return tl::unexpected(process::errno_text("create a file in", folder, errno));
        }
        path = std::move(name);
        std::string part;
        for (const sources::directory_entry& each : people) {
            part += sources::push::to_line(each);
            if (part.size() >= flush_at) {
                if (auto done = write(file.get(), part); !done) {
                    return done;
                }
                part.clear();
            }
        }
        part += sources::push::end_line(people.size());
        return write(file.get(), part);
    }

    std::string path;

private:
    process::result<void> write(int file, std::string_view octets) const {
        while (!octets.empty()) {
            const ssize_t n = ::write(file, octets.data(), octets.size());
            if (n < 0 && errno != EINTR) {
                return tl::unexpected(process::errno_text("write", path, errno));
            }
            octets.remove_prefix(n < 0 ? 0 : static_cast<std::size_t>(n));
        }
        return {};
    }
};

directory::result<directory_source> need_push_source(directory::writer& in, const environment& with,
                                                     const people_push& what) {
    directory::scope within;
    within.reach = directory::reach::organisation;
    within.organisation = what.organisation;
    within.organisations = {what.organisation};
    auto found = find_source(in, std::string_view(what.source), within);
    if (found || found.error().kind != directory::error_kind::not_found) {
        return found;
    }
    new_source made;
    made.organisation = what.organisation;
    made.name = what.source;
    made.set.settings = to_json(push_settings{what.domains});
    return add_source(in, with, made);
}

}  // namespace

tl::expected<taken_push, push_refusal> service::take_push(directory::writer& in, const push_order& what) const {
    const auto source = find_source(in, what.source);
    if (!source) {
        return refuse(source.error());
    }
    if (source->type != push_type_name) {
        return tl::unexpected(push_refusal{push_refusal::reason::not_found,
                                           source->name + " is not a push source: its directory is read, nothing is "
                                                          "pushed to it",
                                           {}});
    }
    taken_push out;
    if (auto no = refuse_push(in, *source, what, in.now(), out)) {
        return tl::unexpected(*std::move(no));
    }
    if (out.again) {
        return out;
    }
    const auto run = insert_run(in, what.source, what.dry);
    if (!run) {
        return refuse(run.error());
    }
    out.run = *run;
    in.on().run("INSERT INTO push_run(run, whole, sequence) VALUES (?, ?, ?)", out.run, what.whole,
                what.dry ? 0 : out.sequence);
    if (!what.dry) {
        in.on().run(
            "INSERT INTO push_source(source, run, whole, sequence, digest) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (source) DO UPDATE SET run = excluded.run, whole = excluded.whole, sequence ="
            " excluded.sequence, digest = excluded.digest",
            what.source, out.run, what.whole, out.sequence, what.digest);
    }
    if (in.on().failed()) {
        return refuse(in.on().failure());
    }
    if (auto kept = take_file(_body->options.folder, what.path, out.run); !kept) {
        return refuse(kept.error());
    }
    process::log(process::level::info, "push_taken",
                 {{"source", source->name},
                  {"run", out.run},
                  {"sequence", out.sequence},
                  {"whole", what.whole},
                  {"dry", what.dry},
                  {"by", in.by().who}});
    return out;
}

tl::expected<sync_run, push_refusal> service::push_people(const people_push& what, const directory::actor& by) {
    list_file file;
    if (auto done = file.write_all(_body->options.folder, what.people); !done) {
        return refuse(done.error());
    }
    // As an API's caller would have it: what can't be taken is said with its line.
    const auto good = sources::push::read_file_lines(file.path, [](sources::push::line&&) { return true; });
    if (!good) {
        return tl::unexpected(push_refusal{push_refusal::reason::invalid,
                                           "entry " + std::to_string(good.error().line) + ": " + good.error().text,
                                           {}});
    }
    taken_push taken;
    {
        auto in = _body->store.write(by, writer_patience);
        if (!in) {
            return refuse(in.error());
        }
        const auto source = need_push_source(*in, _body->environs, what);
        if (!source) {
            return refuse(source.error());
        }
        push_order order;
        order.source = source->id;
        order.dry = what.dry;
        order.path = file.path;
        auto done = take_push(*in, order);
        if (!done) {
            return tl::unexpected(std::move(done.error()));
        }
        taken = *done;
        if (auto kept = in->commit(); !kept) {
            return refuse(kept.error());
        }
        file.path.clear();
    }
    begin(taken.run);
    wait_for_end(taken.run, what.patience);
    const auto in = _body->store.read();
    if (!in) {
        return refuse(in.error());
    }
    auto run = find_run(*in, taken.run);
    if (!run) {
        return refuse(run.error());
    }
    return *std::move(run);
}

bool service::wait_for_end(std::uint64_t run, milliseconds patience) const {
    std::unique_lock hold(_body->mutex);
    const auto is_over = [&] {
        return !_body->active.contains(run) && std::ranges::find(_body->queue, run) == _body->queue.end();
    };
    _body->changed.wait_for(hold, patience, [&] { return _body->stop || is_over(); });
    return is_over();
}

}  // namespace postern::sync
