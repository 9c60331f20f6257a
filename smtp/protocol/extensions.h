// The extensions that a listener announces, and the replies to EHLO and HELO that say so.
//
// Announced per listener, before a route can be known. RFC 5321 4.1.1.1; 1870, 2920, 2034, 6152, 9422.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace postern::protocol {

enum class extension : std::uint8_t {
    pipelining = 1 << 0,
    size = 1 << 1,
    eight_bit_mime = 1 << 2,
    enhanced_status_codes = 1 << 3,
    one_recipient_domain = 1 << 4,  ///< LIMITS RCPTDOMAINMAX=1: the listener serves several routes
};

class extension_set {
public:
    constexpr extension_set() = default;
    constexpr extension_set(std::initializer_list<extension> all) {
        for (const extension one : all) {
            _bits = static_cast<std::uint8_t>(_bits | static_cast<std::uint8_t>(one));
        }
    }
    constexpr bool has(extension one) const { return (_bits & static_cast<std::uint8_t>(one)) != 0; }
    constexpr extension_set with(extension one) const {
        extension_set more = *this;
        more._bits = static_cast<std::uint8_t>(more._bits | static_cast<std::uint8_t>(one));
        return more;
    }
    friend constexpr bool operator==(extension_set, extension_set) = default;

private:
    std::uint8_t _bits = 0;
};

/// What every listener announces unless it is told otherwise.
inline constexpr extension_set usual_extensions{extension::pipelining, extension::size, extension::eight_bit_mime,
                                                extension::enhanced_status_codes};

/// Octets that the announced extensions add to the longest command line (RFC 1870 section 3, RFC 6152 section 2).
std::size_t longer_lines(extension_set announced) noexcept;

/// The whole reply to EHLO, several lines with CRLF. `size_limit` 0: no fixed limit (RFC 1870 section 4).
std::string ehlo_reply(std::string_view own_name, extension_set announced, std::uint64_t size_limit);
/// The whole reply to HELO.
std::string helo_reply(std::string_view own_name);
/// The greeting.
std::string greeting(std::string_view own_name);

}  // namespace postern::protocol
