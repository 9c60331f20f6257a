// The effect of one batch of an edge's events, in one transaction with how far they are taken.
#pragma once

#include <vector>

#include "control/discovery/decide.h"
#include "control/recent/events.h"

namespace postern::discovery {

struct taken {
    std::vector<happening> happenings;
    std::uint64_t good = 0;  ///< findings that counted
    std::uint64_t bad = 0;
    std::uint64_t suspended = 0;  ///< good, but the domain's mail server takes any address
    std::uint64_t ignored = 0;    ///< not of a domain in `discover`, or no evidence by the address's form
    std::uint64_t dropped = 0;    ///< candidates over the bound
};

/// Whether there is anything to take in it.
bool has_findings(const recent::batch& told);

result<std::uint64_t> find_position(const directory::reader& in, std::string_view edge, std::string_view run);
/// Events that were taken before are left out.
result<taken> take_findings(directory::writer& in, const recent::batch& told);

}  // namespace postern::discovery
