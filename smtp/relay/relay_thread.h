// One relay thread: an engine over kernel sockets (Boost.Asio), asleep while there is nothing to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "dataplane/shard/seam.h"
#include "smtp/relay/counters.h"
#include "smtp/relay/lane.h"
#include "smtp/relay/resolver.h"
#include "smtp/relay/settings.h"

namespace postern::relay {

class relay_thread {
public:
    /// All outlive the thread. `lanes`: one per shard; `wakers`: the same, null for none, read after `start`.
    relay_thread(unsigned number, const settings& settings, counters& counts, resolver& names, std::vector<lane*> lanes,
                 const std::vector<shard::waker*>& wakers);
    ~relay_thread();  ///< stops at once
    relay_thread(const relay_thread&) = delete;
    relay_thread& operator=(const relay_thread&) = delete;

    thread_waker& waker() noexcept;
    tl::expected<void, std::string> start();
    /// Lets it end its transactions for `grace`, then cut the rest off. `join` waits for that.
    void stop(std::chrono::milliseconds grace);
    void join();
    void lift_refusals(std::uint32_t route);

private:
    struct state;
    std::unique_ptr<state> _state;
};

/// Whether `to` is where this edge listens, also by an unspecified address on one of this machine's own.
bool is_own_address(const std::vector<shard::endpoint>& own, const shard::endpoint& to);

}  // namespace postern::relay
