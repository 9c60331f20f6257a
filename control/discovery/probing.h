// Asking a domain's mail server what it takes: a random address at every change of mode, when the server changes, and
// daily (catch-all is a property of a domain); and a base that was only seen with subaddresses.
#pragma once

#include <optional>
#include <vector>

#include "control/discovery/decide.h"
#include "control/probe/prober.h"

namespace postern::discovery {

inline constexpr timestamp probed_every = 86'400'000;
inline constexpr timestamp probed_again = 5 * 60'000;  ///< without a finding, while discovery waits for one

/// Domains whose mail server is to be asked now; those in `discover` first.
result<std::vector<std::uint32_t>> due_probes(const directory::reader& in, timestamp now, std::size_t limit);

struct probe_effect {
    domain_state before;
    domain_state after;
    bool suspends = false;  ///< discovery was not known to be suspended in this mode before
    bool resumes = false;
    std::uint64_t doubtful = 0;  ///< added since the last probe that found the server refusing strangers
};
/// Keeps what `asked`'s server said. Nothing if the domain has another server or mode meanwhile. A catch-all suspends
/// discovery: what waits is forgotten. A server that refuses strangers has candidates decided anew.
result<std::optional<probe_effect>> keep_probe(directory::writer& in, const domain_state& asked,
                                               const probe::recipient_finding& found);

/// Candidates in `checking` whose base is to be asked for.
struct base_question {
    std::uint32_t domain = 0;
    std::string local;
    std::string address;
    std::vector<recipients::mail_host> hosts;
};
result<std::vector<base_question>> bases_to_ask(const directory::reader& in, std::size_t limit);
/// Without a finding the question stays.
result<std::optional<happening>> keep_base(directory::writer& in, const base_question& asked,
                                           const probe::recipient_finding& found);

}  // namespace postern::discovery
