#include "control/api/networks.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace postern::api {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool host_bits_are_zero(const recipients::network& of) {
    for (unsigned bit = of.length; bit < 128; ++bit) {
        if ((of.address[bit / 8] & (0x80U >> (bit % 8))) != 0) {
            return false;
        }
    }
    return true;
}

}  // namespace

std::optional<recipients::network> parse_network(const std::string& text) {
    const std::size_t slash = text.find('/');
    const std::string address = text.substr(0, slash);
    recipients::network out;
    unsigned most = 128;
    unsigned added = 0;
    if (::inet_pton(AF_INET, address.c_str(), out.address.data() + mapped_prefix.size()) == 1) {
        std::copy(mapped_prefix.begin(), mapped_prefix.end(), out.address.begin());
        most = 32;
        added = 96;
    } else if (::inet_pton(AF_INET6, address.c_str(), out.address.data()) != 1) {
        return std::nullopt;
    }
    unsigned length = most;
    if (slash != std::string::npos) {
        const char* const end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data() + slash + 1, end, length);
        if (parsed.ec != std::errc() || parsed.ptr != end || length > most) {
            return std::nullopt;
        }
    }
    out.length = static_cast<std::uint8_t>(length + added);
    if (!host_bits_are_zero(out)) {
        return std::nullopt;
    }
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
