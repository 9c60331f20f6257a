// What discovery is told of a domain, and how it stands there.
//
// Discovery is at work while the domain is in `discover` and its mail server is known to refuse a random recipient
// since then: only then does an accepted one prove anything. Before, evidence is kept and nothing is added (`waiting`);
// a server that takes any recipient suspends it, and evidence from then counts for nothing.
#pragma once

#include <optional>
#include <string>

#include "control/directory/domains.h"
#include "control/directory/routes.h"
#include "control/sync/sources.h"

namespace postern::discovery {

using directory::result;
using directory::timestamp;

enum class standing : std::uint8_t { off, waiting, running, suspended };
std::string_view to_string(standing of) noexcept;

inline constexpr std::uint32_t most_clean = 20;
inline constexpr std::uint32_t most_days = 90;

struct settings {
    std::uint32_t clean = 1;  ///< so many good messages add an address; 1 to `most_clean`
    std::uint32_t days = 14;  ///< within so many days; 1 to `most_days`
    /// `enforce`: where the domain goes at the end of `discover` if it is ready then; else `observe`.
    recipients::mode ends_in = recipients::mode::observe;
    sync::notices notify{{}, {}, true, true, true};  ///< changes: what is for a person to decide
};

struct probe_record {
    timestamp asked = 0;  ///< 0: never
    timestamp due = 0;    ///< the next one at the latest; 0: as soon as may be
    std::optional<bool> takes_any;
    timestamp found = 0;  ///< when that was found
    std::string said;     ///< of the last one, in words
};

struct domain_state {
    directory::domain domain;
    settings set;
    bool has_webhook_secret = false;
    standing now = standing::off;
    std::string text;  ///< what that means and what to do, in words
    probe_record probe;
    timestamp suspended = 0;                 ///< since; 0: is not
    std::optional<directory::route> server;  ///< confirmed
};

/// `domain`: not an alias.
result<domain_state> find_state(const directory::reader& in, const directory::domain& domain);
result<domain_state> find_state(const directory::reader& in, std::uint32_t domain);

/// All of `set` as it is to be. The secret: nothing leaves it, "" takes it away. Candidates are decided anew.
result<domain_state> change_settings(directory::writer& in, const directory::domain& domain, const settings& set,
                                     const std::optional<std::string>& webhook_secret, const sync::secret_box& box);
/// In the clear: for the notices' way out alone. Empty: none.
result<std::string> webhook_secret(const directory::reader& in, std::uint32_t domain, const sync::secret_box& box);

/// "discovery:example.com": who asserts what is discovered.
std::string source_name(const directory::domain& domain);

/// The hosts as one text, to tell whether a finding was of these.
std::string hosts_text(const std::vector<recipients::mail_host>& hosts);

/// What to do about a server that takes any recipient.
extern const char* const catch_all_remedy;

/// The domain's row of the table `discovery`, made if there is none.
void need_row(directory::writer& in, std::uint32_t domain);

}  // namespace postern::discovery
