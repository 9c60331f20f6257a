// The relay's counters: written by relay threads and shards, read by anybody. Relaxed: each is right by itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace postern::relay {

class counter {
public:
    void add(std::uint64_t n = 1) noexcept { _value.fetch_add(n, std::memory_order_relaxed); }
    void sub(std::uint64_t n = 1) noexcept { _value.fetch_sub(n, std::memory_order_relaxed); }
    std::uint64_t get() const noexcept { return _value.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> _value{0};
};

struct counters {
    counter transactions;          ///< begun
    counter transactions_refused;  ///< not begun: the shard's pool was used up
    counter recipients_accepted;   ///< the server's 2xx to RCPT
    counter recipients_refused;    ///< the server's 4xx or 5xx to RCPT
    counter unlisted_invalid;      ///< the server's 550 to an unlisted one, also the remembered ones
    counter unlisted_remembered;   ///< answered from memory
    counter unlisted_limited;      ///< over the unlisted share: 451 4.3.2
    counter limited;               ///< no connection in time: 451 4.3.2
    counter delivered;             ///< the server's 250 to the end of data
    counter refused;               ///< the server's 4xx or 5xx to MAIL, DATA or the end of data
    counter aborted;               ///< broke off for another reason: 451
    counter abandoned;             ///< the sender went away or took it back
    counter in_doubt;              ///< the final answer was lost: a duplicate is possible
    counter loops;                 ///< 554 5.4.6
    counter alarms;                ///< events, also those that were not called out again
    counter softened;              ///< 5xx turned into 451 (mail server in trouble, or about us)
    counter connections;           ///< opened
    counter connections_failed;    ///< name, TCP, greeting or EHLO
    counter connections_reused;    ///< taken from the pool
    counter connections_replaced;  ///< a pooled one was dead
    counter connections_open;      ///< now
    counter octets;                ///< of content passed on
    counter stale_messages;        ///< between shard and relay thread, for a transaction that is over
    counter refused_routes;        ///< now: routes whose 5xx are turned into 451

    /// Calls `see(name, value)` for each; the names are those of `show counters` and of /metrics.
    template <class F>
    void each(F&& see) const {
        see(std::string_view("relay_transactions"), transactions.get());
        see(std::string_view("relay_transactions_refused"), transactions_refused.get());
        see(std::string_view("relay_recipients_accepted"), recipients_accepted.get());
        see(std::string_view("relay_recipients_refused"), recipients_refused.get());
        see(std::string_view("relay_unlisted_invalid"), unlisted_invalid.get());
        see(std::string_view("relay_unlisted_remembered"), unlisted_remembered.get());
        see(std::string_view("relay_unlisted_limited"), unlisted_limited.get());
        see(std::string_view("relay_limited"), limited.get());
        see(std::string_view("relay_delivered"), delivered.get());
        see(std::string_view("relay_refused"), refused.get());
        see(std::string_view("relay_aborted"), aborted.get());
        see(std::string_view("relay_abandoned"), abandoned.get());
        see(std::string_view("relay_in_doubt"), in_doubt.get());
        see(std::string_view("relay_loops"), loops.get());
        see(std::string_view("relay_alarms"), alarms.get());
        see(std::string_view("relay_softened"), softened.get());
        see(std::string_view("relay_connections"), connections.get());
        see(std::string_view("relay_connections_failed"), connections_failed.get());
        see(std::string_view("relay_connections_reused"), connections_reused.get());
        see(std::string_view("relay_connections_replaced"), connections_replaced.get());
        see(std::string_view("relay_connections_open"), connections_open.get());
        see(std::string_view("relay_octets"), octets.get());
        see(std::string_view("relay_stale_messages"), stale_messages.get());
        see(std::string_view("relay_refused_routes"), refused_routes.get());
    }
};

}  // namespace postern::relay
