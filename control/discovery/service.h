// Discovery at work: takes the edges' findings, asks the mail servers what they refuse, ends modes by their date, and
// tells people.
//
// Two threads: one for what is due by the clock, one for questions to mail servers, which may take their time. Findings
// are taken by the collector's threads. Every effect is one transaction of the directory, and an edge's events are
// acknowledged behind it; so a restart at any moment loses nothing and does nothing twice.
#pragma once

#include <memory>

#include "control/discovery/state.h"
#include "control/probe/prober.h"
#include "control/recent/recent_store.h"
#include "control/sync/service.h"

namespace postern::discovery {

struct service_options {
    bool billed_at_once = false;                             ///< unclassified mailboxes are billed
    std::chrono::milliseconds between_digests{10 * 60'000};  ///< of one domain
    bool scheduled = true;                                   ///< false: only `tick` and `probe_due` do anything (tests)
};

/// Since the program's start.
struct totals {
    std::uint64_t good = 0;  ///< findings that counted as evidence
    std::uint64_t bad = 0;
    std::uint64_t suspended = 0;  ///< findings of a domain whose server takes any address
    std::uint64_t ignored = 0;
    std::uint64_t added = 0;
    std::uint64_t left = 0;
    std::uint64_t base_refused = 0;
    std::uint64_t withdrawn = 0;
    std::uint64_t flagged = 0;
    std::uint64_t dropped = 0;  ///< candidates over the bound
    std::uint64_t probes = 0;
};

class service final : public recent::consumer {
public:
    /// All must outlive it. `seen` null: recent recipients are not kept.
    service(directory::store& store, const probe::prober& prober, sync::service& syncs,
            const recent::recent_store* seen, const service_options& options);
    ~service() override;  ///< ends a question that runs

    result<std::uint64_t> position(std::string_view edge, std::string_view run) override;
    result<void> take(const recent::batch& told) override;

    /// Asks the domain's mail server for a random address now and keeps what it says; blocks, a minute a host at most.
    /// `refused` without a confirmed inbound server.
    result<domain_state> probe_now(std::uint32_t domain, const directory::actor& by);

    totals counts() const;
    bool billed_at_once() const noexcept;

    /// What the clock's thread does every second.
    void tick();
    /// What the other one does: every question to a mail server that is due; how many were asked.
    std::size_t probe_due();

private:
    struct body;
    std::unique_ptr<body> _body;
};

}  // namespace postern::discovery
