// What a person decides about what was discovered, and about what the mail server refuses.
#pragma once

#include <string>

#include "control/discovery/state.h"
#include "smtp/recipients/domains.h"

namespace postern::discovery {

enum class verdict : std::uint8_t {
    accept,  ///< it is an address of this kind: asserted by "manual" from now on
    alias,   ///< it leads to another mailbox, asserted by "manual"
    block,   ///< it is none: blocked, whatever comes
    keep,    ///< listed and refused by the mail server, but right: no longer shown
};

struct decision {
    std::string address;  ///< any spelling
    verdict what = verdict::accept;
    recipients::mailbox_kind kind = recipients::mailbox_kind::user;  ///< of `accept`; not alias, nor unclassified
    std::uint64_t mailbox = 0;                                       ///< of `alias`: where it leads
};

/// Afterwards the address is no candidate any more. `not_found` for one that was not discovered (of `keep`: that is not
/// refused).
result<void> triage(directory::writer& in, const directory::domain& domain, const decision& what);

}  // namespace postern::discovery
