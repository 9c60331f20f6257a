// Under which other local parts an address may be listed, by its domain's settings: without subaddress (RFC 5233),
// without BATV's `prvs=tag=`, as a rewritten sender (SRS0=, SRS1=); and which are never refused. No allocation.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "smtp/recipients/domains.h"

namespace postern::recipients {

/// The exact form and those of `other_forms`.
inline constexpr std::size_t max_forms = 4;

struct local_forms {
    std::array<std::string_view, max_forms - 1> locals;  ///< views into the local part asked about
    std::size_t count = 0;
};

/// `postmaster` (RFC 5321 4.5.1), and `abuse` (RFC 2142) unless set otherwise. `local` is in normal form.
bool is_always(std::string_view local, const domain_settings& settings) noexcept;

/// `SRS0=hash=time=domain=local` or `SRS1=hash=domain==...`, with `+` or `-` in place of the first `=`.
bool is_srs(std::string_view local) noexcept;

/// The forms to try behind the exact one, in order. `local` is in normal form; a quoted one has none.
void other_forms(std::string_view local, const domain_settings& settings, local_forms& out) noexcept;

}  // namespace postern::recipients
