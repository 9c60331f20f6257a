// The first two steps of a connection, name and TCP, each with its deadline.
#pragma once

#include <string>

#include "board/process/files.h"
#include "control/sources/ldap/connection.h"
#include "control/sources/ldap/resolve.h"

namespace postern::sources::ldap {

struct connected {
    process::descriptor socket;  ///< blocking
    resolved peer;
};
result<connected> connect_to(const ldap_settings& settings, const server_address& server, const egress_policy& policy,
                             const patience& limits, const step_observer& observer);

/// To one address; the error is a sentence without the address.
tl::expected<process::descriptor, std::string> connect_to(const resolved& peer, clock::time_point until,
                                                          const std::atomic<bool>& stop);

/// Waits for `events` (poll) on `fd`; false at `until` or `stop`.
bool wait_for(int fd, short events, clock::time_point until, const std::atomic<bool>& stop);

/// Why libldap's TLS said no: shakes hands once more, on a connection of its own, and looks at what it is shown.
/// "the certificate expired on 2026-03-01; …", or empty if nothing was found.
std::string certificate_words(const ldap_settings& settings, const server_address& server, const resolved& peer,
                              const patience& limits);

}  // namespace postern::sources::ldap
