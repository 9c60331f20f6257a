// Between a shard's sessions and the relay threads: the messages and the one interface a session speaks to.
//
// One SPSC ring pair per shard and relay thread. A transaction lives on the relay thread that owns its route
// (route id modulo threads), so connection pools share nothing. Data crosses in 16 KiB chunks of the shard's own pool,
// four credits a transaction; a ring holds the sum of all credits and control messages, so it can't overflow. A message
// whose transaction is over on the other side is dropped and counted. docs: EDGE "Shards and relay threads".
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "dataplane/shard/seam.h"
#include "smtp/recipients/domains.h"

namespace postern::relay {

/// Names one transaction of one session. `serial` is of the transaction, drawn by the shard, never 0.
struct transaction_id {
    std::uint32_t slot = 0;  ///< the session's connection slot
    std::uint32_t serial = 0;
    friend constexpr bool operator==(transaction_id, transaction_id) = default;
};

enum class body_type : std::uint8_t { unspecified, seven_bit, eight_bit_mime };

/// What the relay must know to open a transaction. Views are copied by `begin`.
struct envelope {
    std::string_view reverse_path;    ///< as received, without angle brackets; empty: null sender
    std::uint64_t declared_size = 0;  ///< SIZE=, 0: none
    body_type body = body_type::unspecified;
    std::string_view helo;  ///< as the client said it
    bool extended = true;   ///< EHLO (ESMTP in the trace line)
    shard::endpoint client;
    std::string_view message_id;  ///< the trace line's id, ASCII, at most 32 octets
};

/// What the list says of a recipient, as far as it matters behind the door.
struct list_word {
    bool listed = true;  ///< passed as one of the list's; the others get the small share of the route's connections
    bool in_table =
        false;  ///< is on the list indeed, not just never refused: a server that does not know it is told of
    bool discovers = false;    ///< is not, and its domain is in `discover`: good mail to it is evidence
    std::uint32_t domain = 0;  ///< stable id; 0: none
};

enum class event_kind : std::uint8_t {
    recipient,  ///< the answer to the oldest unanswered `recipient`
    data,       ///< 354: go ahead; else the refusal and the transaction is over
    credit,     ///< chunks were taken by the server; `count` credits come back
    final,      ///< the answer to the end of data; the transaction is over
    aborted,    ///< between commands or during data the transaction broke off; `reply` is what the session says to the
                ///< next RCPT, DATA or at the end of data. The transaction is over; later chunks are not wanted.
};

/// A reply to pass to the client: the server's own or the relay's for a server in trouble. One line, without CRLF;
/// always with an enhanced code for 2xx, 4xx, 5xx ("550 5.1.1 No such user").
struct reply {
    std::uint16_t code = 0;
    std::uint16_t size = 0;
    std::array<char, 508> text{};  ///< "550 5.1.1 …", the code included
    std::string_view view() const noexcept { return {text.data(), size}; }
};

struct event {
    event_kind kind = event_kind::recipient;
    std::uint16_t count = 0;
    transaction_id id;
    relay::reply reply;
};

/// A shard's side. Called on the shard's thread only. None of these block, allocate beyond the shard's pools, or fail
/// unless said.
class port {
public:
    virtual ~port() = default;

    /// Starts a transaction on `route`. False: the shard's pool of transactions is used up (say 451 4.3.0).
    virtual bool begin(transaction_id id, const std::shared_ptr<const recipients::route>& route,
                       const envelope& envelope) = 0;
    /// Asks for one recipient, `path` as received without angle brackets. One `recipient` event answers each, in order.
    virtual void recipient(transaction_id id, std::string_view path, const list_word& word) = 0;
    /// Asks for DATA; one `data` event (or `aborted`) answers.
    virtual void data(transaction_id id) = 0;
    /// How many octets `chunk` would take now (0: no credit; a `credit` event will come).
    virtual std::size_t room(transaction_id id) const = 0;
    /// Message content, unstuffed, CRLF line ends; at most `room` octets are taken, the count is returned.
    virtual std::size_t chunk(transaction_id id, std::span<const char> octets) = 0;
    /// The content is complete; one `final` event (or `aborted`) answers.
    virtual void end_of_data(transaction_id id) = 0;
    /// The transaction is to be dropped: before data by RSET, within data by closing the server's connection without
    /// the final dot. No event follows. Also said after `data`, `final`, `aborted` that ended it: no, those end by
    /// themselves.
    virtual void abandon(transaction_id id) = 0;

    /// Takes the next event of any of this shard's transactions; false: none. Stale ones never show.
    virtual bool next_event(event& out) = 0;
    virtual bool idle() const = 0;  ///< no event waits
    virtual void flush() = 0;       ///< end of turn: wake relay threads that have something new
};

}  // namespace postern::relay
