// What each step of the dialogue must be answered with. A rule is a list of prefixes, `550 5.1.1|450`: a reply is right
// if it begins with one of them, up to a blank or its end.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace postern::perf {

/// The things one can expect a reply to.
enum class expected_reply : std::uint8_t {
    greeting,
    ehlo,
    starttls,
    mail,
    valid,         ///< RCPT of a listed address
    stranger,      ///< RCPT of an address that is not listed
    data,          ///< DATA after an accepted recipient
    data_refused,  ///< DATA when every recipient was refused
    message,       ///< the end of data
    rset,
    quit,
};

class expectations {
public:
    static constexpr std::size_t kinds = 11;

    /// The replies of a server that has the list and refuses strangers for good.
    expectations();

    /// `NAME=PREFIX[|PREFIX…]`, for example `stranger=450 4.1.1`. The error names what is wrong and the names there
    /// are.
    tl::expected<void, std::string> set(std::string_view rule);

    /// `reply`: the last line of a reply, without CRLF.
    bool met(expected_reply what, std::string_view reply) const noexcept;
    /// The rule's text, for messages: `550 5.1.1|450`.
    std::string text(expected_reply what) const;

private:
    std::array<std::vector<std::string>, kinds> _prefixes;
};

}  // namespace postern::perf
