// Endpoints as people write them: "192.0.2.1:25", "[2001:db8::1]:25", "0.0.0.0:25", "[::]:25".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "board/process/files.h"
#include "dataplane/shard/seam.h"

namespace postern::shard {

/// Reads an address alone, IPv4 into its mapped form. An IPv6 text for a mapped IPv4 address is refused: that address
/// has a way of writing of its own.
std::optional<ip_address> parse_address(const std::string& text);

/// Reads an address and port. No names, no zones. The error says what was expected.
process::result<endpoint> parse_endpoint(std::string_view text);

/// The address alone: "192.0.2.1", "2001:db8::1".
std::string address_text(const endpoint& e);
/// Address and port as `parse_endpoint` reads them.
std::string endpoint_text(const endpoint& e);

}  // namespace postern::shard
