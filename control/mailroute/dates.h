// Dates as MailRoute's API writes them: "Sun, 17 Mar 2013 08:14:41 -0700". Much like RFC 5322 3.3, but a day of one
// digit is one digit. Postern's are in UTC.
#pragma once

#include <cstdint>
#include <string>

namespace postern::mailroute {

/// Of milliseconds since 1970.
std::string date_text(std::int64_t at);

}  // namespace postern::mailroute
