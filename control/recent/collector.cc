#include "control/recent/collector.h"

#include <atomic>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_to.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "board/process/log.h"
#include "control/publish/edge_client.h"

namespace postern::recent {

namespace {

namespace json = boost::json;
using publish::client_error;
using publish::edge_client;

constexpr std::uint64_t at_once = 2'000;

std::uint64_t number_of(const json::object& from, std::string_view name) {
    const json::value* const found = from.if_contains(name);
    json::error_code wrong;
    const auto out = found == nullptr ? 0 : found->to_number<std::uint64_t>(wrong);
    return wrong ? 0 : out;
}

std::string text_of(const json::object& from, std::string_view name) {
    const json::value* const found = from.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

/// What an edge says is bounded again: it is another process.
std::optional<sighting> read_sighting(const json::value& event) {
    if (!event.is_object()) {
        return std::nullopt;
    }
    const json::object& of = event.get_object();
    sighting out;
    out.address = text_of(of, "address");
    const std::uint64_t domain = number_of(of, "domain");
    if (out.address.empty() || out.address.size() > 254 || domain == 0 || domain > 0xffff'ffffU) {
        return std::nullopt;
    }
    out.domain = static_cast<std::uint32_t>(domain);
    out.how = parse_outcome(text_of(of, "outcome"));
    out.at = static_cast<timestamp>(number_of(of, "at"));
    out.source = text_of(of, "source").substr(0, 64);
    return out;
}

}  // namespace

struct collector::state {
    state(recent_store& the_store, const collector_options& the_options) : into(the_store), options(the_options) {}

    void run(const publish::edge_address& edge);
    /// One question; whether there is more.
    directory::result<bool> ask(edge_client& client, const publish::edge_address& edge, std::string& run,
                                std::uint64_t& position);
    void pause(std::chrono::milliseconds most) {
        std::unique_lock hold(mutex);
        changed.wait_for(hold, most, [this] { return stop.load(); });
    }

    recent_store& into;
    collector_options options;
    std::atomic<bool> stop{false};
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::thread> threads;
};

directory::result<bool> collector::state::ask(edge_client& client, const publish::edge_address& edge, std::string& run,
                                              std::uint64_t& position) {
    const auto unexpected = [](std::string text) {
        return directory::fail(directory::error_kind::failed, std::move(text));
    };
    const auto said = client.ask("events " + std::to_string(position) + " " + std::to_string(at_once));
    if (!said) {
        return unexpected(said.error().text);
    }
    const std::string its_run = text_of(*said, "run");
    if (its_run != run) {
        run = its_run;
        auto known = into.position(edge.name, run);
        if (!known) {
            return tl::unexpected(known.error());
        }
        if (position != *known) {
            position = *known;  // another start of the edge, or our first question: ask again from there
            return true;
        }
    }
    batch told;
    told.edge = edge.name;
    told.run = run;
    told.last = position;
    told.overwritten = number_of(*said, "overwritten");
    told.missed = number_of(*said, "missed");
    const json::value* const events = said->if_contains("events");
    if (events == nullptr || !events->is_array()) {
        return unexpected("the edge answered without events");
    }
    for (const json::value& each : events->get_array()) {
        if (each.is_object()) {
            told.last = std::max(told.last, number_of(each.get_object(), "number"));
        }
        if (auto one = read_sighting(each)) {
            told.sightings.push_back(std::move(*one));
        }
    }
    if (told.last == position) {
        return false;
    }
    if (const auto taken = into.take(told); !taken) {
        return tl::unexpected(taken.error());
    }
    position = told.last;
    if (const auto done = client.ask("events ack " + std::to_string(position)); !done) {
        return unexpected(done.error().text);
    }
    return events->get_array().size() >= at_once;
}

void collector::state::run(const publish::edge_address& edge) {
    std::string run;
    std::uint64_t position = 0;
    std::string last_error;
    while (!stop.load()) {
        auto client = edge_client::connect(edge.socket, options.patience, stop);
        directory::result<bool> more = true;
        if (!client) {
            more = directory::fail(directory::error_kind::failed, client.error().text);
        }
        while (more && !stop.load()) {
            more = ask(*client, edge, run, position);
            if (more) {
                last_error.clear();
                if (!*more) {
                    pause(options.every);
                }
            }
        }
        if (stop.load()) {
            return;
        }
        if (more.error().text != last_error) {
            last_error = more.error().text;
            process::log(process::level::warn, "edge_events_not_fetched", {{"edge", edge.name}, {"error", last_error}});
        }
        run.clear();
        position = 0;
        pause(options.every * 5);
    }
}

collector::collector(recent_store& into, std::vector<publish::edge_address> edges, const collector_options& options)
    : _state(std::make_unique<state>(into, options)) {
    for (publish::edge_address& each : edges) {
        _state->threads.emplace_back([of = _state.get(), edge = std::move(each)] { of->run(edge); });
    }
}

collector::~collector() {
    {
        const std::lock_guard hold(_state->mutex);
        _state->stop.store(true);
    }
    _state->changed.notify_all();
    for (std::thread& each : _state->threads) {
        each.join();
    }
}

}  // namespace postern::recent
