// An entry of the list under another local part: the same mailbox or alias, with its id and all that hangs on it.
#pragma once

#include <string_view>

#include "control/directory/mailboxes.h"
#include "control/directory/store.h"

namespace postern::directory {

/// `id`: a mailbox or an alias. `address` in its own domain, in any spelling. To history the old address is removed and
/// the new one added. Refused (`conflict`) for an address that is in the list already, and for one that a directory
/// source asserts: the next sync would undo it.
result<void> rename_address(writer& in, std::uint64_t id, std::string_view address);

}  // namespace postern::directory
