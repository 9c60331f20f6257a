#include "control/sources/ldap/cookie.h"

#include <array>
#include <charconv>
#include <system_error>

namespace postern::sources::ldap {
namespace {

constexpr std::string_view version = "ldap1";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

template <class Number>
bool number(std::string_view text, Number& out) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

}  // namespace

// RFC 4648 4, with padding.
std::string to_base64(std::string_view octets) {
    std::string out;
    out.reserve((octets.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < octets.size(); at += 3) {
        std::uint32_t bits = 0;
        const std::size_t some = octets.size() - at < 3 ? octets.size() - at : 3;
        for (std::size_t i = 0; i < 3; ++i) {
            bits = bits << 8U | (i < some ? static_cast<unsigned char>(octets[at + i]) : 0U);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            out += i <= some ? alphabet[(bits >> (18U - 6U * i)) & 63U] : '=';
        }
    }
    return out;
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += 4) {
        std::uint32_t bits = 0;
        std::size_t padding = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            const char c = text[at + i];
            const std::size_t value = alphabet.find(c);
            if (c == '=' && i >= 2 && at + 4 == text.size()) {
                ++padding;
                bits <<= 6U;
            } else if (value == std::string_view::npos || padding != 0) {
                return std::nullopt;
            } else {
                bits = bits << 6U | static_cast<std::uint32_t>(value);
            }
        }
        for (std::size_t i = 0; i < 3 - padding; ++i) {
            out += static_cast<char>((bits >> (16U - 8U * i)) & 0xFFU);
        }
    }
    return out;
}

std::string encode(const sync_cookie& from) {
    std::string out(version);
    for (const std::string& field :
         {std::string(to_string(from.method)), from.fingerprint, std::to_string(from.whole_at), to_base64(from.server),
          std::to_string(from.usn), std::to_string(from.flags), to_base64(from.state)}) {
        out += ' ';
        out += field;
    }
    return out;
}

std::optional<sync_cookie> decode_cookie(std::string_view text) {
    std::array<std::string_view, 8> fields;
    for (std::size_t at = 0; at < fields.size(); ++at) {
        const std::size_t end = text.find(' ');
        if ((end == std::string_view::npos) != (at + 1 == fields.size())) {
            return std::nullopt;
        }
        fields.at(at) = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    sync_cookie out;
    bool known = false;
    for (const change_method each : {change_method::dirsync, change_method::usn, change_method::syncrepl}) {
        if (fields[1] == to_string(each)) {
            out.method = each;
            known = true;
        }
    }
    const auto server = from_base64(fields[4]);
    const auto state = from_base64(fields[7]);
    if (fields[0] != version || !known || !number(fields[3], out.whole_at) || !server || !number(fields[5], out.usn) ||
        !number(fields[6], out.flags) || !state) {
        return std::nullopt;
    }
    out.fingerprint = fields[2];
    out.server = *server;
    out.state = *state;
    return out;
}

}  // namespace postern::sources::ldap
