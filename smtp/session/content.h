// Takes message content apart as DATA carries it: dots unstuffed, its end found, bare CR and LF seen. RFC 5321 4.5.2.
//
// Sans-IO and without a buffer: an octet whose meaning depends on what follows (CR, a dot at the start of a line) is
// left unconsumed, so all that has to be kept is where in a line the next octet stands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace postern::session {

enum class line_position : std::uint8_t {
    start,       ///< after CR LF, or nothing yet
    after_bare,  ///< after a CR or LF that stood alone and was normalised
    within,
};

/// What is done with a CR or LF that stands alone.
enum class bare_policy : std::uint8_t {
    refuse,     ///< reported, not consumed
    normalise,  ///< passed as CR LF; what follows is at the start of a line, but can't be the end of data
    ignore,     ///< passed as it is: for content that nobody will get
};

enum class content_kind : std::uint8_t {
    content,      ///< `pass` is the next of the content (possibly empty: a stuffed dot was consumed)
    need_more,    ///< nothing was consumed: what follows decides
    no_room,      ///< nothing was consumed: more room is needed than there is
    bare,         ///< nothing was consumed: a bare CR or LF comes next, and it is refused
    end_of_data,  ///< CR LF . CR LF
};

struct content_step {
    content_kind kind = content_kind::need_more;
    std::size_t consumed = 0;
    std::span<const char> pass;  ///< of `in`, or CR LF of its own; at most `room` octets
};

/// The next step through `in`, which begins at position `at` of a line (and is moved on). Call until it is empty or
/// nothing is consumed.
content_step next_content(std::span<const char> in, line_position& at, bare_policy bare, std::size_t room) noexcept;

}  // namespace postern::session
