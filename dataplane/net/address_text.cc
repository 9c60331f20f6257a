#include "dataplane/net/address_text.h"

#include <charconv>

#include "dataplane/shard/endpoint_text.h"

namespace postern::net {

std::optional<mac_address> parse_mac(const std::string& text) {
    mac_address out{};
    if (text.size() != 17) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
        const char* const at = text.data() + i * 3;
        const auto [end, error] = std::from_chars(at, at + 2, out[i], 16);
        if (error != std::errc() || end != at + 2 || (i + 1 < out.size() && *end != ':')) {
            return std::nullopt;
        }
    }
    return out;
}

std::optional<own_address> parse_own_address(const std::string& text) {
    const std::size_t slash = text.find('/');
    const auto ip = shard::parse_address(text.substr(0, slash));
    if (!ip || slash == std::string::npos) {
        return std::nullopt;
    }
    unsigned prefix = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, prefix);
    if (error != std::errc() || stop != end || prefix > (is_ipv4(*ip) ? 32U : 128U)) {
        return std::nullopt;
    }
    return own_address{*ip, static_cast<std::uint8_t>(prefix)};
}

}  // namespace postern::net
