#include "control/sync/followers.h"

#include <algorithm>
#include <vector>

#include "board/process/log.h"
#include "control/directory/connection.h"
#include "control/sync/source_rows.h"

namespace postern::sync {

namespace {

using directory::statement;
using std::chrono::milliseconds;
using steady = std::chrono::steady_clock;

constexpr std::size_t most_followers = 64;   // a thread and a connection each
constexpr milliseconds until_synced{1'000};  // before the first complete sync there is nothing to go on from
constexpr milliseconds until_free{500};      // while a sync of the source is at work
constexpr milliseconds first_pause{5'000};   // after a connection that ended
constexpr milliseconds longest_pause{60'000};
constexpr milliseconds unable_pause{3'600'000};  // the server can't tell changes; other settings end the wait

}  // namespace

directory::result<std::map<std::uint32_t, directory::timestamp>> followers::enabled() const {
    const auto in = _store.read();
    if (!in) {
        return tl::unexpected(in.error());
    }
    std::map<std::uint32_t, directory::timestamp> out;
    statement rows = in->on().query("SELECT source, updated, type FROM sync_source WHERE enabled ORDER BY source");
    while (rows.step()) {
        const auto type = _with.types.find(rows.text(2));
        if (type != _with.types.end() && type->second.follow) {
            out.emplace(rows.as<std::uint32_t>(0), rows.integer(1));
        }
    }
    return directory::or_failure(*in, std::move(out));
}

void followers::look() {
    const auto found = enabled();
    if (!found) {
        return;
    }
    for (auto at = _followers.begin(); at != _followers.end();) {
        const auto now = found->find(at->first);
        if (now != found->end() && now->second == at->second->settings_of) {
            ++at;
            continue;
        }
        {
            const std::lock_guard hold(_mutex);
            at->second->stop.store(true);
            _ending.notify_all();
        }
        if (at->second->thread.joinable()) {
            at->second->thread.join();
        }
        at = _followers.erase(at);
    }
    for (const auto& [source, updated] : *found) {
        if (_followers.contains(source)) {
            continue;
        }
        auto made = std::make_unique<follower>();
        made->settings_of = updated;
        const auto in = _store.read();
        const auto order = in ? order_of(*in, _with, source) : tl::unexpected(in.error());
        const auto type = order ? _with.types.find(order->name.substr(0, order->name.find(':'))) : _with.types.end();
        const auto at_work =
            std::ranges::count_if(_followers, [](const auto& each) { return each.second->thread.joinable(); });
        if (type != _with.types.end() && type->second.follows(*order)) {
            if (static_cast<std::size_t>(at_work) < most_followers) {
                made->thread = std::thread([this, source = source, as = made.get()] { follow(source, *as); });
            } else {
                process::log(process::level::warn, "source_not_followed",
                             {{"source", order->name}, {"reason", "as many sources are followed as may be"}});
            }
        }
        _followers.emplace(source, std::move(made));
    }
}

void followers::end() {
    {
        const std::lock_guard hold(_mutex);
        for (const auto& [source, each] : _followers) {
            each->stop.store(true);
        }
        _ending.notify_all();
    }
    for (const auto& [source, each] : _followers) {
        if (each->thread.joinable()) {
            each->thread.join();
        }
    }
    _followers.clear();
}

bool followers::pause(const follower& as, milliseconds most) {
    std::unique_lock hold(_mutex);
    return !_ending.wait_for(hold, most, [&] { return as.stop.load(); });
}

bool followers::heard(std::uint32_t source, const follower& as) {
    while (!as.stop.load()) {
        if (_begin(source)) {
            return true;
        }
        pause(as, until_free);
    }
    return false;
}

void followers::follow(std::uint32_t source, follower& as) {
    milliseconds next_pause = first_pause;
    while (!as.stop.load()) {
        directory::result<source_order> order;
        std::string cookie;
        {
            const auto in = _store.read();
            order = in ? order_of(*in, _with, source) : tl::unexpected(in.error());
            const auto memory = in ? find_memory(*in, source) : tl::unexpected(in.error());
            if (memory && !memory->unsure) {
                cookie = memory->cookie;
            }
        }
        if (!order || cookie.empty()) {
            pause(as, until_synced);
            continue;
        }
        const auto type = _with.types.find(order->name.substr(0, order->name.find(':')));
        process::log(process::level::info, "source_followed", {{"source", order->name}});
        const auto began = steady::now();
        const sources::fetch_outcome outcome = type->second.follow(
            *order, cookie, [&] { return heard(source, as); }, as.stop);
        if (as.stop.load()) {
            return;
        }
        process::log(process::level::warn, "source_follow_ended",
                     {{"source", order->name}, {"step", outcome.step}, {"reason", outcome.reason}});
        if (outcome.end == sources::fetch_outcome::end::failed && outcome.step == "changes") {
            pause(as, unable_pause);
            continue;
        }
        next_pause = steady::now() - began > longest_pause ? first_pause : next_pause;
        pause(as, next_pause);
        next_pause = std::min(next_pause * 2, longest_pause);
    }
}

}  // namespace postern::sync
