// The edge's judge of mail: as configured, with the key of its senders and its alarms in the log.
#pragma once

#include <memory>

#include "dataplane/edge/configuration.h"
#include "dataplane/edge/environment.h"
#include "smtp/judge/service.h"

namespace postern::edge {

/// Null if what it finds would be told to nobody (edge.events = 0). The key is kept in the state folder. Throws
/// std::runtime_error if there is none to be had.
std::unique_ptr<judge::service> make_judge(const configuration& settings, const environment& place);

}  // namespace postern::edge
