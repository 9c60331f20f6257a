// The recipients that the edges saw lately: distinct addresses of each domain with how often, when and with what
// outcome.
//
// A SQLite file of its own beside the directory, so that a busy edge never waits for the list's writer, nor the list
// for it. Bounded: over `limit` rows the ones seen longest ago go and are counted; what was not seen for `keep` goes,
// too. Losing the file loses nothing but the look back. Any thread; takers queue behind one lock, readers never wait.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>

#include "control/recent/events.h"

namespace postern::recent {

struct seen_address {
    std::uint32_t domain = 0;
    std::string address;
    timestamp first = 0;
    timestamp last = 0;
    outcome last_outcome = outcome::unknown;
    std::string last_source;
    std::array<std::uint64_t, outcomes> counts{};  ///< by outcome, since `first`
    std::uint64_t times() const noexcept;
};

struct recent_counts {
    std::uint64_t addresses = 0;  ///< kept
    std::uint64_t dropped = 0;    ///< over the limit, in all
    std::uint64_t lost = 0;       ///< events that the edges overwrote or missed, in all
    std::uint64_t events = 0;     ///< taken, in all
};

struct recent_options {
    std::uint64_t limit = 1'000'000;
    std::chrono::hours keep{24 * 30};
};

class recent_store final : public consumer {
public:
    /// Opens or creates the file at `path`; one that can't be used is replaced (and that is logged).
    static result<std::unique_ptr<recent_store>> open(const std::string& path, const recent_options& options = {});
    ~recent_store() override;

    result<std::uint64_t> position(std::string_view edge, std::string_view run) override;
    /// Findings are not kept here.
    result<void> take(const batch& told) override;

    /// Every address of the domain that was seen since then, until `see` answers false; in no order.
    result<void> each(std::uint32_t domain, timestamp since, const std::function<bool(const seen_address&)>& see) const;
    /// The same by time, newest first. `after` of a page is opaque.
    result<directory::page<seen_address>> list(std::uint32_t domain, timestamp since,
                                               const directory::page_request& at) const;
    /// When an address of the domain was first and last seen; 0: never.
    result<std::pair<timestamp, timestamp>> span_of(std::uint32_t domain) const;
    result<recent_counts> counts() const;

private:
    struct state;
    explicit recent_store(std::unique_ptr<state> made);
    std::unique_ptr<state> _state;
};

}  // namespace postern::recent
