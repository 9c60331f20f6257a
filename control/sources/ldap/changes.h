// The ways a server tells what changed. Not part of the folder's public face.
//
// Active Directory's two ways tell which objects changed, not what that means for the list: an object may have left the
// base, or not pass the filter any more. So the changed ones are asked for by their objectGUID under the settings' base
// and filter: what comes back is an entry, what does not is gone. Renaming or moving a container changes nothing of
// the objects below it, so those are read again.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "control/sources/ldap/cookie.h"
#include "control/sources/ldap/read.h"

namespace postern::sources::ldap {

enum class changes_end : std::uint8_t {
    done,
    restart,  ///< the server can't tell: the whole is needed
};

struct changed_objects {
    static constexpr std::size_t most = 100'000;  ///< beyond this the whole is quicker
    std::set<std::string> guids;                  ///< 16 octets each
    std::set<std::string> containers;             ///< of them: those that may be containers with a new name or place
};
result<changes_end> apply_changed(connection& on, const root_dse& root, const changed_objects& changed,
                                  entry_reader& into);

/// Whether the account may see deleted objects; else a failure with step "changes".
result<void> sees_deletions(connection& on, const root_dse& root);

/// Each `…_start` makes the cookie that a whole read, done after it, goes with. A failure with step "changes": the
/// server can't, or the account may not. Each `…_changes` moves the cookie on.
result<sync_cookie> dirsync_start(connection& on, const root_dse& root);
result<changes_end> dirsync_changes(connection& on, const root_dse& root, sync_cookie& cookie, entry_reader& into);

result<sync_cookie> usn_start(connection& on, const root_dse& root);
result<changes_end> usn_changes(connection& on, const root_dse& root, sync_cookie& cookie, entry_reader& into);

/// RFC 4533. An empty state in `cookie`: the whole. With `batch`, it stays (refreshAndPersist) and calls it whenever
/// what was yielded stands for a state of the directory; false ends it.
using batch_call = std::function<bool(const std::string& state)>;
result<changes_end> syncrepl(connection& on, sync_cookie& cookie, entry_reader& into, const batch_call& batch = {});

}  // namespace postern::sources::ldap
