// What clients of the MailRoute-compatible API (control/mailroute) say of a domain or a mailbox beyond what Postern has
// for it. Kept for them; what has an effect is the domain's own hold, mode and inbound server.
#pragma once

#include <cstdint>
#include <optional>

#include "control/directory/store.h"

namespace postern::directory {

struct mailroute_domain {
    std::uint16_t deliveryport = 25;   ///< of hosts that are added without one
    bool outbound_enabled = false;     ///< without effect
    bool inactive = false;             ///< why it is on hold: it is not to be active,
    bool held = false;                 ///< its mail is to be held. Both false again when the hold is lifted
    bool enforce_when_listed = false;  ///< the list is said to be complete, but has no valid address yet. False again
                                       ///< when the mode is set
};
/// As usual if nothing was kept. Precondition: there is such a domain.
result<mailroute_domain> find_mailroute_domain(const reader& in, std::uint32_t domain);
result<void> put_mailroute_domain(writer& in, std::uint32_t domain, const mailroute_domain& wanted);

/// Sets the mode `enforce` where it waits for the first valid address and one is there now; whether it did.
result<bool> enforce_if_listed(writer& in, std::uint32_t domain);

struct mailroute_account {
    std::optional<std::int64_t> priority;  ///< nullopt: stays as it is
    std::optional<bool> use_domain_notifications;
};
/// Precondition: there is such a mailbox.
result<void> put_mailroute_account(writer& in, std::uint64_t mailbox, const mailroute_account& wanted);

}  // namespace postern::directory
