// Microsoft 365 as a type of directory source: what control/sync asks of a protocol, over control/sources/microsoft365.
#pragma once

#include "board/process/egress.h"
#include "control/sync/sources.h"

namespace postern::daemon {

/// A source's secret is a JSON object of texts: "client_secret", "client_key", "proxy_password". `policy` is asked
/// before every connection.
sync::source_type microsoft365_type(process::egress_policy policy);

}  // namespace postern::daemon
