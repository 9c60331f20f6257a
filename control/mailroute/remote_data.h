// The directory push of MailRoute's sync script: a domain's whole list, [{"email": …, "aliases": […]}], guarded like a
// sync of Postern's own. The list becomes a run of the push source "push:DOMAIN", which is made at the first.
#pragma once

#include "control/mailroute/change.h"

namespace postern::mailroute {

/// What a push is answered with at most of each kind of change; all are counted.
inline constexpr std::uint32_t max_shown = 1000;

/// `?domain=` names the domain or its id; `test_run=1` changes nothing and answers with the diff. Waits for the run's
/// end, half a minute at most.
result<api::response> push_remote_data(service& with, const api::request& asked);

}  // namespace postern::mailroute
