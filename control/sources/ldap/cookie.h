// Where a fetch ended, as text that only the next fetch reads: the method, what the server gave for it, and what it is
// bound to. Text of another version, of other settings or not of ours is no cookie: the next fetch is whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/sources/ldap/settings.h"

namespace postern::sources::ldap {

struct sync_cookie {
    change_method method = change_method::none;  ///< dirsync, usn or syncrepl
    std::string fingerprint;                     ///< of the settings (`ldap_settings::fingerprint`)
    std::int64_t whole_at = 0;                   ///< when the last whole fetch was, seconds since 1970
    std::string server;                          ///< usn: the domain controller's name and invocation id
    std::uint64_t usn = 0;                       ///< usn: the highest that was read
    std::int64_t flags = 0;                      ///< dirsync: with which it was made
    std::string state;                           ///< dirsync, syncrepl: the server's cookie, any octets
    friend bool operator==(const sync_cookie&, const sync_cookie&) = default;
};
std::string encode(const sync_cookie& from);
std::optional<sync_cookie> decode_cookie(std::string_view text);

}  // namespace postern::sources::ldap
