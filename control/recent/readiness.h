// Whether a domain is ready for `enforce`: what would have been refused lately, how old the list is, what the mail
// server does, how fresh the sources are. An advice to a person; nothing here changes anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/directory/domains.h"
#include "control/directory/routes.h"
#include "control/recent/what_if.h"

namespace postern::recent {

/// A sentence for people and a word for programs.
struct finding {
    std::string code;  ///< "empty_list", "would_refuse", "no_inbound_server", …
    std::string text;
};

/// A source that asserts addresses of the domain.
struct asserting_source {
    std::string name;
    std::uint64_t addresses = 0;
    timestamp newest = 0;  ///< when it first asserted the newest of them
};

/// What a probe of the domain's mail server said of addresses that must work; nothing: not asked, or no finding.
struct server_answers {
    std::optional<bool> catch_all;
    std::optional<bool> postmaster;  ///< true: accepted
    std::optional<bool> abuse;
};

struct readiness {
    bool ready = false;
    std::vector<finding> reasons;   ///< against it; none: ready
    std::vector<finding> warnings;  ///< worth a look before

    directory::domain_counts list;
    timestamp list_changed = 0;  ///< the last change of an address of the domain; 0: never
    std::vector<asserting_source> sources;
    std::optional<directory::route> server;
    server_answers answers;
    timestamp seen_first = 0;  ///< of the recent recipients; 0: none were seen
    timestamp seen_last = 0;
    what_if_result recent;  ///< against the list as it is
};

struct readiness_question {
    timestamp since = 0;           ///< how far the look back goes
    std::size_t addresses = 100;   ///< of the list of those that would have been refused
    server_answers probed;         ///< by a probe made for this question, if there was one
    std::vector<finding> reasons;  ///< what others know against it (a source that is not fresh, a sync that is held)
    std::vector<finding> warnings;
};

result<readiness> assess(const directory::reader& in, const recent_store& seen, const directory::domain& domain,
                         timestamp now, readiness_question question);

}  // namespace postern::recent
