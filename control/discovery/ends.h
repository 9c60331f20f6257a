// Modes that end by their date. `discover` ends in `observe`, or in `enforce` if that was chosen beforehand and the
// domain is ready for it; either way somebody is told, before and after.
#pragma once

#include <vector>

#include "control/discovery/state.h"
#include "control/recent/recent_store.h"

namespace postern::discovery {

/// What speaks against `enforce`, in sentences; none: the domain is ready. `seen` null: nobody can say, so it is not.
result<std::vector<std::string>> against_enforce(const directory::reader& in, const recent::recent_store* seen,
                                                 const domain_state& of);

struct ended_mode {
    domain_state before;
    directory::domain now;
    std::vector<std::string> against;  ///< why it is not in `enforce`, if that was chosen
};
/// Of every mode that has an end, not only of `discover`.
result<std::vector<ended_mode>> end_modes(directory::writer& in, const recent::recent_store* seen);

inline constexpr timestamp warned_before = 3 * 86'400'000LL;
/// Domains whose `discover` ends within `warned_before` and of which that was not told yet.
result<std::vector<std::uint32_t>> ends_to_tell(const directory::reader& in, timestamp now);
void note_told_of_end(directory::writer& in, std::uint32_t domain);

}  // namespace postern::discovery
