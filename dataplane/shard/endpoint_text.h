// Endpoints as people write them: "192.0.2.1:25", "[2001:db8::1]:25", "0.0.0.0:25", "[::]:25".
#pragma once

#include <string>
#include <string_view>

#include "board/process/files.h"
#include "dataplane/shard/seam.h"

namespace postern::shard {

/// Whether the address is an IPv4 one (kept as ::ffff:a.b.c.d).
bool is_ipv4(const endpoint& e) noexcept;

/// Reads an address and port. No names, no zones. The error says what was expected.
process::result<endpoint> parse_endpoint(std::string_view text);

/// The address alone: "192.0.2.1", "2001:db8::1".
std::string address_text(const endpoint& e);
/// Address and port as `parse_endpoint` reads them.
std::string endpoint_text(const endpoint& e);

}  // namespace postern::shard
