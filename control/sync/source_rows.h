// Rows of directory sources, for the other files here. Private to this folder.
#pragma once

#include <string>

#include "control/directory/connection.h"
#include "control/sync/sources.h"

namespace postern::sync {

std::string secret_place(std::uint32_t source);
std::string webhook_secret_place(std::uint32_t source);

/// A sealed secret of the source in the clear; empty: none.
directory::result<std::string> open_secret(const directory::reader& in, const environment& with, std::uint32_t source,
                                           std::string_view column);

/// What a sync has to know of its source beyond what is shown.
struct sync_memory {
    std::string cookie;
    std::string served;  ///< digest of the organisation's domains at the last complete sync
    bool unsure = true;
    directory::timestamp guard_since = 0;
};
directory::result<sync_memory> find_memory(const directory::reader& in, std::uint32_t source);

/// Digest of the organisation's domains and domain aliases: with other domains a source's objects assert other
/// addresses.
std::string digest_of_domains(const directory::reader& in, std::uint32_t organisation);

/// Whether the source asserts less than it claims (a person removed an address that it has), or other addresses (a
/// restore). Where it is `unsure` the two are compared one by one; else their numbers tell, since all but a restore
/// leaves the assertions within the claims.
bool differs_from_claims(const directory::reader& in, std::uint32_t source);

/// How long until the next run: the interval, or sooner after a failure, and up to a tenth of it more by `random`
/// (0 to 1).
std::chrono::milliseconds pause_before_next(std::chrono::milliseconds interval, std::uint32_t failures, double random);

}  // namespace postern::sync
