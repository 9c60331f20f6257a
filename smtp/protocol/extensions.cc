#include "smtp/protocol/extensions.h"

#include <array>

namespace postern::protocol {

namespace {

struct extension_line {
    extension which;
    std::string_view keyword;
};

/// In the order in which they are announced.
constexpr std::array lines{
    extension_line{extension::pipelining, "PIPELINING"},
    extension_line{extension::size, "SIZE"},
    extension_line{extension::eight_bit_mime, "8BITMIME"},
    extension_line{extension::enhanced_status_codes, "ENHANCEDSTATUSCODES"},
    extension_line{extension::one_recipient_domain, "LIMITS RCPTDOMAINMAX=1"},
};

}  // namespace

std::size_t longer_lines(extension_set announced) noexcept {
    std::size_t more = 0;
    if (announced.has(extension::size)) {
        more += 26;
    }
    if (announced.has(extension::eight_bit_mime)) {
        more += 17;
    }
    return more;
}

std::string ehlo_reply(std::string_view own_name, extension_set announced, std::uint64_t size_limit) {
    std::string reply = "250-";
    reply += own_name;
    std::size_t last = 0;  // where the last line begins: its dash becomes a space
    for (const auto& [which, keyword] : lines) {
        if (!announced.has(which)) {
            continue;
        }
        reply += "\r\n";
        last = reply.size();
        reply += "250-";
        reply += keyword;
        if (which == extension::size) {
            reply += ' ';
            reply += std::to_string(size_limit);
        }
    }
    reply[last + 3] = ' ';
    reply += "\r\n";
    return reply;
}

std::string helo_reply(std::string_view own_name) {
    std::string reply = "250 ";
    reply += own_name;
    reply += "\r\n";
    return reply;
}

std::string greeting(std::string_view own_name) {
    std::string text = "220 ";
    text += own_name;
    text += " ESMTP\r\n";
    return text;
}

}  // namespace postern::protocol
