// From the table's word on a recipient to the answer: pure functions, shared by the sessions and by `explain` at the
// edge socket. docs: DESIGN "What a domain does with an unknown recipient", formats/smtp.md "Replies".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "smtp/protocol/replies.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/session/settings.h"

namespace postern::session {

/// Why a recipient is answered as it is.
enum class reason : std::uint8_t {
    listed,               ///< passed
    always,               ///< passed: postmaster or abuse
    unknown_passed,       ///< passed: unknown, but the domain observes or discovers
    unknown,              ///< refused: not on the list
    unknown_deferred,     ///< deferred: not on the list
    grace_deferred,       ///< deferred: removed a short while ago
    from_outside,         ///< refused: internal only
    not_served,           ///< refused: no such domain here
    literal,              ///< refused: address literals are not served
    on_hold,              ///< deferred: the domain is on hold
    no_route,             ///< deferred: the domain has no mail server
    route_not_confirmed,  ///< deferred: nobody has confirmed it
    no_table,             ///< deferred: no table was ever loaded
};

/// A sentence for people.
std::string_view to_string(reason why) noexcept;

struct decision {
    reason why = reason::no_table;
    bool pass = false;                                  ///< to the mail server, whose answer is the answer
    bool listed = false;                                ///< if passed: the table's word, as the relay is told
    protocol::reply reply = protocol::reply::no_table;  ///< if not passed
};

/// The answer to a recipient whose verdict is `of`, from a client at `peer`.
decision decide(const recipients::verdict& of, const std::array<std::uint8_t, 16>& peer) noexcept;

/// What is decided before any lookup: there is no table, or the address is a literal and those are not served.
std::optional<decision> decide_unseen(const recipients::snapshot* in, const recipients::normal_address& address,
                                      const settings& under) noexcept;

/// The verdict on the bare `<postmaster>`: never refused, goes to the configured route.
recipients::verdict postmaster_verdict(const recipients::snapshot& in, const settings& under) noexcept;

/// All of the above at once, for tools: one address in normal form against the table in force (null: none).
struct explanation {
    session::decision decision;
    recipients::verdict verdict;  ///< as it is by default if nothing was looked up
};
explanation explain(const recipients::snapshot* in, const recipients::normal_address& address,
                    const std::array<std::uint8_t, 16>& peer, const settings& under);

}  // namespace postern::session
