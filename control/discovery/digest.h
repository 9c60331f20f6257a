// What is told of discovery, in words: to the webhook and the e-mail addresses that the domain has, as notices of syncs
// are. What a batch of events does is not told one by one but in a digest now and then.
#pragma once

#include <string>
#include <vector>

#include "control/discovery/ends.h"
#include "control/discovery/probing.h"
#include "control/sync/notify.h"

namespace postern::discovery {

/// Which of the domain's choices decides whether a notice goes out.
enum class told_as : std::uint8_t { additions, changes, trouble };

struct letter {
    sync::notice what;
    sync::notices to;
    std::string secret;  ///< of the webhook
};

/// A notice of the domain; nothing if nobody wants it.
result<std::optional<letter>> write_letter(const directory::reader& in, const domain_state& of, told_as as,
                                           std::string event, std::string text, timestamp now,
                                           const sync::secret_box& box);

/// Domains with something untold whose last digest is older than `pause` milliseconds.
result<std::vector<std::uint32_t>> digests_due(const directory::reader& in, timestamp now, timestamp pause);
/// Their digest of what is untold, which it is no more afterwards. `billed_at_once`: as the operator has set it.
result<std::vector<letter>> write_digest(directory::writer& in, std::uint32_t domain, bool billed_at_once,
                                         const sync::secret_box& box);

/// "discovery_suspended", "discovery_resumed", or empty, with its text.
std::pair<std::string, std::string> words_of(const probe_effect& of);
/// How a mode ended.
std::string words_of(const ended_mode& of);
/// That it will.
std::string words_of_coming_end(const domain_state& of, const std::vector<std::string>& against);

}  // namespace postern::discovery
