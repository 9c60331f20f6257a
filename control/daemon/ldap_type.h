// LDAP as a type of directory source: what control/sync asks of a protocol, over control/sources/ldap.
#pragma once

#include "board/process/egress.h"
#include "control/sync/sources.h"

namespace postern::daemon {

/// A source's secret is a JSON object of texts: "password", "client_key". `policy` is asked before every connection.
sync::source_type ldap_type(process::egress_policy policy);

}  // namespace postern::daemon
