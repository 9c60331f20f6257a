// The operator's egress policy: which addresses Postern may connect to on somebody's word (an organisation's directory
// server, webhook, inbound server). Asked with the address a name resolved to, so that no name leads round it.
//
// The longest network that holds the address decides; the operator's beat the ones built in. Built in: loopback,
// link-local (cloud metadata among it), multicast, reserved and unspecified addresses are denied, all others allowed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "board/process/settings.h"

namespace postern::process {

/// IPv4 in mapped form (RFC 4291 2.5.5.2).
using address_octets = std::array<std::uint8_t, 16>;

/// "192.0.2.1", "2001:db8::1", also with a zone behind a `%`, which is not looked at.
std::optional<address_octets> parse_address(std::string_view text);

struct address_network {
    address_octets address{};
    std::uint8_t length = 128;  ///< bits, of IPv4 96 more
    friend bool operator==(const address_network&, const address_network&) = default;
};
/// "192.0.2.0/24", "2001:db8::/32", a lone address for itself. nullopt: no address, a length beyond the family's, or
/// host bits that are not zero. RFC 4632 3.1, 4291 2.3.
std::optional<address_network> parse_network(std::string_view text);

class egress_policy {
public:
    /// The built-in networks alone.
    egress_policy();

    /// False: `network` is in the policy already, by the operator.
    bool add(const address_network& network, bool allowed);
    bool allows(const address_octets& address) const noexcept;
    /// False also for text that is no address.
    bool allows(std::string_view address) const;

private:
    struct rule {
        address_network network;
        bool allowed = false;
        bool built_in = true;
    };
    const rule* decisive(const address_octets& address) const noexcept;

    std::vector<rule> _rules;
};

/// The table `[egress]` with `allowed` and `denied`.
void read_egress(settings_section section, egress_policy& out);

/// In the words of every error that the policy makes; `address` as text.
std::string egress_refusal(std::string_view address);

}  // namespace postern::process
