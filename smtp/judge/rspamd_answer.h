// rspamd's answer to /checkv2, read with bounds: what comes over the network is not trusted.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "smtp/judge/verdict.h"

namespace postern::judge {

inline constexpr std::size_t longest_rspamd_answer = std::size_t{1} << 20;

/// Bad by the actions "reject", "add header", "rewrite subject", "discard" and "quarantine"; good by "no action" unless
/// the message was skipped; else undecided. The error says what is wrong with the answer, for people.
tl::expected<verdict, std::string> read_rspamd_answer(std::string_view body);

}  // namespace postern::judge
