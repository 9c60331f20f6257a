#include "control/publish/publisher.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "board/process/log.h"
#include "control/directory/domains.h"
#include "control/publish/edge_link.h"
#include "control/publish/generation_files.h"
#include "control/publish/maker.h"
#include "control/publish/shared.h"

namespace postern::publish {

class publisher::body {
public:
    body(directory::store& store, publisher_options options) : _store(store) {
        _shared.options = std::move(options);
        _shared.now = [&store] { return store.now(); };
    }

    ~body() {
        if (_registration != 0) {
            _store.ignore_commits(_registration);
        }
        _shared.end();
        for (std::thread& thread : _threads) {
            thread.join();
        }
    }

    directory::result<void> start() {
        const auto highest = open_folder(_shared.options.tables);
        if (!highest) {
            return directory::fail(directory::error_kind::failed, highest.error());
        }
        _shared.floor = *highest;
        for (const edge_address& edge : _shared.options.edges) {
            edge_progress& next = _shared.edges.emplace_back();
            next.status.name = edge.name;
            next.status.socket = edge.socket;
            next.status.since = _shared.now();
        }
        auto maker = std::make_unique<publish::maker>(_store, _shared);
        if (auto resumed = maker->resume(); !resumed) {
            return resumed;
        }
        _maker = std::move(maker);
        _registration = _store.on_commit([this](std::uint64_t seq) {
            const std::lock_guard hold(_shared.mutex);
            _shared.told = std::max(_shared.told, seq);
            _shared.changed.notify_all();
        });
        _threads.emplace_back([this] { _maker->run(); });
        for (std::size_t index = 0; index < _shared.edges.size(); ++index) {
            _links.push_back(std::make_unique<edge_link>(_shared, index));
            _threads.emplace_back([link = _links.back().get()] { link->run(); });
        }
        return {};
    }

    in_force wait_in_force(std::uint64_t seq, std::chrono::milliseconds patience) const {
        std::unique_lock hold(_shared.mutex);
        const auto reached = [&] {
            return seq <= _shared.nothing_until ||
                   (_shared.made >= seq && std::ranges::all_of(_shared.edges, [&](const edge_progress& edge) {
                        return edge.status.seq >= seq;
                    }));
        };
        _shared.changed.wait_for(hold, patience, [&] { return _shared.stop.load() || reached(); });
        if (reached()) {
            return in_force::everywhere;
        }
        return _shared.stop.load() ? in_force::stopped : in_force::timed_out;
    }

    publisher_status status() const {
        const std::lock_guard hold(_shared.mutex);
        publisher_status out = _shared.facts;
        out.seq = _shared.made;
        out.last_seq = std::max(_shared.told, _shared.made);
        for (const edge_progress& edge : _shared.edges) {
            out.edges.push_back(edge.status);
        }
        return out;
    }

private:
    directory::store& _store;
    shared _shared;
    std::unique_ptr<maker> _maker;
    std::vector<std::unique_ptr<edge_link>> _links;
    std::vector<std::thread> _threads;
    std::uint64_t _registration = 0;
};

publisher::publisher(std::unique_ptr<body> made) noexcept : _body(std::move(made)) {}
publisher::~publisher() = default;

directory::result<std::unique_ptr<publisher>> publisher::start(directory::store& store, publisher_options options) {
    auto made = std::make_unique<body>(store, std::move(options));
    if (auto started = made->start(); !started) {
        return tl::unexpected(started.error());
    }
    return std::unique_ptr<publisher>(new publisher(std::move(made)));
}

in_force publisher::wait_in_force(std::uint64_t seq, std::chrono::milliseconds patience) const {
    return _body->wait_in_force(seq, patience);
}

publisher_status publisher::status() const {
    return _body->status();
}

std::string_view to_string(edge_state state) noexcept {
    switch (state) {
        case edge_state::connecting:
            return "connecting";
        case edge_state::in_step:
            return "in step";
        case edge_state::behind:
            return "behind";
        case edge_state::refused:
            return "refused";
    }
    return "unknown";
}

}  // namespace postern::publish
