// Times as the API writes and reads them (RFC 3339); inside, they are milliseconds since 1970.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::api {

/// "2026-01-31T12:00:00.123Z"; null for 0.
boost::json::value time_value(std::int64_t at);
/// nullopt: it is no time.
std::optional<std::int64_t> parse_time(std::string_view text);

}  // namespace postern::api
