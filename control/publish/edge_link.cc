#include "control/publish/edge_link.h"

#include <algorithm>

#include "board/process/log.h"

namespace postern::publish {

namespace {

constexpr std::chrono::milliseconds look_after{200};  // how long an edge's going away may go unseen while idle

}  // namespace

void edge_link::run() {
    while (!_with.stop.load()) {
        if (!_client && !connect()) {
            pause();
            continue;
        }
        std::optional<target> aim;
        {
            std::unique_lock hold(_with.mutex);
            const auto news = [&] {
                return _with.stop.load() || (_with.aim && _with.aim->number != _with.edges[_index].applied);
            };
            if (news() || (!_names_stale && _with.changed.wait_for(hold, look_after, news))) {
                aim = _with.aim;
            }
        }
        if (_with.stop.load()) {
            return;
        }
        if (aim) {
            bring_to(*aim);
        } else if (_names_stale) {
            learn_names();
        } else if (!_client->alive()) {
            lost("the edge hung up");
        }
    }
}

bool edge_link::connect() {
    std::string path;
    {
        const std::lock_guard hold(_with.mutex);
        path = _with.edges[_index].status.socket;
    }
    auto client = edge_client::connect(path, _with.options.command_timeout, _with.stop);
    if (!client) {
        lost(client.error().text);
        return false;
    }
    auto table = client->show_table();
    if (!table) {
        lost(table.error().text);
        return false;
    }
    _client.emplace(std::move(*client));
    _there = std::move(*table);
    _names_stale = false;
    const std::lock_guard hold(_with.mutex);
    edge_progress& mine = _with.edges[_index];
    mine.names = _there.names;
    mine.names_known = true;
    mine.applied = 0;
    mine.status.generation = _there.generation;
    mine.status.error.clear();
    mine.status.state = edge_state::behind;
    mine.status.since = _with.now();
    _with.floor = std::max(_with.floor, _there.generation);
    _with.changed.notify_all();
    return true;
}

void edge_link::bring_to(const target& aim) {
    if (_there.base == aim.base && _there.overlay == aim.overlay) {
        in_force(aim);
        return;
    }
    if (_there.generation >= aim.number) {
        // Numbers only grow: the publisher gives the same files a higher one.
        std::unique_lock hold(_with.mutex);
        _with.floor = std::max(_with.floor, _there.generation);
        _with.changed.notify_all();
        _with.changed.wait_for(hold, look_after,
                               [&] { return _with.stop.load() || !_with.aim || _with.aim->number != aim.number; });
        return;
    }
    {
        // Before the command: if its answer is lost, the edge may name these files all the same.
        const std::lock_guard hold(_with.mutex);
        _with.edges[_index].names.insert({aim.base, aim.overlay});
    }
    const auto prepared = _client->prepare(_there.base == aim.base ? std::string() : aim.base, aim.overlay);
    if (_with.crash_at("prepared")) {
        return;
    }
    const auto committed = prepared ? _client->commit(aim.number) : prepared;
    if (!committed) {
        committed.error().refused ? refused(aim, committed.error().text) : lost(committed.error().text);
        return;
    }
    if (_with.crash_at("committed")) {
        return;
    }
    _there.generation = aim.number;
    _there.base = aim.base;
    _there.overlay = aim.overlay;
    in_force(aim);
}

void edge_link::in_force(const target& aim) {
    _wait = {};
    _names_stale = true;
    const std::lock_guard hold(_with.mutex);
    edge_progress& mine = _with.edges[_index];
    mine.applied = aim.number;
    mine.names.insert({aim.base, aim.overlay});
    mine.status.generation = _there.generation;
    mine.status.seq = std::max(mine.status.seq, aim.seq);
    if (mine.status.state != edge_state::in_step) {
        mine.status.since = _with.now();
        process::log(process::level::info, "edge_in_step",
                     {{"edge", mine.status.name}, {"generation", _there.generation}});
    }
    mine.status.state = edge_state::in_step;
    mine.status.error.clear();
    _with.changed.notify_all();
}

void edge_link::refused(const target& aim, const std::string& text) {
    const bool whole = _there.base != aim.base;
    auto table = _client->show_table();
    if (!table) {
        lost(table.error().text);
        return;
    }
    _there = std::move(*table);
    if (_there.generation >= aim.number) {
        return;  // someone committed or rolled back meanwhile: `bring_to` asks for a higher number
    }
    set_state(edge_state::refused, text);
    {
        const std::lock_guard hold(_with.mutex);
        edge_progress& mine = _with.edges[_index];
        mine.applied = aim.number;  // others need not wait for this one
        if (whole && _with.aim && _with.aim->number == aim.number) {
            _with.distrust_base = true;
            _with.changed.notify_all();
        }
    }
    _there.base.clear();  // name the base again: what the edge has under its name may not be what we wrote
    pause();
    const std::lock_guard hold(_with.mutex);
    _with.edges[_index].applied = 0;
}

void edge_link::lost(const std::string& text) {
    _client.reset();
    if (_with.stop.load()) {
        return;
    }
    set_state(edge_state::connecting, text);
}

void edge_link::learn_names() {
    auto table = _client->show_table();
    if (!table) {
        lost(table.error().text);
        return;
    }
    _names_stale = false;
    const std::lock_guard hold(_with.mutex);
    _with.edges[_index].names = std::move(table->names);
    _with.changed.notify_all();
}

void edge_link::pause() {
    _wait = std::clamp(_wait * 2, _with.options.retry_min, std::max(_with.options.retry_min, _with.options.retry_max));
    std::unique_lock hold(_with.mutex);
    _with.changed.wait_for(hold, _wait, [&] { return _with.stop.load(); });
}

void edge_link::set_state(edge_state state, const std::string& error) {
    const std::lock_guard hold(_with.mutex);
    edge_status& mine = _with.edges[_index].status;
    if (mine.state != state || mine.error != error) {
        process::log(process::level::warn, "edge_not_in_step", {{"edge", mine.name}, {"error", error}});
        mine.since = _with.now();
    }
    mine.state = state;
    mine.error = error;
    _with.changed.notify_all();
}

}  // namespace postern::publish
