// The words for kinds of entries, the same wherever people meet them: API, command line, CSV, pushed lists.
#pragma once

#include <optional>
#include <string_view>

#include "smtp/recipients/domains.h"

namespace postern::recipients {

std::string_view to_string(mailbox_kind kind) noexcept;  ///< "user", "shared", …
std::optional<mailbox_kind> parse_kind(std::string_view word) noexcept;

}  // namespace postern::recipients
