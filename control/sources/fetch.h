// What a directory (LDAP, Microsoft 365) says, whatever its protocol: the contract between the sources that read one
// and the sync that compares, guards and applies.
//
// A fetch runs on a thread of the caller's choice and blocks; it ends early when `stop` is set or a sink call answers
// false. It never changes the list: what it yields is staged, and counts only if the fetch ends complete.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/recipients/domains.h"

namespace postern::sources {

/// One mail object of a directory and the addresses that it asserts, as the directory spells them.
struct directory_entry {
    /// Immutable id, as text ("3f2504e0-4f89-11d3-9a0c-0305e82c3301"): objectGUID, entryUUID, nsUniqueId, Graph id.
    /// Never the DN: a moved user is the same user.
    std::string identity;
    std::string name;                  ///< where it stands, for people: the DN
    std::string address;               ///< primary
    std::vector<std::string> aliases;  ///< the others, in the directory's order, the primary not among them
    std::string first_name;
    std::string last_name;
    recipients::mailbox_kind kind = recipients::mailbox_kind::user;
    bool internal_only = false;
};

/// Takes what a fetch yields, in any order; an identity may come again, and the last counts. False: stop.
class entry_sink {
public:
    entry_sink() = default;
    entry_sink(const entry_sink&) = delete;
    entry_sink& operator=(const entry_sink&) = delete;
    virtual ~entry_sink() = default;

    /// The object asserts these addresses, and no others.
    virtual bool entry(directory_entry&& one) = 0;
    /// The object is gone, or asserts nothing any more. Between changes; in a whole fetch it takes back an entry of the
    /// same fetch, and changes nothing if there was none.
    virtual bool gone(std::string_view identity) = 0;
    /// The server can't (or won't) tell the changes since the cookie: what was yielded is void, the whole follows.
    virtual bool restart_whole() = 0;
};

struct fetch_request {
    /// Where the last complete fetch ended; empty: the whole is asked for. Opaque, of this source alone.
    std::string cookie;
};

struct fetch_outcome {
    enum class end : std::uint8_t {
        complete,  ///< all that the directory has (or all changes) was yielded
        partial,   ///< something is missing: a limit, a referral, a cut connection. Never a reason to remove
        failed,    ///< nothing useful: no name, no connection, no sign-in, no base
        stopped,   ///< by the caller
    };
    fetch_outcome::end end = end::failed;
    bool whole = true;   ///< false: only what changed since the cookie
    std::string step;    ///< where it failed: "name", "TCP", "TLS", "bind", "base", "filter", "search", …; else empty
    std::string reason;  ///< in words, with what to do; empty if complete
    std::string server;  ///< that answered: "ldaps://dc1.example.com:636"
    std::string cookie;  ///< for the next fetch; empty: it has to be whole
    std::uint64_t read = 0;        ///< objects
    std::uint64_t left_out = 0;    ///< objects without a usable address, or excluded
    std::uint64_t unreadable = 0;  ///< values where an address belongs that are none; the object's others count
};

class fetcher {
public:
    fetcher() = default;
    fetcher(const fetcher&) = delete;
    fetcher& operator=(const fetcher&) = delete;
    virtual ~fetcher() = default;

    virtual fetch_outcome fetch(const fetch_request& request, entry_sink& into, const std::atomic<bool>& stop) = 0;
};

}  // namespace postern::sources
