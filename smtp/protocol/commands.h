// The commands of SMTP: a table of what each is called, how it is parsed, when it is allowed and how long its reply
// can get; and the parser of one command line.
//
// `find_command` names the command of a line (it costs one comparison of four octets each), so that room for its reply
// can be seen to before `parse` takes it apart. RFC 5321 4.1.1, 4.1.2, 4.1.4; parameters: RFC 1870, 6152.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tl/expected.hpp>

#include "smtp/protocol/extensions.h"
#include "smtp/protocol/replies.h"
#include "smtp/recipients/address.h"

namespace postern::protocol {

enum class verb : std::uint8_t { unknown, helo, ehlo, mail, rcpt, data, rset, noop, quit, vrfy, expn, help };

/// Where a session stands, as far as the order of commands goes. One bit each: a command's `phases` are a mask.
enum class phase : std::uint8_t {
    greeted = 1 << 0,      ///< no EHLO or HELO yet
    ready = 1 << 1,        ///< between transactions
    transaction = 1 << 2,  ///< after MAIL
};

enum class body_type : std::uint8_t { unspecified, seven_bit, eight_bit_mime };

/// One parsed command. Views are of the line it was parsed from.
struct command {
    protocol::verb verb = protocol::verb::unknown;
    /// HELO, EHLO: the name. MAIL, RCPT: the path as received, without angle brackets and source route (empty: `<>`).
    std::string_view argument;
    std::uint64_t size = 0;  ///< MAIL: SIZE=, 0 if not given
    body_type body = body_type::unspecified;
};

/// The longest path that is taken, source route included; a longer one is a bad address.
inline constexpr std::size_t longest_path = 1000;
/// The longest name that EHLO and HELO take (RFC 5321 4.5.3.1.2).
inline constexpr std::size_t longest_name = 255;
/// The longest reply that is passed on for a mail server, CRLF included (RFC 5321 4.5.3.1.5).
inline constexpr std::size_t longest_passed_reply = 512;
/// The longest reply to EHLO: an own name of 255 octets and all extensions.
inline constexpr std::size_t longest_hello_reply = 512;
/// Room for any reply.
inline constexpr std::size_t longest_reply = 512;

struct parse_context {
    extension_set extensions;             ///< of the listener
    recipients::normal_address& address;  ///< MAIL, RCPT: gets the normal form of the path, unless it is empty
};

struct command_spec {
    std::string_view name;
    protocol::verb verb = protocol::verb::unknown;
    std::uint8_t phases = 0;                 ///< where it is allowed
    reply out_of_order = reply::mail_first;  ///< the answer where it is not allowed though EHLO was said
    std::uint16_t longest_reply = 0;         ///< octets, CRLF included
    bool utf8_path = false;                  ///< octets over 127 may stand between angle brackets
    /// Takes what follows the name (spaces around it removed). The error is the reply.
    tl::expected<void, reply> (*parse)(std::string_view argument, const parse_context& in, command& out) = nullptr;

    bool allowed(phase at) const noexcept { return (phases & static_cast<std::uint8_t>(at)) != 0; }
    /// The answer where it is not allowed.
    reply refusal(phase at) const noexcept { return at == phase::greeted ? reply::hello_first : out_of_order; }
};

/// The table's entry for the command that `line` (without its end) begins with; that of `verb::unknown` if there is
/// none.
const command_spec& find_command(std::string_view line) noexcept;

/// Parses `line` (without its end) as the command that `find_command` found, into `out`. The error is the reply, and
/// then `out` says nothing.
tl::expected<void, reply> parse(const command_spec& spec, std::string_view line, const parse_context& in,
                                command& out) noexcept;
/// The same with the command as its value.
tl::expected<command, reply> parse(const command_spec& spec, std::string_view line, const parse_context& in) noexcept;

/// The line that nearly all are: `RCPT TO:<`, in any case, a plain address (recipients/address.h), `>` and CRLF, at the
/// front of `in`. `parse` would take it likewise; this looks at each octet once.
struct plain_recipient {
    std::string_view
        path;              ///< as received, without the brackets; empty: it is not such a line, or not the whole of one
    std::size_t size = 0;  ///< octets of the line, CRLF included
};
plain_recipient find_plain_recipient(std::string_view in, recipients::normal_address& address) noexcept;

/// The answer to a path that is no address.
reply reply_to(recipients::address_error error, verb in) noexcept;

}  // namespace postern::protocol
