// What the sessions of a shard are told: names, limits, times, policies. Fixed while the shard runs.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smtp/protocol/extensions.h"
#include "smtp/recipients/domains.h"

namespace postern::session {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Each runs against slow clients, too: octets that trickle in do not prolong it.
struct timeouts {
    milliseconds greeting_delay{0};       ///< silence before the greeting; who talks in it is an early talker
    milliseconds greeting = seconds(60);  ///< from the connection to EHLO or HELO
    milliseconds command = seconds(60);   ///< from the first octet of a command line to its end
    milliseconds idle = seconds(300);     ///< between commands; also for a client that does not take its replies
    milliseconds data = seconds(180);     ///< within it `data_minimum` octets of content must come, again and again
    milliseconds session = seconds(4 * 3600);  ///< in all; only a message that is complete is waited for beyond it
    milliseconds relay = seconds(900);         ///< for any answer of the relay: longer than its own longest wait
};

/// What happens to a CR or LF that stands alone (SMTP smuggling); it is never an end of data.
enum class bare_line_ends : std::uint8_t {
    refuse,     ///< 554 5.5.2 in a message, 501 5.5.2 in a command
    normalise,  ///< becomes CR LF in a message; a command may end with a bare LF
};

struct listener_settings {
    protocol::extension_set extensions = protocol::usual_extensions;
};

struct settings {
    std::string name;                          ///< own host name, at most 255 octets
    std::vector<listener_settings> listeners;  ///< by `connection_info::listener`; one beyond it has the usual ones

    std::uint64_t size_limit = 52'428'800;     ///< octets of a message; 0: none
    std::uint32_t recipient_limit = 100;       ///< accepted in one transaction
    std::uint32_t null_sender_recipients = 0;  ///< the same for `MAIL FROM:<>`; 0: no limit of its own
    std::uint16_t command_line_limit = 512;    ///< octets with CRLF, at most 4096; extensions add to it
    std::uint16_t protocol_error_limit = 20;   ///< the next one is 421
    std::uint32_t discard_limit = 65'536;      ///< octets of over-long lines in one session; beyond it 421
    std::uint64_t swallow_limit = 10'485'760;  ///< octets of a message after its refusal; beyond it 421
    std::uint64_t data_minimum = 1'024;        ///< octets in each `timeouts::data`
    bool serve_address_literals = false;       ///< look `user@[192.0.2.1]` up; else 550 5.7.1
    std::uint32_t postmaster_route = 0;        ///< where the bare `<postmaster>` goes; 0: 451 4.3.5
    session::bare_line_ends bare_line_ends = bare_line_ends::refuse;
    std::vector<recipients::network> bare_line_end_exceptions;  ///< sources to which the other policy applies
    session::timeouts timeouts;

    std::uint32_t transactions = 65'536;  ///< open at a time, a shard; one more gets 452 4.3.1
    std::uint32_t texts = 65'536;         ///< kept long names, paths and replies, a shard (1 KiB each when used)
};

/// Limits within which `settings` must be; the error says which is not, and what it may be.
std::optional<std::string> find_fault(const settings& of);

}  // namespace postern::session
