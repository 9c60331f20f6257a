#include "control/sources/ldap/cookie.h"

#include <array>
#include <charconv>
#include <system_error>

#include "control/encoding/base64.h"

namespace postern::sources::ldap {
namespace {

constexpr std::string_view version = "ldap1";

template <class Number>
bool number(std::string_view text, Number& out) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

}  // namespace

std::string encode(const sync_cookie& from) {
    std::string out(version);
    for (const std::string& field :
         {std::string(to_string(from.method)), from.fingerprint, std::to_string(from.whole_at),
          encoding::to_base64(from.server), std::to_string(from.usn), std::to_string(from.flags),
          encoding::to_base64(from.state)}) {
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
    const auto server = encoding::from_base64(fields[4]);
    const auto state = encoding::from_base64(fields[7]);
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
