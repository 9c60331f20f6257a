// The edge's events: recipients that were decided lately, numbered, kept until control acknowledges them.
//
// Belongs to the control thread (the edge socket's), which collects what the shards put into their rings
// (smtp/session/seen.h). Bounded: beyond `capacity` the oldest is overwritten and counted. Numbers begin at 1 with each
// start of the process; `run` tells the starts apart, so that control knows when to begin anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/shard/address.h"
#include "smtp/judge/finding.h"
#include "smtp/recipients/address.h"
#include "smtp/session/seen.h"

namespace postern::edge {

struct event {
    std::uint64_t number = 0;
    std::int64_t at = 0;  ///< Unix time in milliseconds, when it was collected: a fraction of a second late
    std::string address;  ///< normal form, at most `session::seen_recipient::longest` octets
    session::outcome how = session::outcome::unknown;
    std::uint32_t domain = 0;    ///< its stable id; of a domain alias its target's
    shard::ip_address source{};  ///< the client's network: IPv4 /24, IPv6 /48
    // Of findings only.
    std::uint64_t sender = 0;    ///< keyed hash of the sender; 0: none
    std::string_view judged_by;  ///< "checks", "rspamd"; empty: nobody
    std::string why;
};

struct event_counts {
    std::uint64_t seen = 0;         ///< numbered since the start
    std::uint64_t kept = 0;         ///< now
    std::uint64_t overwritten = 0;  ///< before they were acknowledged
    std::uint64_t missed = 0;       ///< never numbered: too many at once, or an address over the limit
};

class event_log {
public:
    /// Most events of one answer.
    static constexpr std::size_t most_at_once = 5'000;

    /// `capacity` 0: nothing is kept.
    event_log(std::size_t capacity, std::string run) : _capacity(capacity), _run(std::move(run)) {}

    /// A ring of a shard; it must outlive the log.
    void add_shard(session::seen_recipients& from) { _shards.push_back(&from); }
    /// Takes what the shards have told: up to a bound from each, so a flood's rest is left for the next time.
    void collect(std::int64_t now);
    /// Takes one thing that the relay's side found.
    void take(judge::finding&& found, std::int64_t now);
    /// Forgets all up to `number`.
    void acknowledge(std::uint64_t number);

    const std::string& run() const noexcept { return _run; }
    const std::deque<event>& kept() const noexcept { return _kept; }
    event_counts counts() const;

private:
    /// The next event, with the normal form of `path` as its address; null: it is counted, and not kept.
    event* keep(std::string_view path, const std::array<std::uint8_t, 16>& peer, std::int64_t now);

    std::size_t _capacity;
    std::string _run;
    std::vector<session::seen_recipients*> _shards;
    std::deque<event> _kept;  ///< oldest first, numbers without gaps
    std::uint64_t _last = 0;
    std::uint64_t _overwritten = 0;
    std::uint64_t _unparsed = 0;
    recipients::normal_address _normal;
};

/// Its name's own letters: "listed", "would_reject", "good_mail"…
std::string_view to_string(session::outcome how) noexcept;

/// The network of a client as an event has it: IPv4 /24, IPv6 /48.
shard::ip_address source_network(shard::ip_address peer) noexcept;

/// The same in words: "192.0.2.0/24", "2001:db8:1::/48".
std::string network_text(const shard::ip_address& source);

}  // namespace postern::edge
