// Patterns that people write to leave things out: `*`, `?`, `[seq]`, `[!seq]`, as fnmatch has them, without regard to
// ASCII case. A `[` that is not closed stands for itself; `?` is one UTF-8 character.
#pragma once

#include <string_view>

namespace postern::sources {

/// Takes time in proportion to the product of both lengths at most.
bool glob_match(std::string_view pattern, std::string_view text) noexcept;

}  // namespace postern::sources
