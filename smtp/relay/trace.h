// The trace line that goes on top of a message, and the count of those already there.
//
// RFC 5321 4.4 (Received), 6.3 (loop detection by hop count); RFC 5322 3.6.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/shard/seam.h"

namespace postern::relay {

struct trace_facts {
    std::string_view helo;
    shard::endpoint client;
    std::string_view by;
    bool extended = true;
    std::string_view message_id;
    std::string_view only_recipient;  ///< empty: several, none is named
    std::time_t when = 0;
};

/// `Received: from helo ([ip]) by name with ESMTP id …; date`, folded, with CRLF. Whatever could break the header's
/// syntax in what the client said is replaced by `?`; a recipient that would is left out.
std::string trace_line(const trace_facts& facts);

/// "192.0.2.1", or "IPv6:2001:db8::1" (RFC 5321 4.1.3).
std::string address_text(const shard::endpoint& from);

/// Reads a message's header as it passes by and counts `Received:` fields, and those written "by" one of some names.
class loop_guard {
public:
    /// `names` are compared without case; must outlive the guard.
    explicit loop_guard(const std::vector<std::string>& names) : _names(&names) {}

    /// Content, in pieces of any size.
    void take(std::span<const char> octets);
    std::uint32_t received() const noexcept { return _received; }
    std::uint32_t received_by_us() const noexcept { return _ours; }

private:
    enum class place : std::uint8_t {
        line_start,  ///< of a header line; a blank starts a continuation
        name,        ///< within a field's name
        other,       ///< within a field that is not Received
        received,    ///< within a Received field
        over,        ///< behind the header
    };

    void take_received(char c);
    void end_word();

    const std::vector<std::string>* _names;
    std::uint32_t _received = 0;
    std::uint32_t _ours = 0;
    std::string _word;  ///< of the field's name, or of a Received field; at most `most_word` octets
    place _place = place::line_start;
    bool _in_received = false;  ///< the field that a continuation would go on with
    bool _by_next = false;      ///< the last word was "by"
    bool _counted = false;      ///< this field was ours already
    bool _quoted = false;
    bool _escaped = false;
    std::uint16_t _comments = 0;  ///< nested so deep
};

}  // namespace postern::relay
