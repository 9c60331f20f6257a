// printf's formats onto the end of a string.
#pragma once

#include <string>

namespace postern::perf {

/// Appends what printf would print, at most 511 octets of it.
[[gnu::format(printf, 2, 3)]] void put(std::string& out, const char* format, ...);

}  // namespace postern::perf
