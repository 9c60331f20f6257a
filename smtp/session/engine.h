// The server's side of SMTP for all connections of one shard: sans-IO, one state machine per connection.
//
// Called by the transport through `layer`, speaks to it through `link` and to the relay through `relay::port`. Lookups
// of a turn are put into one batch and answered at the turn's end; every other command waits behind an unanswered
// RCPT, unconsumed. RFC 5321 3 and 4; 2920 (pipelining); docs: EDGE "The seam", "A turn", formats/smtp.md.
//
// engine.cc: connections, times, replies. engine_commands.cc: lines and commands. engine_recipients.cc: RCPT.
// engine_content.cc: DATA. engine_relay.cc: what the relay says. engine_steps.h: what every command takes, inline.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/shard/seam.h"
#include "smtp/protocol/commands.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/relay/port.h"
#include "smtp/session/counters.h"
#include "smtp/session/decision.h"
#include "smtp/session/link.h"
#include "smtp/session/seen.h"
#include "smtp/session/session_slots.h"
#include "smtp/session/settings.h"
#include "smtp/session/slab.h"
#include "smtp/session/state.h"

namespace postern::session {

/// The longest reply to any command, CRLF included: what a transport must be able to reserve.
inline constexpr std::size_t longest_reply = protocol::longest_reply;

/// What a shard's sessions work with. All of it outlives the engine.
struct context {
    const session::settings& settings;                      ///< without fault (`find_fault`)
    const std::atomic<const recipients::snapshot*>& table;  ///< in force; null: none yet. Read once a turn
    relay::port& relay;
    session::counters& count;
    std::uint32_t id_seed = 0;        ///< different for each shard and each start: begins the ids of messages
    seen_recipients* seen = nullptr;  ///< where decided recipients of served domains are told; null: nowhere
};

class engine {
public:
    /// `rooms`: the transport's for sessions, if it has some; they outlive the engine.
    engine(session::link& transport, const context& of, const shard::slot_rooms& rooms = {});
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;

    // As `shard::session_layer` (seam.h) describes them.
    void opened(shard::connection c, const shard::connection_info& info, shard::admission admitted);
    std::size_t readable(shard::connection c, std::span<const char> octets);
    void writable(shard::connection c);
    void peer_closed(shard::connection c);
    void reset(shard::connection c);
    void deadline(shard::connection c);
    void turn_begin();
    void turn_end();
    /// Asks the cache for the session of a connection's slot: before a burst's octets. Always inline: to GCC a call of
    /// a function that only prefetches does nothing, and it leaves it out.
    [[gnu::always_inline]] void prefetch(std::uint32_t slot) const noexcept {
        if (const client_session* const s = _sessions.find(slot); s != nullptr) {
            __builtin_prefetch(s, 1);
        }
    }
    bool idle() const { return _context.relay.idle(); }
    void drain();
    std::size_t open_sessions() const noexcept { return _open; }

private:
    /// One connection during one call: its slot, and reply space that is committed when the work on it is done.
    class work;
    /// What became of octets that were offered.
    enum class step : std::uint8_t {
        taken,    ///< some were consumed: go on
        partial,  ///< more must come first
        stalled,  ///< they wait for something else: ask for them again then
        gone,     ///< the connection is closed
    };

    // engine.cc
    inline client_session* find(shard::connection c) noexcept;
    void greet(work& w);
    /// Ends the transaction, if there is one; what the relay holds of it is abandoned.
    void drop_transaction(work& w);
    void release_queue(client_session& s);
    /// `silent`: the peer said that it sends nothing more.
    void close(work& w, bool silent = false);
    void close_with(work& w, protocol::reply last);
    void reset_for_memory(work& w);
    void forget(client_session& s);
    void wait(work& w, milliseconds at_most);
    bool waits_for_relay(const client_session& s);
    /// After a callback: half-close, drain.
    inline void settle(work& w);
    void settle_end(work& w);
    /// After octets.
    void settle_deadline(work& w, step last);
    /// Says `line` now, or when there is room.
    void say(work& w, std::string_view line);
    std::uint32_t keep(std::string_view line);
    /// Asks for the octets that were left, if there are some.
    void read_again(work& w);

    // engine_commands.cc
    step command_line(work& w, std::span<const char> in, std::size_t& consumed);
    step discard(work& w, std::span<const char> in, std::size_t& consumed);
    step execute(work& w, std::string_view line);
    step carry_out(work& w, const protocol::command& command);
    step fail(work& w, protocol::reply error);
    step hello(work& w, const protocol::command& command);
    step mail(work& w, const protocol::command& command);
    step data(work& w);
    bool must_wait(const client_session& s);

    // engine_recipients.cc
    bool make_place(client_session& s);
    bool open_queue(client_session& s);
    step recipient(work& w, std::string_view path);
    step postmaster(work& w, std::string_view path);
    step refuse_recipient(work& w, protocol::reply with);
    inline void look_up(work& w, std::string_view path, std::uint32_t transaction, std::uint32_t number);
    void resolve();
    void decided(work& w, std::uint32_t number, std::string_view path, const recipients::verdict& verdict);
    void pass_on(work& w, pending_recipient& p, std::string_view path, const recipients::verdict& verdict);
    bool open_relay(work& w, const std::shared_ptr<const recipients::route>& route);
    /// What ended the relay's transaction, as a line.
    std::string_view last_word(const transaction& t);
    protocol::reply place(work& w, const recipients::route& route, bool listed);
    void count(const decision& d);
    void answer_alone(work& w, protocol::reply with);
    /// Says the replies that are due, oldest first.
    inline void answer(work& w);
    void answer_waiting(work& w);

    // engine_content.cc
    step content(work& w, std::span<const char> in, std::size_t& consumed);
    step swallow(work& w, std::span<const char> in, std::size_t& consumed);
    void refuse_content(work& w, protocol::reply with);

    // engine_relay.cc
    void take_event(const relay::event& e);
    void recipient_answered(work& w, const relay::reply& said);
    void data_answered(work& w, const relay::reply& said);
    void final_answered(work& w, const relay::reply& said);
    void broken_off(work& w, const relay::reply& said);
    void end_transaction(work& w, std::string_view last);

    std::uint32_t next_serial() noexcept;

    /// A lookup of this turn; the path is kept in `_paths`.
    struct lookup {
        shard::connection connection;
        std::uint32_t transaction = 0;
        std::uint32_t number = 0;  ///< in the queue
        std::string_view path;     ///< as received, in `_paths`
    };
    /// The replies that are the same for a whole listener.
    struct listener_texts {
        protocol::extension_set extensions;
        std::size_t line_limit = 0;
        std::string ehlo;
    };
    const listener_texts& texts_of(const client_session& s) const noexcept;

    session::link& _link;
    context _context;
    std::string _greeting;
    std::string _helo;
    std::vector<listener_texts> _listeners;  ///< the last one is for listeners beyond the settings

    const recipients::snapshot* _snapshot = nullptr;  ///< of this turn
    recipients::lookup_batch _batch;
    recipients::normal_address _address;  ///< of the command being parsed
    std::vector<lookup> _lookups;
    std::unique_ptr<char[]> _paths;  ///< room for all lookups of a turn at their longest
    std::size_t _paths_used = 0;
    relay::event _event;

    session_slots _sessions;
    slab<transaction> _transactions;
    slab<recipient_queue> _queues;
    slab<text_block> _texts;
    std::size_t _open = 0;
    std::uint32_t _serial = 0;
    bool _draining = false;
};

}  // namespace postern::session
