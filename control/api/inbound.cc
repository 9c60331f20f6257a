#include "control/api/inbound.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "board/process/log.h"
#include "control/api/represent.h"
#include "control/directory/domains.h"

namespace postern::api {
namespace {

bool flag_of(const boost::json::object& from, std::string_view name) {
    const boost::json::value* const found = from.if_contains(name);
    return found != nullptr && found->is_bool() && found->get_bool();
}

/// The domain in which the random recipient is made up: one that is served through the route, else a reserved one.
directory::result<std::string> probe_domain(const directory::reader& in, std::uint32_t route) {
    directory::domain_filter filter;
    filter.route = route;
    filter.alias = false;
    const auto found = directory::list_domains(in, filter, {"", 1});
    if (!found) {
        return tl::unexpected(found.error());
    }
    return found->items.empty() ? std::string("postern-probe.invalid") : found->items.front().name;
}

}  // namespace

boost::json::object probe_object(const directory::route& of) {
    boost::json::error_code error;
    boost::json::value parsed = boost::json::parse(of.probe, error);
    if (of.probe.empty() || error || !parsed.is_object()) {
        return {};
    }
    return std::move(parsed.get_object());
}

probe_standing last_probe(const directory::route& of) {
    const boost::json::object probe = probe_object(of);
    return {flag_of(probe, "usable"), flag_of(probe, "loops")};
}

directory::result<probe::finding> probe_route(directory::store& store, const probe::prober& prober, std::uint32_t id,
                                              const directory::actor& by) {
    std::vector<recipients::mail_host> hosts;
    std::string domain;
    {
        const auto in = store.read();
        if (!in) {
            return tl::unexpected(in.error());
        }
        const auto route = directory::find_route(*in, id);
        if (!route) {
            return tl::unexpected(route.error());
        }
        hosts = route->hosts;
        auto named = probe_domain(*in, id);
        if (!named) {
            return tl::unexpected(named.error());
        }
        domain = std::move(*named);
    }
    const probe::finding found = prober.run(hosts, domain);
    auto in = store.write(by);
    if (!in) {
        return tl::unexpected(in.error());
    }
    const auto present = directory::find_route(*in, id);
    if (!present) {
        return tl::unexpected(present.error());
    }
    if (present->hosts != hosts) {
        return directory::fail(directory::error_kind::conflict,
                               "the hosts of \"" + present->name + "\" were changed during the probe; probe again");
    }
    if (const auto kept = directory::record_probe(*in, id, boost::json::serialize(represent(found)), found.catch_all);
        !kept) {
        return tl::unexpected(kept.error());
    }
    if (const auto done = in->commit(); !done) {
        return tl::unexpected(done.error());
    }
    return found;
}

struct daily_probes::state {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::jthread thread;

    static void run_due(directory::store& store, const probe::prober& prober, std::chrono::milliseconds every,
                        const std::stop_token& stopped);
};

void daily_probes::state::run_due(directory::store& store, const probe::prober& prober, std::chrono::milliseconds every,
                                  const std::stop_token& stopped) {
    std::vector<directory::route> due;
    directory::page_request page{"", 100};
    do {
        const auto in = store.read();
        if (!in) {
            return;
        }
        auto found = directory::list_routes(*in, {}, page);
        if (!found) {
            process::log(process::level::error, "daily_probe_failed", {{"error", found.error().text}});
            return;
        }
        std::copy_if(found->items.begin(), found->items.end(), std::back_inserter(due),
                     [&](const directory::route& each) {
                         return each.probed != 0 && each.probed + every.count() <= store.now();
                     });
        page.after = found->next;
    } while (!page.after.empty());
    for (const directory::route& each : due) {
        if (stopped.stop_requested()) {
            return;
        }
        const auto found = probe_route(store, prober, each.id, {"system", "daily probe"});
        if (!found) {
            process::log(process::level::warn, "inbound_server_alarm",
                         {{"inbound_server", each.name}, {"reason", found.error().text}});
            continue;
        }
        const char* const reason = found->loops                          ? "it is one of our own edges now"
                                   : !found->usable                      ? "the probe failed"
                                   : found->catch_all && !each.catch_all ? "it accepts every address now"
                                                                         : nullptr;
        if (reason != nullptr) {
            process::log(process::level::warn, "inbound_server_alarm",
                         {{"inbound_server", each.name}, {"id", each.id}, {"reason", reason}});
        }
    }
}

daily_probes::daily_probes(directory::store& store, const probe::prober& prober, std::chrono::milliseconds every)
    : _state(std::make_unique<state>()) {
    _state->thread = std::jthread([this, &store, &prober, every](const std::stop_token& stopped) {
        while (!stopped.stop_requested()) {
            state::run_due(store, prober, every, stopped);
            std::unique_lock lock(_state->mutex);
            _state->changed.wait_for(lock, stopped, std::min(every, std::chrono::milliseconds(300'000)),
                                     [] { return false; });
        }
    });
}

daily_probes::~daily_probes() {
    _state->thread.request_stop();
    _state->thread.join();
}

}  // namespace postern::api
