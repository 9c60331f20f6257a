// One relay thread's work without its thread: shards' commands, servers' octets and time in; events, connections and
// octets out. Routes that live on this thread, their pools, transactions and connections; nothing is shared with others
// but the lanes.
//
// The owner calls `take_commands` when a ring may hold something, the `link_…` functions when a connection did
// something, `tick` at `poll_at`. Everything may allocate. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/shard/seam.h"
#include "smtp/recipients/domains.h"
#include "smtp/relay/counters.h"
#include "smtp/relay/lane.h"
#include "smtp/relay/pool.h"
#include "smtp/relay/settings.h"

namespace postern::relay {

/// What an engine asks of the world. None of these call back from within.
class network {
public:
    /// Resolve and connect; `link_opened` or `link_failed` follows.
    virtual void open(link_id link, const recipients::mail_host& host) = 0;
    /// `engine::link_output` has something to be sent.
    virtual void send(link_id link) = 0;
    /// At once, whatever is unsent. Nothing more is said of the link.
    virtual void close(link_id link) = 0;
    virtual std::time_t wall_clock() const = 0;

protected:
    ~network() = default;
};

class engine {
public:
    enum class open_failure : std::uint8_t {
        unreachable,  ///< no name, no route, refused, no answer
        own_address,  ///< it resolves to where this edge itself listens
        not_allowed,  ///< the operator's egress policy has none of its addresses
    };

    /// All outlive the engine. `lanes`: one per shard.
    engine(const settings& settings, counters& counts, network& net, std::vector<lane*> lanes);
    ~engine();
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;

    /// Takes a bounded number of commands; true if there may be more.
    bool take_commands(shard::instant now);
    bool commands_wait() const;
    /// Whether events were pushed to shard `shard` since the last call.
    bool take_told(std::size_t shard) noexcept;
    /// Gives the judge the copies of what was delivered: when the shards were told, so that no answer waits for it.
    void tell_judge();

    void link_opened(link_id link, shard::instant now);
    void link_failed(link_id link, open_failure why, std::string_view text, shard::instant now);
    std::string_view link_output(link_id link) const;
    void link_sent(link_id link, std::size_t octets, shard::instant now);
    void link_received(link_id link, std::span<const char> octets, shard::instant now);
    void link_closed(link_id link, shard::instant now);

    shard::instant poll_at() const;
    void tick(shard::instant now);

    /// The route's 5xx are passed on again.
    void lift_refusals(std::uint32_t route);

    /// From now on nothing is begun; returns whether transactions are still at work.
    bool finish();
    /// Ends everything: transactions with 451, connections without a final dot.
    void cut_off(shard::instant now);

private:
    struct state;
    std::unique_ptr<state> _state;
};

}  // namespace postern::relay
