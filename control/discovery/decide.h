// What becomes of a candidate once there is enough evidence.
//
// Enough evidence adds the address, asserted by "discovery:DOMAIN" and unclassified, unless somebody has decided about
// it: a blocked address stays out, and one that was in the list before and was taken out by anybody but discovery (a
// directory in which its owner is no more, a person, a file) is not brought back but shown to a person. An address
// that the mail server was only seen to take with subaddresses is first asked for as it stands.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/discovery/candidates.h"
#include "control/discovery/state.h"

namespace postern::discovery {

/// For the log, once it is durable.
struct happening {
    enum class kind : std::uint8_t { added, left, base_refused, withdrawn, flagged };
    kind what = kind::added;
    std::string domain;
    std::string address;
    std::string detail;  ///< who took it out; what the mail server said
    std::uint64_t good = 0;
    std::uint32_t senders = 0;
};

/// Whether "discovery:DOMAIN" asserts the address now.
result<bool> is_asserted(const directory::reader& in, const directory::domain& domain, std::string_view local);

/// Precondition: discovery is at work in the domain. The candidate is kept as it is afterwards, or dropped.
result<std::optional<happening>> decide(directory::writer& in, const domain_state& of, candidate& one);
/// The mail server has said whether it takes the candidate as it stands.
result<std::optional<happening>> decide_base(directory::writer& in, const domain_state& of, candidate& one,
                                             bool accepted);

/// Decides all that wait, at most `limit`, if discovery is at work; whether all were looked at.
result<bool> review(directory::writer& in, const domain_state& of, std::vector<happening>& into, std::size_t limit);

/// The mail server refuses a listed address (5.1.1): discovery's assertion ends, the others' are flagged.
result<std::optional<happening>> refuse_listed(directory::writer& in, const directory::domain& domain,
                                               std::string_view local, const std::string& said);

/// Ends discovery's assertion of the address, if it has one.
result<void> withdraw(directory::writer& in, const directory::domain& domain, std::string_view local);

}  // namespace postern::discovery
