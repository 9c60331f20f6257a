// Addresses of a port as people write them.
#pragma once

#include <optional>
#include <string>

#include "dataplane/net/interface.h"

namespace postern::net {

/// "02:00:00:00:00:01".
std::optional<mac_address> parse_mac(const std::string& text);

/// An address with the length of its network's prefix: "192.0.2.1/24", "2001:db8::1/64".
std::optional<own_address> parse_own_address(const std::string& text);

}  // namespace postern::net
