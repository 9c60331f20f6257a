// Probing a kept inbound server: run, record, and again every day (formats: "It is repeated daily").
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <memory>

#include "control/directory/routes.h"
#include "control/directory/store.h"
#include "control/probe/prober.h"

namespace postern::api {

/// Probes the route's hosts (no transaction is held meanwhile) and records what was found.
directory::result<probe::finding> probe_route(directory::store& store, const probe::prober& prober, std::uint32_t id,
                                              const directory::actor& by);

/// The route's last recorded probe; empty: none.
boost::json::object probe_object(const directory::route& of);

struct probe_standing {
    bool usable = false;
    bool loops = false;
};
/// What the route's last recorded probe says.
probe_standing last_probe(const directory::route& of);

/// A thread that probes each route again when its last probe is a day old, and logs an alarm when one has become
/// unusable, loops, or takes every address.
class daily_probes {
public:
    daily_probes(directory::store& store, const probe::prober& prober,
                 std::chrono::milliseconds every = std::chrono::hours(24));
    ~daily_probes();  ///< waits for a probe that runs
    daily_probes(const daily_probes&) = delete;
    daily_probes& operator=(const daily_probes&) = delete;

private:
    struct state;
    std::unique_ptr<state> _state;
};

}  // namespace postern::api
