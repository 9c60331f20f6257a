// Every reply of Postern's own, one short line each, with its enhanced code (RFC 2034, 3463) where one is due.
//
// A reply is named by a `reply`, so it can be kept in an octet, counted, and explained; `text` is what goes on the
// wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern::protocol {

enum class reply : std::uint8_t {
    // Commands that went well.
    ok,
    sender_ok,
    help,
    closing,
    cannot_verify,
    // Commands that are wrong.
    not_implemented,
    unknown_command,
    line_too_long,
    bad_octets,
    bare_line_feed,
    bad_argument,
    hello_first,
    mail_first,
    recipient_first,
    sender_given,
    unknown_parameter,
    bad_sender,
    bad_recipient,
    utf8_address,
    // Recipients that are refused.
    invalid_recipient,
    recipient_deferred,
    not_served,
    from_outside,
    no_table,
    on_hold,
    no_route,
    other_route,
    too_many_recipients,
    one_recipient,
    no_valid_recipients,
    // Messages that are refused.
    too_large,
    bare_line_end,
    busy,
    out_of_space,
    // Replies that close the connection.
    too_many_errors,
    too_much_discarded,
    timeout,
    too_many_connections,
    too_many_from_source,
    draining,
    early_talker,
};

inline constexpr std::size_t reply_count = static_cast<std::size_t>(reply::early_talker) + 1;

/// The line, CRLF included.
std::string_view text(reply which) noexcept;

/// Whether the client broke the protocol (it may do so a few times); refused recipients and messages are no such thing.
bool is_protocol_error(reply which) noexcept;

/// The longest of all own replies, CRLF included.
std::size_t longest_own_reply() noexcept;

}  // namespace postern::protocol
