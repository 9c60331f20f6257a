// What the handlers of directory sources and of their syncs share.
#pragma once

#include <string>

#include "control/api/service.h"
#include "control/sync/sources.h"

namespace postern::api {

/// By id or by name ("ldap:head-office").
answer<sync::directory_source> find_source_by(const directory::reader& in, const call& of,
                                              const std::string& id_or_name);

/// 503: the program runs no syncs.
problem no_sources();

}  // namespace postern::api
