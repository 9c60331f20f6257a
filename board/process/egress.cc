#include "board/process/egress.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace postern::process {
namespace {

constexpr std::size_t longest_address = 64;
constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
/// Addresses below it stand for an IPv4 address behind a translator (RFC 6052 2.1).
constexpr std::array<std::uint8_t, 12> translated{0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0};

constexpr std::array built_in_denied{
    "0.0.0.0/8",           // this network (RFC 1122 3.2.1.3)
    "127.0.0.0/8",         // loopback
    "169.254.0.0/16",      // link-local, and where clouds answer with a machine's credentials
    "100.100.100.200/32",  // the same of one cloud
    "192.0.0.192/32",      // and of another
    "224.0.0.0/4",         // multicast
    "240.0.0.0/4",         // reserved, broadcast
    "::/96",               // unspecified, loopback, IPv4-compatible
    "fe80::/10",           // link-local
    "fec0::/10",           // site-local
    "ff00::/8",            // multicast
    "fd00:ec2::254/128",   // credentials, as above
    "fd20:ce::254/128",
};

bool begins_with(const address_octets& address, const std::array<std::uint8_t, 12>& prefix) {
    return std::equal(prefix.begin(), prefix.end(), address.begin());
}

bool holds(const address_network& network, const address_octets& address) noexcept {
    // "::/0" is IPv6 alone.
    if (network.length < 96 && begins_with(address, mapped)) {
        return false;
    }
    for (unsigned bit = 0; bit < network.length;) {
        const unsigned left = network.length - bit;
        const auto mask = static_cast<std::uint8_t>(left >= 8 ? 0xFFU : 0xFFU << (8 - left));
        if (((network.address[bit / 8] ^ address[bit / 8]) & mask) != 0) {
            return false;
        }
        bit += 8;
    }
    return true;
}

}  // namespace

std::optional<address_octets> parse_address(std::string_view text) {
    text = text.substr(0, text.find('%'));
    if (text.size() > longest_address) {
        return std::nullopt;
    }
    const std::string whole(text);
    address_octets out{};
    if (::inet_pton(AF_INET, whole.c_str(), out.data() + mapped.size()) == 1) {
        std::copy(mapped.begin(), mapped.end(), out.begin());
        return out;
    }
    if (::inet_pton(AF_INET6, whole.c_str(), out.data()) == 1) {
        return out;
    }
    return std::nullopt;
}

std::optional<address_network> parse_network(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::string_view before = text.substr(0, slash);
    const auto address = before.find('%') == std::string_view::npos ? parse_address(before) : std::nullopt;
    if (!address) {
        return std::nullopt;
    }
    const bool four = before.find(':') == std::string_view::npos;
    unsigned length = four ? 32 : 128;
    if (slash != std::string_view::npos) {
        const unsigned most = length;
        const char* const end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data() + slash + 1, end, length);
        if (parsed.ec != std::errc() || parsed.ptr != end || length > most) {
            return std::nullopt;
        }
    }
    const address_network out{*address, static_cast<std::uint8_t>(length + (four ? 96 : 0))};
    for (unsigned bit = out.length; bit < 128; ++bit) {
        if ((out.address[bit / 8] & (0x80U >> (bit % 8))) != 0) {
            return std::nullopt;
        }
    }
    return out;
}

egress_policy::egress_policy() {
    for (const char* each : built_in_denied) {
        _rules.push_back({parse_network(each).value(), false, true});
    }
}

bool egress_policy::add(const address_network& network, bool allowed) {
    const auto same = std::find_if(_rules.begin(), _rules.end(),
                                   [&](const rule& each) { return each.network == network && !each.built_in; });
    if (same != _rules.end()) {
        return false;
    }
    _rules.push_back({network, allowed, false});
    return true;
}

const egress_policy::rule* egress_policy::decisive(const address_octets& address) const noexcept {
    const rule* best = nullptr;
    for (const rule& each : _rules) {
        const bool closer = best == nullptr || each.network.length > best->network.length ||
                            (each.network.length == best->network.length && best->built_in);
        if (closer && holds(each.network, address)) {
            best = &each;
        }
    }
    return best;
}

bool egress_policy::allows(const address_octets& address) const noexcept {
    const rule* const found = decisive(address);
    if (begins_with(address, translated) && (found == nullptr || found->built_in)) {
        address_octets behind = address;
        std::copy(mapped.begin(), mapped.end(), behind.begin());
        return allows(behind);
    }
    return found == nullptr || found->allowed;
}

bool egress_policy::allows(std::string_view address) const {
    const auto octets = parse_address(address);
    return octets && allows(*octets);
}

void read_egress(settings_section section, egress_policy& out) {
    for (const bool allowed : {true, false}) {
        const char* const key = allowed ? "allowed" : "denied";
        std::vector<std::string> networks;
        section.texts(key, networks);
        for (const std::string& each : networks) {
            const auto network = parse_network(each);
            if (!network) {
                section.error(key, "\"" + each +
                                       "\" is not a network; write it as \"192.0.2.0/24\" or \"2001:db8::/32\", host "
                                       "bits zero");
            } else if (!out.add(*network, allowed)) {
                section.error(key, "\"" + each + "\" is there twice; remove one");
            }
        }
    }
}

std::string egress_refusal(std::string_view address) {
    return "the operator's egress policy does not allow connections to " + std::string(address);
}

}  // namespace postern::process
