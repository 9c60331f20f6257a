#include "control/api/networks.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "board/process/egress.h"

namespace postern::api {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

}  // namespace

std::optional<recipients::network> parse_network(const std::string& text) {
    const auto read = process::parse_network(text);
    if (!read) {
        return std::nullopt;
    }
    recipients::network out;
    out.address = read->address;
    out.length = read->length;
    return out;
}

std::string to_text(const recipients::network& of) {
    const bool four = of.length >= 96 && std::equal(mapped_prefix.begin(), mapped_prefix.end(), of.address.begin());
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(four ? AF_INET : AF_INET6, of.address.data() + (four ? mapped_prefix.size() : 0), text.data(),
                text.size());
    return std::string(text.data()) + "/" + std::to_string(four ? of.length - 96 : of.length);
}

}  // namespace postern::api
