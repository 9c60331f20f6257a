// One shard of the running edge, whatever its transport: its sessions, its loop, its thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>

#include "dataplane/shard/connection_limits.h"
#include "dataplane/shard/seam.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/relay/port.h"
#include "smtp/session/engine.h"
#include "smtp/session/seen.h"

namespace postern::edge {

class shard_worker {
public:
    /// What every shard's sessions work with; all of it outlives the worker.
    struct surroundings {
        const session::settings& settings;
        const std::atomic<const recipients::snapshot*>& table;
        relay::port& port;
        shard::connection_limits& limits;
        std::uint32_t id_seed = 0;
        bool tells_events = false;  ///< what it decides goes into `seen`
    };

    explicit shard_worker(const surroundings& around) : seen(around.tells_events ? seen_between : 1) {}
    shard_worker(const shard_worker&) = delete;
    shard_worker& operator=(const shard_worker&) = delete;
    virtual ~shard_worker() = default;

    /// On the shard's own thread; returns when it has drained.
    virtual void run() = 0;
    /// Any thread; see sockets::shard_loop.
    virtual void drain(shard::instant most) noexcept = 0;
    virtual void hold(bool yes) noexcept = 0;
    virtual shard::waker& waker() noexcept = 0;
    /// The transport's counters: the same names in the same order from every shard of it. Any thread.
    virtual void each_count(const std::function<void(std::string_view, std::uint64_t)>& see) const = 0;

    session::counters counts;
    session::seen_recipients seen;
    std::thread thread;

protected:
    session::context context_of(const surroundings& around) noexcept {
        return {around.settings, around.table,   around.port,
                counts,          around.id_seed, around.tells_events ? &seen : nullptr};
    }

private:
    /// Room for what a shard saw between two collections: more than a mail server's day's peak, less than a flood, of
    /// which a part is enough.
    static constexpr std::size_t seen_between = 2'048;
};

}  // namespace postern::edge
