#include "smtp/protocol/replies.h"

#include <algorithm>
#include <array>

namespace postern::protocol {

namespace {

struct reply_line {
    reply which;
    std::string_view text;
    bool protocol_error = false;
};

constexpr std::array<reply_line, reply_count> table{{
    {reply::ok, "250 2.0.0 OK\r\n"},
    {reply::sender_ok, "250 2.1.0 Sender OK\r\n"},
    {reply::help, "214 2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\r\n"},
    {reply::closing, "221 2.0.0 Bye\r\n"},
    {reply::cannot_verify, "252 2.5.2 Cannot verify, send a message to find out\r\n"},

    {reply::not_implemented, "502 5.5.1 Not implemented\r\n"},
    {reply::unknown_command, "500 5.5.2 Unknown command\r\n", true},
    {reply::line_too_long, "500 5.5.2 Line too long\r\n", true},
    {reply::bad_octets, "501 5.5.2 Control or 8-bit octet in a command\r\n", true},
    {reply::bare_line_feed, "501 5.5.2 Line does not end with CR LF\r\n", true},
    {reply::bad_argument, "501 5.5.4 Bad argument\r\n", true},
    {reply::hello_first, "503 5.5.1 EHLO first\r\n", true},
    {reply::mail_first, "503 5.5.1 MAIL first\r\n", true},
    {reply::recipient_first, "503 5.5.1 RCPT first\r\n", true},
    {reply::sender_given, "503 5.5.1 Sender already given\r\n", true},
    {reply::unknown_parameter, "555 5.5.4 Unknown parameter\r\n", true},
    {reply::bad_sender, "501 5.1.7 Bad sender address\r\n"},
    {reply::bad_recipient, "501 5.1.3 Bad recipient address\r\n"},
    {reply::utf8_address, "553 5.6.7 UTF-8 address without SMTPUTF8\r\n"},

    {reply::invalid_recipient, "550 5.1.1 Invalid recipient\r\n"},
    {reply::recipient_deferred, "450 4.1.1 Recipient not known yet, try later\r\n"},
    {reply::not_served, "550 5.7.1 Domain not served here\r\n"},
    {reply::from_outside, "550 5.7.1 Not accepted from outside\r\n"},
    {reply::no_table, "451 4.3.0 No recipient table yet, try later\r\n"},
    {reply::on_hold, "450 4.3.2 Domain on hold, try later\r\n"},
    {reply::no_route, "451 4.3.5 No mail server confirmed for the domain\r\n"},
    {reply::other_route, "452 4.5.3 Other mail server, send in a transaction of its own\r\n"},
    {reply::too_many_recipients, "452 4.5.3 Too many recipients\r\n"},
    {reply::one_recipient, "452 4.5.3 Send in a transaction of its own\r\n"},
    {reply::no_valid_recipients, "554 5.5.1 No valid recipients\r\n"},

    {reply::too_large, "552 5.3.4 Message too large\r\n"},
    {reply::bare_line_end, "554 5.5.2 Bare CR or LF in the message\r\n"},
    {reply::busy, "451 4.3.0 Busy, try later\r\n"},
    {reply::out_of_space, "452 4.3.1 Out of memory, try later\r\n"},

    {reply::too_many_errors, "421 4.7.0 Too many errors\r\n"},
    {reply::too_much_discarded, "421 4.7.0 Too much to discard\r\n"},
    {reply::timeout, "421 4.4.2 Timeout\r\n"},
    {reply::too_many_connections, "421 4.3.2 Too many connections\r\n"},
    {reply::too_many_from_source, "421 4.7.0 Too many connections from your address\r\n"},
    {reply::draining, "421 4.3.2 Shutting down\r\n"},
    {reply::early_talker, "554 5.5.1 Talked before the greeting\r\n"},
}};

consteval bool in_order() {
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (static_cast<std::size_t>(table[i].which) != i) {
            return false;
        }
    }
    return true;
}
static_assert(in_order(), "the table is indexed by the reply");

}  // namespace

std::string_view text(reply which) noexcept {
    return table[static_cast<std::size_t>(which)].text;
}

bool is_protocol_error(reply which) noexcept {
    return table[static_cast<std::size_t>(which)].protocol_error;
}

std::size_t longest_own_reply() noexcept {
    constexpr std::size_t longest =
        std::max_element(table.begin(), table.end(), [](const reply_line& a, const reply_line& b) {
            return a.text.size() < b.text.size();
        })->text.size();
    return longest;
}

}  // namespace postern::protocol
