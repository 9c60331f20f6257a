// What the edges tell of recipients (docs/edge-socket.md, "events"), and who takes it.
//
// A consumer keeps for itself how far it has come with each edge, in the same transaction as what it makes of the
// events: so none is lost and none counts twice, whenever which process ends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/directory/error.h"
#include "control/directory/store.h"

namespace postern::recent {

using directory::result;
using directory::timestamp;

/// As the edge tells it. The first `outcomes` are decisions, their numbers are the recent store's; the others are
/// findings about a recipient.
enum class outcome : std::uint8_t {
    listed = 0,          ///< on the list
    would_reject = 1,    ///< not on the list, passed, and the mail server accepted it
    refused_behind = 2,  ///< not on the list, passed, and the mail server refused it, too
    deferred = 3,        ///< not on the list, 450 4.1.1
    rejected = 4,        ///< not on the list, 550 5.1.1
    unknown = 5,         ///< not on the list, answered for another reason
    good_mail = 6,       ///< not on the list, in `discover`: the mail server took a message that was judged good
    bad_mail = 7,        ///< the same, judged bad
    listed_refused = 8,  ///< on the list, but the mail server said 5.1.1
};
inline constexpr std::size_t outcomes = 6;
std::string_view to_string(outcome how) noexcept;
/// A word that is none is `unknown`.
outcome parse_outcome(std::string_view word) noexcept;
inline bool is_finding(outcome how) noexcept {
    return how > outcome::unknown;
}

/// One event of an edge.
struct sighting {
    std::uint32_t domain = 0;
    std::string address;  ///< normal form
    outcome how = outcome::unknown;
    timestamp at = 0;
    std::string source;  ///< the client's network
    std::uint64_t number = 0;
    std::string sender = {};     ///< of a finding: keyed hash, the edge's own; empty: not told
    std::string judged_by = {};  ///< of a finding: "checks", "rspamd"
    std::string why = {};        ///< of a finding, in words
};

/// What one edge told in one answer.
struct batch {
    std::string edge;
    std::string run;                ///< of the edge: numbers begin anew with each
    std::uint64_t last = 0;         ///< number of the last of `sightings`
    std::uint64_t overwritten = 0;  ///< at the edge, since its start
    std::uint64_t missed = 0;
    std::vector<sighting> sightings;
};

class consumer {
public:
    consumer() = default;
    consumer(const consumer&) = delete;
    consumer& operator=(const consumer&) = delete;
    virtual ~consumer() = default;

    /// The last number that was taken of this edge's run; 0: none.
    virtual result<std::uint64_t> position(std::string_view edge, std::string_view run) = 0;
    /// Takes a batch, whole or not at all: afterwards the edge may forget it.
    virtual result<void> take(const batch& told) = 0;
};

}  // namespace postern::recent
