// Replies of mail servers: read with bounds, judged, and put into the one line that is passed on.
//
// RFC 5321 4.2 (format), 4.2.1 (multi-line), RFC 2034 and 3463 (enhanced codes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "smtp/relay/port.h"

namespace postern::relay {

/// A server's reply. `text`: the lines without code and line end, joined by LF; as the server sent it, so hostile.
struct server_reply {
    std::uint16_t code = 0;
    std::string text;

    bool positive() const noexcept { return code >= 200 && code < 300; }
    bool transient() const noexcept { return code >= 400 && code < 500; }
    bool permanent() const noexcept { return code >= 500; }
};

/// Puts octets together to replies. A line may end with LF alone.
class reply_reader {
public:
    static constexpr std::size_t most_line_octets = 2048;
    static constexpr std::size_t most_lines = 128;
    static constexpr std::size_t most_octets = std::size_t{16} * 1024;

    enum class result : std::uint8_t {
        more,       ///< everything was taken and no reply is whole
        complete,   ///< one is whole; octets behind it were not taken
        malformed,  ///< not a reply
        too_long,   ///< over one of the bounds
    };

    /// Takes from the front of `octets`. After `malformed` or `too_long` nothing more may be given.
    result take(std::span<const char>& octets);
    /// The reply after `complete`; the reader is ready for the next.
    server_reply take_reply();
    /// Octets of an unfinished reply are held.
    bool within() const noexcept { return !_line.empty() || _lines > 0; }

private:
    result end_line();

    server_reply _reply;
    std::string _line;
    std::size_t _lines = 0;
    std::size_t _octets = 0;
};

/// What a reply answers; decides the enhanced code that is added where the server gave none.
enum class answered : std::uint8_t { mail, rcpt, data, final };

/// The relay's own reply. `enhanced` and `text` are ASCII.
reply make_reply(std::uint16_t code, std::string_view enhanced, std::string_view text) noexcept;

/// The server's reply as one line of at most 508 octets of printable ASCII, with an enhanced code of its class.
/// The code must be 2xx, 4xx or 5xx, or 354, which is "354 Go ahead".
reply pass_on(const server_reply& from, answered what);

/// "554 5.7.1 Relay access denied" for alarms: one line of printable ASCII, at most 200 octets.
std::string for_people(const server_reply& from);

/// A server's word that there is no such mailbox: 5.1.1 (RFC 3463), in so many figures.
bool says_unknown(const server_reply& reply);

/// A refusal of Postern rather than of the message: 530, or "relaying denied" in one of the ways servers say it.
bool refuses_us(const server_reply& reply);

}  // namespace postern::relay
