// Microsoft 365 as a source of recipients, over Microsoft Graph: the fetcher behind fetch.h and the test of a
// connection.
//
// Every call blocks, on a thread of the caller's choice, and ends within about a second of `stop`. The conversation
// itself is sans-IO (conversation.h); libcurl carries it (http.h). Delta queries of users and groups, client
// credentials with a secret or a certificate: docs/microsoft365.md.
#pragma once

#include <atomic>
#include <memory>

#include "control/sources/connection_test.h"
#include "control/sources/failure.h"
#include "control/sources/microsoft365/settings.h"

namespace postern::sources::microsoft365 {

/// The settings must have been checked (`parse`, `check`).
std::unique_ptr<fetcher> make_fetcher(tenant_settings settings, egress_policy policy = {});

/// Step by step: "name", "TCP", "TLS", "token" at the sign-in's host, then "name", "TCP", "TLS", "users", "groups",
/// "changes" at Graph's.
test_report test_connection(const tenant_settings& settings, const std::atomic<bool>& stop,
                            const egress_policy& policy = {});

}  // namespace postern::sources::microsoft365
