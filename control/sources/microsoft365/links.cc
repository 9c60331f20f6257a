#include "control/sources/microsoft365/links.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "control/sources/text.h"

namespace postern::sources::microsoft365 {
namespace {

constexpr std::string_view scheme = "https://";
constexpr std::size_t longest_target = 16 * 1024;
constexpr std::size_t longest_host = 255;

bool is_name_character(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

bool is_address_character(char c) noexcept {
    return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

/// "host", "host:443", "[2001:db8::1]:443"
std::optional<origin> read_authority(std::string_view text) {
    origin out;
    const bool literal = text.starts_with('[');
    const std::size_t end = literal ? text.find(']') : std::min(text.find(':'), text.size());
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view host = text.substr(literal ? 1 : 0, literal ? end - 1 : end);
    out.host = folded(host);
    const bool plain =
        std::all_of(out.host.begin(), out.host.end(), literal ? is_address_character : is_name_character);
    if (out.host.empty() || out.host.size() > longest_host || !plain) {
        return std::nullopt;
    }
    if (literal) {
        out.host = "[" + out.host + "]";
    }
    const std::string_view port = text.substr(literal ? end + 1 : end);
    if (!port.empty()) {
        const auto parsed = std::from_chars(port.data() + 1, port.data() + port.size(), out.port);
        if (port.front() != ':' || parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() ||
            out.port == 0) {
            return std::nullopt;
        }
    }
    return out;
}

}  // namespace

std::string origin::url() const {
    return std::string(scheme) + host + (port == 443 ? "" : ":" + std::to_string(port));
}

std::optional<origin> read_origin(std::string_view url) {
    if (!same(url.substr(0, scheme.size()), scheme)) {
        return std::nullopt;
    }
    url.remove_prefix(scheme.size());
    if (url.ends_with('/')) {
        url.remove_suffix(1);
    }
    return read_authority(url);
}

bool is_target(std::string_view text) noexcept {
    return text.starts_with('/') && text.size() <= longest_target && std::all_of(text.begin(), text.end(), [](char c) {
               return c > 0x20 && c < 0x7F && c != '#' && c != '\\' && c != '"' && c != '<' && c != '>';
           });
}

std::optional<std::string> target_on(const origin& on, std::string_view link) {
    if (!same(link.substr(0, scheme.size()), scheme)) {
        return std::nullopt;
    }
    link.remove_prefix(scheme.size());
    const std::size_t end = link.find('/');
    if (end == std::string_view::npos || read_authority(link.substr(0, end)) != on || !is_target(link.substr(end))) {
        return std::nullopt;
    }
    return std::string(link.substr(end));
}

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (is_name_character(fold(c)) || c == '_' || c == '~') {
            out += c;
        } else {
            out += '%';
            out += hex[octet >> 4U];
            out += hex[octet & 15U];
        }
    }
    return out;
}

}  // namespace postern::sources::microsoft365
