// A whole fetch as a conversation, sans-IO: `next` says what to do, `take` gets what came of it. Time is an argument.
//
// Token (client credentials) -> delta pages of users -> of groups, each followed by @odata.nextLink, also over empty
// pages, until @odata.deltaLink. Objects repeat and replay: the last counts. A delta link that is too old (a 40x
// syncStateNotFound, 410 Gone) begins the whole anew. 429 and 5xx, cut connections and broken answers are tried again
// after a pause, a bounded number of times; then the fetch is partial, and removes nothing.
// https://learn.microsoft.com/graph/delta-query-overview, …/graph/throttling.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "control/sources/failure.h"
#include "control/sources/https/answer.h"
#include "control/sources/microsoft365/cookie.h"
#include "control/sources/microsoft365/mapping.h"
#include "control/sources/microsoft365/page.h"
#include "control/sources/microsoft365/settings.h"

namespace postern::sources::microsoft365 {

struct moment {
    clock::time_point at;
    std::int64_t unix_s = 0;  ///< seconds since 1970
};

struct request {
    origin to;
    std::string target;  ///< path and query
    std::string form;    ///< POST of a form; empty: GET
    std::string token;   ///< bearer; empty: none
};

using answer = https::answer;

struct todo {
    enum class what : std::uint8_t { ask, wait, end };
    todo::what what = todo::what::end;
    request ask;
    clock::time_point until;  ///< of wait
};

/// How many objects of a collection were told, and what became of them.
struct tally {
    std::uint64_t entries = 0;
    std::uint64_t no_address = 0;
    std::uint64_t excluded = 0;
    std::uint64_t disabled = 0;
    std::uint64_t guests = 0;
    std::uint64_t removed = 0;
    std::uint64_t unreadable = 0;  ///< values
    std::uint64_t all() const noexcept { return entries + no_address + excluded + disabled + guests + removed; }
};

struct conversation_options {
    clock::time_point until = clock::time_point::max();  ///< of all
    bool first_pages = false;                            ///< enough of each collection to show (test of a connection)
    std::uint32_t seed = 1;                              ///< of what is random in pauses
    /// Told when the sign-in is done, and at the end of each collection.
    std::function<void(std::string_view step, const tally& of)> observer;
};

class conversation {
public:
    /// All must outlive it. `out` is set when `next` says that it is over.
    conversation(const tenant_settings& settings, const fetch_request& fetch, entry_sink& into, fetch_outcome& out,
                 conversation_options options);

    todo next(moment now);
    /// What came of the last `ask`.
    void take(answer&& what, moment now);
    /// The caller wants no more.
    void stop();

private:
    enum class asked : std::uint8_t { nothing, token, page, object };
    struct track {
        std::string target;  ///< of the next page
        std::string end;     ///< the delta link's
    };

    collection at() const noexcept { return static_cast<collection>(_at); }
    std::string step() const;
    void begin(moment now);
    void begin_whole();
    void restart(const std::string& why);
    void take_token(const answer& what, moment now);
    void take_page(const answer& what, moment now);
    void take_object(const answer& what, moment now);
    void take_refusal(const answer& what);
    void yield(directory_object&& one);
    void end_collection(std::string delta_target, moment now);
    void retry(const answer& what, failure why, moment now);
    void fail(const failure& why);
    void complete(moment now);

    const tenant_settings& _settings;
    const fetch_request& _fetch;
    entry_sink& _into;
    fetch_outcome& _out;
    conversation_options _options;
    const origin _graph;
    std::minstd_rand _random;

    bool _begun = false;
    bool _over = false;
    asked _asked = asked::nothing;
    std::string _token;
    clock::time_point _token_until;
    bool _token_renewed = false;  ///< because Graph refused one; not again before it takes one
    std::array<track, 2> _tracks;
    std::size_t _at = 0;
    std::deque<std::string> _incomplete;  ///< ids of objects that were told in part, to be asked for
    std::array<tally, 2> _tallies;
    std::int64_t _whole_at = 0;
    unsigned _restarts = 0;
    unsigned _tries = 0;
    bool _answered = false;  ///< by either host, whatever it said
    std::uint64_t _pages = 0;
    clock::time_point _wait_until;
};

}  // namespace postern::sources::microsoft365
