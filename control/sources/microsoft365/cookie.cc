#include "control/sources/microsoft365/cookie.h"

#include <charconv>
#include <system_error>

#include "control/sources/microsoft365/links.h"

namespace postern::sources::microsoft365 {
namespace {

constexpr std::string_view version = "microsoft365-1";
constexpr std::string_view nothing = "-";

}  // namespace

std::string encode(const delta_cookie& from) {
    std::string out(version);
    out += " " + from.fingerprint + " " + std::to_string(from.whole_at);
    for (const std::string& each : from.targets) {
        out += ' ';
        out += each.empty() ? nothing : each;  // a target has no space
    }
    return out;
}

std::optional<delta_cookie> decode_cookie(std::string_view text) {
    std::array<std::string_view, 5> fields;
    for (std::size_t at = 0; at < fields.size(); ++at) {
        const std::size_t end = text.find(' ');
        if ((end == std::string_view::npos) != (at + 1 == fields.size())) {
            return std::nullopt;
        }
        fields.at(at) = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    delta_cookie out;
    out.fingerprint = fields[1];
    const char* const end = fields[2].data() + fields[2].size();
    const auto when = std::from_chars(fields[2].data(), end, out.whole_at);
    if (fields[0] != version || when.ec != std::errc() || when.ptr != end) {
        return std::nullopt;
    }
    for (std::size_t at = 0; at < out.targets.size(); ++at) {
        const std::string_view target = fields.at(3 + at);
        if (target == nothing && at != 0) {
            continue;
        }
        if (!is_target(target)) {
            return std::nullopt;
        }
        out.targets.at(at) = target;
    }
    return out;
}

}  // namespace postern::sources::microsoft365
