// Who may have a connection to which host of a route: shares, host order, idle connections. Sans-IO, one per route.
//
// `take` decides for a transaction: an idle connection, a new one to some host, or to wait. Its share is its own until
// `give_share_back`. A connection counts for its host from `take` (or `reopen`) until `closed`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/shard/seam.h"
#include "smtp/recipients/domains.h"
#include "smtp/relay/settings.h"

namespace postern::relay {

using link_id = std::uint64_t;  ///< a connection to a server; never reused
using host_key = std::pair<std::string, std::uint16_t>;

/// One sending source: an IPv4 address, or an IPv6 /64.
std::array<std::uint8_t, 16> source_of(const shard::endpoint& client) noexcept;

class pool {
public:
    /// `settings` outlives the pool.
    explicit pool(const limits& limits) : _limits(&limits) {}

    struct claim {
        std::array<std::uint8_t, 16> source{};
        bool unlisted = false;                         ///< its first recipient is not listed
        const std::vector<host_key>* tried = nullptr;  ///< hosts that failed it; never null
    };
    enum class verdict : std::uint8_t {
        reuse,    ///< `link`, which is idle no more
        open,     ///< a new connection to `host`
        wait,     ///< something it needs is in use
        no_host,  ///< every host was tried
    };
    struct grant {
        pool::verdict verdict = verdict::wait;
        link_id link = 0;
        recipients::mail_host host{};
    };

    /// For `reuse` and `open` the share is taken.
    grant take(const recipients::route& route, const claim& asker, shard::instant now);
    void give_share_back(const claim& asker);

    /// A new connection to `host` for a transaction that has its share.
    void reopen(const host_key& host) { ++_hosts[host].connections; }
    void idle(const host_key& host, link_id link) { _hosts[host].idle.push_back(link); }
    void not_idle(const host_key& host, link_id link) { std::erase(_hosts[host].idle, link); }
    /// The connection is gone, or will be at once.
    void closed(const host_key& host, link_id link);
    /// Tried after the others until then.
    void host_failed(const host_key& host, shard::instant down_until) { _hosts[host].down_until = down_until; }
    void host_works(const host_key& host) { _hosts[host].down_until = {}; }

    std::size_t connections(const host_key& host) const;
    std::size_t idle_connections(const host_key& host) const;

private:
    struct host_state {
        std::size_t connections = 0;
        std::vector<link_id> idle;  ///< the last used is last
        shard::instant down_until{};
    };

    bool has_share(const recipients::route& route, const claim& asker) const;
    void take_share(const claim& asker);

    const limits* _limits;
    std::map<host_key, host_state> _hosts;
    std::map<std::array<std::uint8_t, 16>, std::size_t> _by_source;
    std::size_t _unlisted = 0;
};

}  // namespace postern::relay
