// A mailbox that becomes another one's alias: the person left or was renamed, the mail goes on.
#pragma once

#include <span>

#include "control/directory/mailboxes.h"

namespace postern::directory {

/// Each of `mailboxes` becomes an alias of `to`, and its aliases lead there, too. Who asserts an address stays as it
/// is, so does its hold; names, group and kind of a former mailbox go. All of one organisation. Refused (`conflict`)
/// for an address that a directory source asserts: the next sync would undo it.
result<mailbox> reassign_mailboxes(writer& in, std::uint64_t to, std::span<const std::uint64_t> mailboxes);

/// The alias leads to `to` from now on, which is of the same organisation. Refused (`conflict`) as above.
result<alias> reassign_alias(writer& in, std::uint64_t to, std::uint64_t alias);

}  // namespace postern::directory
