// What happens by the clock, or because a directory told of a change: syncs that are due, graces that end, sources that
// have become too old.
#include "board/process/log.h"
#include "control/directory/bulk.h"
#include "control/directory/connection.h"
#include "control/sync/freshness.h"
#include "control/sync/run_rows.h"
#include "control/sync/service_body.h"
#include "control/sync/source_rows.h"

namespace postern::sync {

namespace {

using directory::statement;
using std::chrono::milliseconds;

constexpr milliseconds tick_every{1'000};
constexpr milliseconds short_patience{1'000};

}  // namespace

void service::body::run_schedule() {
    std::unique_lock hold(mutex);
    while (!stop) {
        look = false;
        hold.unlock();
        tick();
        followed.look();
        hold.lock();
        changed.wait_for(hold, tick_every, [&] { return stop || look; });
    }
}

void service::body::tick() {
    begin_due();
    end_graces();
    look_at_freshness();
}

/// A sync of a source whose directory told of a change.
bool service::body::begin_heard(std::uint32_t source) {
    auto in = store.write({"system", "the directory told of a change"}, short_patience);
    if (!in) {
        return false;
    }
    const auto run = insert_run(*in, source, false);
    if (!run || !in->commit()) {
        return false;
    }
    put(*run);
    return true;
}

void service::body::begin_due() {
    std::vector<std::uint32_t> due;
    {
        const auto in = store.read();
        if (!in) {
            return;
        }
        statement rows = in->on().query(
            "SELECT y.source FROM sync_source y WHERE y.enabled AND y.type <> 'push' AND y.next_run <= ? AND NOT EXISTS"
            " (SELECT 1 FROM sync_run r WHERE r.source = y.source AND r.state <= 3) ORDER BY y.next_run LIMIT 100",
            store.now());
        while (rows.step()) {
            due.push_back(rows.as<std::uint32_t>(0));
        }
    }
    for (const std::uint32_t source : due) {
        auto in = store.write({"system", "the schedule"}, short_patience);
        if (!in) {
            return;  // an import holds the store: at the next turn
        }
        const auto run = insert_run(*in, source, false);
        if (run && in->commit()) {
            put(*run);
        }
    }
}

void service::body::end_graces() {
    {
        const auto in = store.read();
        if (!in || !in->on()
                        .query("SELECT 1 FROM address WHERE grace_until <> 0 AND grace_until <= ? LIMIT 1", store.now())
                        .step()) {
            return;
        }
    }
    auto in = store.write({"system", "the end of the grace"}, short_patience);
    if (!in) {
        return;
    }
    const auto ended = directory::end_graces(*in);
    const auto done = ended ? in->commit() : tl::unexpected(ended.error());
    if (!done) {
        process::log(process::level::error, "grace_end_failed", {{"error", done.error().text}});
    } else if (*ended != 0) {
        process::log(process::level::info, "grace_ended", {{"addresses", *ended}});
    }
}

void service::body::look_at_freshness() {
    {
        const auto in = store.read();
        const auto due = in ? freshness_due(*in, store.now()) : tl::unexpected(in.error());
        if (!due || !*due) {
            return;
        }
    }
    auto in = store.write({"system", "the freshness limit of a source"}, short_patience);
    if (!in) {
        return;
    }
    const auto found = check_freshness(*in);
    const auto done = found ? in->commit() : tl::unexpected(found.error());
    if (!done) {
        process::log(process::level::error, "freshness_failed", {{"error", done.error().text}});
        return;
    }
    for (const freshness_change& each : *found) {
        const auto reader = store.read();
        const auto source = reader ? find_source(*reader, each.source) : tl::unexpected(reader.error());
        if (!source) {
            continue;
        }
        std::string domains;
        for (const std::string& name : each.domains) {
            domains += (domains.empty() ? "" : ", ") + name;
        }
        const std::string event = each.out_of_date ? "source_out_of_date" : "source_up_to_date";
        process::log(each.out_of_date ? process::level::warn : process::level::info, event,
                     {{"source", source->name}, {"last_good", source->state.last_good}, {"domains", domains}});
        if (!source->set.notify.trouble) {
            continue;
        }
        std::string text = each.out_of_date ? "no complete sync within the freshness limit" : "complete syncs again";
        if (!domains.empty()) {
            text += "; now in " + std::string(each.out_of_date ? "defer" : "enforce") + ": " + domains;
        }
        tell.tell({event, source->name, source->organisation, 0, text, {}, store.now()}, source->set.notify,
                  open_secret(*reader, environs, source->id, "webhook_secret").value_or(""));
    }
}

}  // namespace postern::sync
