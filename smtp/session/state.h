// What is kept of one session: a small slot for each connection, and blocks borrowed while there is work.
//
// The slot alone is what an idle session (greeted, EHLO said, no transaction) costs: EDGE.md, Memory. A transaction's
// envelope is borrowed at MAIL, the queue of unanswered recipients while there are some (but for one alone that is
// refused at once), and a text block for a name, path or reply that is longer than usual. There is no line buffer: half
// a command line stays with the transport.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/shard/seam.h"
#include "smtp/protocol/commands.h"
#include "smtp/protocol/replies.h"
#include "smtp/session/content.h"
#include "smtp/session/slab.h"

namespace postern::session {

enum class session_state : std::uint8_t {
    closed,          ///< the slot is free
    delayed,         ///< waits before the greeting
    greeted,         ///< no EHLO or HELO yet
    ready,           ///< between transactions
    transaction,     ///< after MAIL; recipients may be unanswered
    awaiting_data,   ///< the relay was asked for DATA
    content,         ///< message content goes to the relay
    swallowing,      ///< message content goes nowhere: it is refused at its end
    awaiting_final,  ///< the relay was told the end of data
};

/// A name, a path or a reply.
struct text_block {
    static constexpr std::size_t capacity = 1022;
    std::uint16_t size;
    std::array<char, capacity> octets;

    std::string_view view() const noexcept { return {octets.data(), size}; }
};
static_assert(text_block::capacity >= protocol::longest_path);
static_assert(text_block::capacity >= protocol::longest_name);
static_assert(text_block::capacity >= protocol::longest_passed_reply);

/// What every RCPT touches of a transaction; as below when there is none.
struct open_recipients {
    std::uint32_t serial = 0;  ///< of the transaction, drawn at MAIL
    std::uint32_t queue = no_block;
    std::uint16_t unresolved = 0;  ///< in the shard's batch
    std::uint16_t asked = 0;       ///< of the relay, and not answered
    bool tried = false;            ///< RCPT was said
};

/// A line that every command touches, and the rest behind it.
struct alignas(64) client_session {
    static constexpr std::size_t short_name = 61;

    std::uint32_t serial = 0;  ///< of the connection
    session_state state = session_state::closed;
    bool extended : 1 = false;      ///< EHLO, not HELO
    bool stalled : 1 = false;       ///< octets were left that wait for something else than more octets
    bool partial_line : 1 = false;  ///< half a command line is there; `due` counts from its beginning
    bool discarding : 1 = false;    ///< the rest of a bad command line
    bool answered : 1 = false;      ///< the line being discarded has its reply already
    bool half_closed : 1 = false;   ///< the peer sent FIN
    bool normalise : 1 = false;     ///< bare line ends of this source are mended
    bool relay_behind : 1 = false;  ///< content waits for the relay's credit
    std::uint16_t errors = 0;       ///< of protocol
    std::uint32_t transaction = no_block;
    std::uint32_t held_reply = no_block;  ///< text: a reply that found no room
    open_recipients recipients;
    shard::instant opened{};
    shard::instant due = shard::never;    ///< when this state has lasted too long
    shard::instant armed = shard::never;  ///< the transport's deadline, at or before `due`
    std::uint32_t discarded = 0;          ///< octets of bad command lines
    std::uint32_t long_name = no_block;   ///< text: a name of over `short_name` octets
    std::uint16_t listener = 0;
    std::uint8_t name_size = 0;
    std::array<char, short_name> name{};  ///< as EHLO or HELO gave it
};
static_assert(offsetof(client_session, listener) == 64);
static_assert(sizeof(client_session) <= 128, "with 64 octets of a transport's own an idle connection stays within 192");

enum class recipient_state : std::uint8_t {
    looking_up,  ///< in the shard's batch
    asked,       ///< of the relay; the text block, if any, has its path
    answered,    ///< by an own reply
    held,        ///< by a reply of the mail server's, in a text block
    broken_off,  ///< by what ended the relay's transaction
};

/// A RCPT that has no reply yet, or whose reply waits for those before it.
struct pending_recipient {
    std::uint32_t domain = 0;  ///< its stable id; 0: none
    std::uint32_t text = no_block;
    recipient_state state = recipient_state::looking_up;
    protocol::reply reply = protocol::reply::ok;
    bool listed = false;
};

/// First in, first out; numbers count all that were ever put in, so they stay valid as names.
class alignas(64) recipient_queue {
public:
    static constexpr std::uint32_t capacity = 64;

    void clear() noexcept { _first = _last = 0; }
    bool empty() const noexcept { return _first == _last; }
    bool full() const noexcept { return _last - _first == capacity; }
    std::uint32_t size() const noexcept { return _last - _first; }
    std::uint32_t first() const noexcept { return _first; }
    std::uint32_t last() const noexcept { return _last; }  ///< behind the newest
    pending_recipient& operator[](std::uint32_t number) noexcept { return _entries[number % capacity]; }
    std::uint32_t push() noexcept {
        _entries[_last % capacity] = pending_recipient{};
        return _last++;
    }
    void pop() noexcept { ++_first; }

private:
    std::uint32_t _first = 0;
    std::uint32_t _last = 0;
    std::array<pending_recipient, capacity> _entries;
};

/// Whether there is a transaction at the relay for this one.
enum class relay_state : std::uint8_t { none, open, broken_off };

struct alignas(64) transaction {
    static constexpr std::size_t short_path = 128;

    std::uint32_t relay_serial = 0;  ///< of its transaction at the relay
    std::uint32_t route = 0;
    std::uint32_t accepted = 0;          ///< recipients, by the mail server
    std::uint32_t unlisted = 0;          ///< of those and the ones asked about
    std::uint32_t long_path = no_block;  ///< text: a reverse path of over `short_path` octets
    std::uint32_t last_word = no_block;  ///< text: the reply that ended the relay's transaction
    relay_state relay = relay_state::none;
    bool catch_all = false;  ///< the route's server takes any recipient
    line_position position = line_position::start;
    bool refused_by_relay = false;  ///< swallowing ends in `last_word`, else in `refusal`
    protocol::reply refusal = protocol::reply::ok;
    protocol::body_type body = protocol::body_type::unspecified;
    std::uint16_t path_size = 0;
    std::uint64_t declared_size = 0;
    std::uint64_t content_size = 0;  ///< octets passed on
    std::uint64_t swallowed = 0;     ///< octets since the refusal
    std::uint64_t progress = 0;      ///< octets since `due` was set last
    std::array<char, short_path> path{};
};
static_assert(sizeof(transaction) <= 256);

}  // namespace postern::session
