// Networks in text: "192.0.2.0/24", "2001:db8::/32", a lone address for a network of one host. RFC 4632 3.1, 4291 2.3.
#pragma once

#include <optional>
#include <string>

#include "smtp/recipients/domains.h"

namespace postern::api {

/// nullopt: not an address, a length beyond the family's, or host bits that are not zero.
std::optional<recipients::network> parse_network(const std::string& text);
std::string to_text(const recipients::network& of);

}  // namespace postern::api
