// What the relay is told at start, and the numbers that rule it. Defaults are those of the manual (relay).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/shard/seam.h"
#include "smtp/judge/intake.h"

namespace postern::relay {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Each is the longest wait for the whole of what it names; an octet now and then does not prolong it.
struct timeouts {
    milliseconds connect = seconds(15);        ///< a host: its name and the TCP connection
    milliseconds connect_total = seconds(30);  ///< all hosts of a route, until one is ready for MAIL
    milliseconds greeting = seconds(15);       ///< the greeting, and the answer to EHLO
    milliseconds command = seconds(60);        ///< the answers to MAIL, RCPT, DATA and RSET
    milliseconds data_block = seconds(180);    ///< the server takes nothing of the content
    milliseconds final = seconds(570);         ///< the answer to the end of data
    milliseconds idle = seconds(30);           ///< a pooled connection waits for its next message
    milliseconds wait = seconds(20);           ///< a transaction waits for one of a host's connections
    milliseconds host_down = seconds(30);      ///< a host that failed is tried after the others for so long
};

struct limits {
    std::uint32_t messages_per_connection = 100;
    std::uint32_t errors_per_connection = 3;       ///< 4xx and 5xx replies
    std::uint32_t source_divisor = 4;              ///< one source holds at most 1/n of a host's connections, at least 1
    std::uint32_t unlisted_divisor = 5;            ///< unlisted recipients open at most 1/n of them, at least 1
    std::uint32_t unlisted_per_second = 50;        ///< unlisted recipients passed to one route
    std::uint32_t unlisted_burst = 100;            ///< and how many at once
    std::size_t waiting_per_route = 256;           ///< transactions that wait for a connection; one more is 451 4.3.2
    milliseconds refusal_memory = seconds(600);    ///< the server's 550 to an unlisted recipient
    std::size_t refusals_remembered = 16384;       ///< a relay thread; the least recently used goes
    std::uint32_t refused_listed_in_a_row = 20;    ///< distinct listed recipients; then 5xx becomes 451
    std::uint32_t received_lines = 100;            ///< of a message; so many are a loop
    std::uint32_t received_lines_of_ours = 3;      ///< the same, those of this fleet
    std::uint32_t least_octets_per_second = 64;    ///< of content, on average since the server's 354
    milliseconds least_rate_after = seconds(180);  ///< the average is not looked at before
    milliseconds alarm_again_after = seconds(60);  ///< the same alarm of the same route
    milliseconds names_kept = seconds(60);         ///< a host's addresses
    milliseconds stale_names_kept = seconds(3600);  ///< and for so long if the name service fails
};

/// Something a person should know, once in a while per route and kind. Called on a relay thread; must not block.
using alarm_sink = std::function<void(std::uint32_t route, std::string_view text)>;

struct settings {
    std::string own_name;                  ///< said in EHLO and in the trace line
    std::vector<std::string> fleet_names;  ///< the fleet's other edges: their trace lines count as ours, too
    /// Where this edge listens, unspecified addresses (0.0.0.0, ::) included: never relayed to.
    std::vector<shard::endpoint> own_addresses;
    /// Whether mail may be relayed to this address: the operator's egress policy. Asked right before each connection,
    /// on a relay thread. Null: anywhere.
    std::function<bool(const shard::endpoint& address)> may_reach;
    unsigned shards = 1;
    unsigned threads = 1;
    std::uint32_t transactions_per_shard = 2048;  ///< at a time
    std::uint32_t chunks_per_shard = 4096;        ///< of 16 KiB; memory is touched only when used
    relay::timeouts timeouts;
    relay::limits limits;
    alarm_sink alarm;
    /// Who judges mail to unlisted recipients and is told which listed ones the servers do not know; outlives the
    /// relay. Null: nobody.
    judge::intake* judge = nullptr;
};

}  // namespace postern::relay
