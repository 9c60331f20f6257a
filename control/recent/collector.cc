#include "control/recent/collector.h"

#include <algorithm>
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
constexpr std::size_t longest_why = 200;

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

/// 16 hexadecimal digits, or nothing.
std::string hash_of(const json::object& from) {
    std::string out = text_of(from, "sender");
    const bool good = out.size() == 16 && out.find_first_not_of("0123456789abcdef") == std::string::npos;
    return good ? out : std::string();
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
    out.number = number_of(of, "number");
    if (out.address.empty() || out.address.size() > 254 || domain == 0 || domain > 0xffff'ffffU || out.number == 0) {
        return std::nullopt;
    }
    out.domain = static_cast<std::uint32_t>(domain);
    out.how = parse_outcome(text_of(of, "outcome"));
    out.at = static_cast<timestamp>(number_of(of, "at"));
    out.source = text_of(of, "source").substr(0, 64);
    if (is_finding(out.how)) {
        out.sender = hash_of(of);
        out.judged_by = text_of(of, "judged_by").substr(0, 32);
        out.why = text_of(of, "why").substr(0, longest_why);
    }
    return out;
}

}  // namespace

struct collector::state {
    state(std::vector<consumer*> takers, const collector_options& the_options)
        : into(std::move(takers)), options(the_options) {}

    /// How far one edge's events are taken.
    struct progress {
        std::string run;
        std::vector<std::uint64_t> positions;  ///< of each consumer
        std::uint64_t least() const { return positions.empty() ? 0 : *std::ranges::min_element(positions); }
    };
    void run(const publish::edge_address& edge);
    /// One question; whether there is more.
    directory::result<bool> ask(edge_client& client, const publish::edge_address& edge, progress& at);
    directory::result<void> hand_out(const batch& told, progress& at);
    void pause(std::chrono::milliseconds most) {
        std::unique_lock hold(mutex);
        changed.wait_for(hold, most, [this] { return stop.load(); });
    }

    std::vector<consumer*> into;
    collector_options options;
    std::atomic<bool> stop{false};
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::thread> threads;
};

/// To each consumer what it has not had yet.
directory::result<void> collector::state::hand_out(const batch& told, progress& at) {
    for (std::size_t i = 0; i < into.size(); ++i) {
        std::uint64_t& position = at.positions.at(i);
        if (position >= told.last) {
            continue;
        }
        directory::result<void> taken;
        if (told.sightings.empty() || told.sightings.front().number > position) {
            taken = into.at(i)->take(told);
        } else {
            batch rest = told;
            std::erase_if(rest.sightings, [&](const sighting& each) { return each.number <= position; });
            taken = into.at(i)->take(rest);
        }
        if (!taken) {
            return taken;
        }
        position = told.last;
    }
    return {};
}

directory::result<bool> collector::state::ask(edge_client& client, const publish::edge_address& edge, progress& at) {
    const auto unexpected = [](std::string text) {
        return directory::fail(directory::error_kind::failed, std::move(text));
    };
    const std::uint64_t position = at.least();
    const auto said = client.ask("events " + std::to_string(position) + " " + std::to_string(at_once));
    if (!said) {
        return unexpected(said.error().text);
    }
    const std::string its_run = text_of(*said, "run");
    if (its_run != at.run) {
        at = {its_run, {}};
        for (consumer* const each : into) {
            const auto known = each->position(edge.name, its_run);
            if (!known) {
                return tl::unexpected(known.error());
            }
            at.positions.push_back(*known);
        }
        if (position != at.least()) {
            return true;  // another start of the edge, or our first question: ask again from there
        }
    }
    batch told;
    told.edge = edge.name;
    told.run = its_run;
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
    if (const auto taken = hand_out(told, at); !taken) {
        return tl::unexpected(taken.error());
    }
    if (const auto done = client.ask("events ack " + std::to_string(told.last)); !done) {
        return unexpected(done.error().text);
    }
    return events->get_array().size() >= at_once;
}

void collector::state::run(const publish::edge_address& edge) {
    progress at;
    std::string last_error;
    while (!stop.load()) {
        auto client = edge_client::connect(edge.socket, options.patience, stop);
        directory::result<bool> more = true;
        if (!client) {
            more = directory::fail(directory::error_kind::failed, client.error().text);
        }
        while (more && !stop.load()) {
            more = ask(*client, edge, at);
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
        at = {};
        pause(options.every * 5);
    }
}

collector::collector(std::vector<consumer*> into, std::vector<publish::edge_address> edges,
                     const collector_options& options)
    : _state(std::make_unique<state>(std::move(into), options)) {
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
