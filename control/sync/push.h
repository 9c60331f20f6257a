// Pushed lists: a list whose owner sends it here, whole or as changes, instead of being asked for it. A source of type
// "push" has no directory to be read; what was sent becomes a run like any other: fetched from its file, compared,
// guarded, applied, published, recorded.
//
// Each list has a number (`sequence`) that grows: a counter, or a clock. One that is not higher than the last is never
// applied: the very same list again is answered with what became of it, any other is refused. Changes name the number
// that they build upon (`base`), and are taken over exactly that list alone. A list that is held, failed or was changed
// here leaves no base: the next one is to be whole, which repairs all that went before. docs/push.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "control/sync/runs.h"
#include "control/sync/sources.h"

namespace postern::sync {

inline constexpr std::string_view push_type_name = "push";
source_type push_type();

/// A push source's own settings, as JSON in `source_settings::settings`.
struct push_settings {
    std::vector<std::string> domains;    ///< names: asserts addresses of these alone; empty: all of the organisation's
    std::uint32_t pushes_per_hour = 60;  ///< within any hour, test runs left out; 0: no limit
};
std::string to_json(const push_settings& from);
directory::result<push_settings> read_push_settings(std::string_view json);

/// A list that was received and read through.
struct push_order {
    std::uint32_t source = 0;
    bool whole = true;
    bool dry = false;                       ///< a test run: the diff, and nothing is changed; not numbered
    std::optional<std::uint64_t> sequence;  ///< 1 to 2^63-1; absent: one more than the last
    std::optional<std::uint64_t> base;      ///< number of the list that it builds upon; changes must have it
    std::string path;                       ///< of its lines (sources/push/lines.h); taken away if it is accepted
    std::string digest;                     ///< of what was sent; empty: never the same again
};

struct taken_push {
    std::uint64_t run = 0;
    std::uint64_t sequence = 0;
    bool again = false;  ///< this list was taken before: nothing is to begin
};

struct push_refusal {
    enum class reason : std::uint8_t {
        invalid,     ///< the order or the list itself; `text` with the line
        not_found,   ///< no such source, or no push source
        off,         ///< the source is switched off
        at_work,     ///< an earlier list is not done with yet; again after `retry_after`
        too_often,   ///< more than the source's rate; again after `retry_after`
        older,       ///< its number is not higher than the last one's
        other_base,  ///< the list here is not the one that it builds upon; send the whole
        failed,      ///< the store; again after `retry_after` if that is set
    };
    push_refusal::reason why = reason::failed;
    std::string text;  ///< for people
    std::chrono::seconds retry_after{0};
};

/// Where a push source stands.
struct push_state {
    std::uint64_t sequence = 0;            ///< of the last list taken; 0: none yet
    std::uint64_t run = 0;                 ///< of that
    std::optional<std::uint64_t> changes;  ///< changes upon this number can be taken; absent: the next is to be whole
    std::string whole_because;             ///< in words, if `changes` is absent
};
directory::result<push_state> find_push_state(const directory::reader& in, std::uint32_t source);

/// People of an organisation's domain (or all of its domains) as a whole list, for callers that have it in memory.
struct people_push {
    std::uint32_t organisation = 1;
    std::string source;                            ///< "push:NAME"; made if it is not there
    std::vector<std::string> domains;              ///< of a source that is made; empty: all of the organisation's
    std::vector<sources::directory_entry> people;  ///< an empty identity is the address
    bool dry = false;
    std::chrono::milliseconds patience{30'000};  ///< for its end; then it is answered as it stands
};

}  // namespace postern::sync
