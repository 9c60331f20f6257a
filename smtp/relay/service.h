// The relay of a whole edge: relay threads with kernel sockets, and one `port` per shard that its sessions speak to.
//
// Construct, give each shard's waker, `start`; hand `port_of(i)` to shard i. A route lives on the thread `id modulo
// threads`. Drain the shards first, then `stop`: what a server has not acknowledged by then is cut off without its
// final dot, so nothing is half delivered. No shard may call its port after the service is gone (after `stop` it may).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "smtp/relay/counters.h"
#include "smtp/relay/port.h"
#include "smtp/relay/settings.h"

namespace postern::relay {

class service {
public:
    /// Allocates everything the shards' sides will ever use. Throws std::bad_alloc only.
    explicit service(relay::settings settings);
    ~service();  ///< stops
    service(const service&) = delete;
    service& operator=(const service&) = delete;

    /// What wakes shard `shard` when an event waits for it; null: nobody (tests). Before `start`; must outlive `stop`.
    void set_waker(unsigned shard, shard::waker* waker);
    /// Usable from construction to destruction, by its shard's thread only; before `start` nothing is answered.
    port& port_of(unsigned shard);

    /// Starts the threads. The error names what the system refused.
    tl::expected<void, std::string> start();
    /// Begins nothing new, waits up to `grace` for transactions at work, closes all connections, joins the threads.
    /// Returns within `grace` and about a second. May be called again.
    void stop(std::chrono::milliseconds grace = {});

    const counters& counts() const noexcept;

    /// A person decides that a route's refusals are meant: its 5xx are passed on again. Any thread.
    void lift_refusals(std::uint32_t route);
    /// The same, because a probe of the route's server succeeded.
    void probe_succeeded(std::uint32_t route);

private:
    struct state;
    std::unique_ptr<state> _state;
};

}  // namespace postern::relay
