// The edge's own checks of a message's header: what is bad whoever else judges. RFC 5322 2.2, 3.6.
#pragma once

#include <string_view>

#include "smtp/judge/verdict.h"

namespace postern::judge {

/// Bad: marked as spam by a scanner on its way (X-Spam-Flag, X-Spam-Status, X-Spam), or without a From field.
/// `message`: its first octets, CRLF line ends; the header may be cut off.
verdict check_header(std::string_view message);

}  // namespace postern::judge
