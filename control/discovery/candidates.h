// Candidates: addresses that no list has and that mail was accepted for, each with its evidence; and listed addresses
// that the mail server refuses.
//
// Bounded: at most `most_candidates` of a domain (those without a good message go first, then the ones seen longest
// ago) and `most_senders` hashes of senders of each.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "control/directory/domains.h"
#include "control/discovery/evidence.h"

namespace postern::discovery {

using directory::result;
using directory::timestamp;

inline constexpr std::uint64_t most_candidates = 50'000;
inline constexpr std::uint64_t most_refusals = 10'000;
inline constexpr std::uint32_t most_senders = 32;

/// The numbers are the store's.
enum class candidate_state : std::uint8_t {
    waiting = 0,       ///< not enough evidence yet
    checking = 1,      ///< seen with subaddresses only: the mail server is to be asked for the base
    added = 2,         ///< in the list by discovery, for a person to look at
    left = 3,          ///< somebody took it out of the list, yet mail is still accepted: for a person to decide
    base_refused = 4,  ///< seen with subaddresses only, and the mail server refuses the base: for a person to decide
    refused = 5,       ///< was added, then the mail server said 5.1.1: taken out; new evidence may bring it back
};
inline constexpr std::size_t candidate_states = 6;
std::string_view to_string(candidate_state of) noexcept;
std::optional<candidate_state> parse_candidate_state(std::string_view word) noexcept;

struct candidate {
    std::uint64_t id = 0;
    std::uint32_t domain = 0;
    std::string local;    ///< normal form
    std::string address;  ///< normal form
    candidate_state state = candidate_state::waiting;
    timestamp since = 0;  ///< of the state
    timestamp first = 0;  ///< message, good or bad
    timestamp last = 0;
    std::uint64_t good = 0;     ///< messages, in all
    std::uint64_t bad = 0;      ///< messages, in all
    std::uint32_t senders = 0;  ///< distinct ones of good messages, `most_senders` at most
    bool untagged = false;      ///< the server took mail for it as it stands
    message_times times;
    std::string judged_by;  ///< the last message's judge
    std::string why;        ///< what it said, or the mail server when it refused
    std::string taken_by;   ///< `left`: who took it out of the list
};

result<std::optional<candidate>> find_candidate(const directory::reader& in, std::uint32_t domain,
                                                std::string_view local);
/// Found or made, `at` its first message.
result<candidate> need_candidate(directory::writer& in, const directory::domain& domain, const std::string& local,
                                 timestamp at);
void keep_candidate(directory::writer& in, const candidate& one);
/// A change that people are told of.
void move_candidate(directory::writer& in, candidate& one, candidate_state to);
/// The number of its senders follows.
void count_sender(directory::writer& in, candidate& of, const std::string& sender);
void drop_candidate(directory::writer& in, std::uint64_t id);
/// Its evidence so far counts for nothing any more.
void void_evidence(directory::writer& in, candidate& one);

/// Keeps the domain's bounds; how many went.
std::uint64_t make_room(directory::writer& in, std::uint32_t domain);
/// What is too old to be evidence, or was decided elsewhere meanwhile, goes.
result<void> forget_old(directory::writer& in);

struct candidate_filter {
    std::uint32_t domain = 0;
    std::optional<candidate_state> state;
};
/// By id. What an authority has taken over since is left out.
result<directory::page<candidate>> list_candidates(const directory::reader& in, const candidate_filter& filter,
                                                   const directory::page_request& at);
result<std::array<std::uint64_t, candidate_states>> count_candidates(const directory::reader& in, std::uint32_t domain);

/// A listed address that the mail server refuses.
struct refusal {
    std::string address;
    std::uint64_t times = 0;
    timestamp first = 0;
    timestamp last = 0;
};
/// By id; those that are still in force.
result<directory::page<refusal>> list_refusals(const directory::reader& in, std::uint32_t domain,
                                               const directory::page_request& at);
result<std::uint64_t> count_refusals(const directory::reader& in, std::uint32_t domain);

}  // namespace postern::discovery
