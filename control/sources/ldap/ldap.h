// LDAP and Active Directory as a source of recipients, over libldap: the fetcher behind fetch.h, the test of a
// connection, and following a directory that tells its changes as they happen.
//
// Every call blocks, on a thread of the caller's choice, and ends within a second of `stop`. Names are resolved and
// connections made with deadlines; certificates are always verified. RFC 4511 (LDAP), 4513 (sign-in), 2696 (pages),
// 4533 (content synchronisation); [MS-ADTS] 3.1.1.3.4.1 (DirSync, show deleted).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "control/sources/connection_test.h"
#include "control/sources/failure.h"
#include "control/sources/ldap/settings.h"

namespace postern::sources::ldap {

/// The settings must have been checked (`parse`, `check`).
std::unique_ptr<fetcher> make_ldap_fetcher(ldap_settings settings, egress_policy policy = {});

/// Takes what `follow` yields, batch by batch.
class follow_sink : public entry_sink {
public:
    /// All since the last call is a state that the directory had; `cookie` stands for it (empty: none). `whole`: the
    /// batch is all of the directory. False: stop.
    virtual bool batch(std::string_view cookie, bool whole) = 0;
};
/// Stays connected and yields changes as they happen (RFC 4533 refreshAndPersist): first what happened since the
/// cookie, or the whole. Ends when the connection does (`partial`: follow again with the last cookie), by `stop`, or
/// `failed` with step "changes" if the server can't do it.
fetch_outcome follow(const ldap_settings& settings, const fetch_request& request, follow_sink& into,
                     const std::atomic<bool>& stop, const egress_policy& policy = {});

/// Tries the servers in order until one passes, step by step: "name", "TCP", "TLS", "bind", "base", "filter",
/// "attributes", "changes".
test_report test_connection(const ldap_settings& settings, const std::atomic<bool>& stop,
                            const egress_policy& policy = {});

}  // namespace postern::sources::ldap
