// What a shard's sessions count. Written by the shard's thread only, read by anybody and added up over shards.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace postern::session {

/// One writer, so no locked instruction; relaxed, so each is right by itself.
class counter {
public:
    void add(std::uint64_t n = 1) noexcept { set(get() + n); }
    void sub(std::uint64_t n = 1) noexcept { set(get() - n); }
    void set(std::uint64_t value) noexcept { _value.store(value, std::memory_order_relaxed); }
    std::uint64_t get() const noexcept { return _value.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> _value{0};
};

struct alignas(64) counters {
    // Connections.
    counter sessions;          ///< opened and admitted
    counter sessions_open;     ///< now
    counter refused_total;     ///< 421 4.3.2, the listener's limit
    counter refused_source;    ///< 421 4.7.0, the source's limit
    counter refused_draining;  ///< 421 4.3.2, shutting down
    counter early_talkers;     ///< 554 before the greeting
    counter timeouts;          ///< 421 4.4.2
    counter closed_errors;     ///< 421 4.7.0, too many errors or too much discarded
    counter disconnected;      ///< the peer went away within a transaction
    counter aborted_memory;    ///< reset because no memory was left to keep its replies
    // Commands.
    counter commands;         ///< parsed
    counter protocol_errors;  ///< answered with an error of the client's
    // Recipients, by decision.
    counter recipients;                 ///< RCPT commands answered
    counter recipients_syntax;          ///< 501 5.1.3 or 553 5.6.7
    counter recipients_invalid;         ///< 550 5.1.1
    counter recipients_deferred;        ///< 450 4.1.1, unknown under `defer`
    counter recipients_grace_deferred;  ///< 450 4.1.1, in grace
    counter recipients_not_served;      ///< 550 5.7.1
    counter recipients_from_outside;    ///< 550 5.7.1, internal only
    counter recipients_on_hold;         ///< 450 4.3.2
    counter recipients_no_table;        ///< 451 4.3.0
    counter recipients_no_route;        ///< 451 4.3.5
    counter recipients_other_route;     ///< 452 4.5.3
    counter recipients_too_many;        ///< 452 4.5.3
    counter recipients_apart;           ///< 452 4.5.3, a catch-all server: unlisted ones go alone
    counter recipients_passed;          ///< asked of the mail server
    counter recipients_accepted;        ///< the mail server's 2xx
    counter would_reject;               ///< unknown under `observe` or `discover`, passed
    // Messages.
    counter messages;                ///< the mail server's 2xx to the end of data
    counter messages_refused;        ///< its 4xx or 5xx, or it broke off
    counter messages_too_large;      ///< 552, declared or grown
    counter messages_bare_line_end;  ///< 554 5.5.2
    counter messages_abandoned;      ///< the sender did not finish
    counter octets;                  ///< of message content taken
    counter stale_events;            ///< of the relay, for a transaction that is over
    /// The greatest generation that a recipient was decided with; not a sum.
    counter generation;

    /// Calls `see(name, value)` for each that is added up over shards; the names are those of `show counters`.
    template <class F>
    void each(F&& see) const {
        see(std::string_view("smtp_sessions"), sessions.get());
        see(std::string_view("smtp_sessions_open"), sessions_open.get());
        see(std::string_view("smtp_refused_total"), refused_total.get());
        see(std::string_view("smtp_refused_source"), refused_source.get());
        see(std::string_view("smtp_refused_draining"), refused_draining.get());
        see(std::string_view("smtp_early_talkers"), early_talkers.get());
        see(std::string_view("smtp_timeouts"), timeouts.get());
        see(std::string_view("smtp_closed_errors"), closed_errors.get());
        see(std::string_view("smtp_disconnected"), disconnected.get());
        see(std::string_view("smtp_aborted_memory"), aborted_memory.get());
        see(std::string_view("smtp_commands"), commands.get());
        see(std::string_view("smtp_protocol_errors"), protocol_errors.get());
        see(std::string_view("smtp_recipients"), recipients.get());
        see(std::string_view("smtp_recipients_syntax"), recipients_syntax.get());
        see(std::string_view("smtp_recipients_invalid"), recipients_invalid.get());
        see(std::string_view("smtp_recipients_deferred"), recipients_deferred.get());
        see(std::string_view("smtp_recipients_grace_deferred"), recipients_grace_deferred.get());
        see(std::string_view("smtp_recipients_not_served"), recipients_not_served.get());
        see(std::string_view("smtp_recipients_from_outside"), recipients_from_outside.get());
        see(std::string_view("smtp_recipients_on_hold"), recipients_on_hold.get());
        see(std::string_view("smtp_recipients_no_table"), recipients_no_table.get());
        see(std::string_view("smtp_recipients_no_route"), recipients_no_route.get());
        see(std::string_view("smtp_recipients_other_route"), recipients_other_route.get());
        see(std::string_view("smtp_recipients_too_many"), recipients_too_many.get());
        see(std::string_view("smtp_recipients_apart"), recipients_apart.get());
        see(std::string_view("smtp_recipients_passed"), recipients_passed.get());
        see(std::string_view("smtp_recipients_accepted"), recipients_accepted.get());
        see(std::string_view("smtp_would_reject"), would_reject.get());
        see(std::string_view("smtp_messages"), messages.get());
        see(std::string_view("smtp_messages_refused"), messages_refused.get());
        see(std::string_view("smtp_messages_too_large"), messages_too_large.get());
        see(std::string_view("smtp_messages_bare_line_end"), messages_bare_line_end.get());
        see(std::string_view("smtp_messages_abandoned"), messages_abandoned.get());
        see(std::string_view("smtp_octets"), octets.get());
        see(std::string_view("smtp_stale_events"), stale_events.get());
    }
};

}  // namespace postern::session
