// What e-mail accounts and their aliases share: both are addresses of a domain.
#pragma once

#include <string>
#include <string_view>

#include "control/directory/mailboxes.h"
#include "control/mailroute/change.h"

namespace postern::mailroute {

/// "alice" in the domain; a text with an `@` is a whole address already.
std::string whole_address(std::string_view local_or_address, std::string_view domain_name);

/// The mailbox, unless aliases that the key does not reach hang on it: 409, with `doing` ("deleted") in the reason.
result<directory::mailbox> find_whole_account(const change& in, std::int64_t id, std::string_view doing);

/// Refuses an address whose domain the key does not reach, in the words for one that is not served.
result<void> see_address(const change& in, const resource& of, const std::string& address, std::string_view field);

/// The error without whose an address is that is there already: that may be outside of what the key reaches.
directory::error without_owner(const change& in, directory::error from);

/// After addresses were added: the mode that waits for the first.
result<void> after_adding(change& in, std::uint32_t domain_id);

/// One mailbox with its aliases; an address that is one of the mailboxes already is 400 under `field`.
result<directory::mailbox> add_account(change& in, const std::string& address, std::vector<std::string> aliases,
                                       std::string_view field);

}  // namespace postern::mailroute
