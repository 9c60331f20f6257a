// Postern's side of a push, over its API: where the source stands, a list on its way, and what became of it.
#pragma once

#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "control/agent/configuration.h"

namespace postern::agent {

struct refusal {
    enum class reason : std::uint8_t {
        unreachable,  ///< no connection, no TLS, no answer, 5xx
        token,        ///< 401, 403
        other_list,   ///< the list there is not the one that was expected: push the whole
        wait,         ///< an earlier list is at work, or the rate: again after `retry_after`
        refused,      ///< anything else that the server says no to
        stopped,
    };
    refusal::reason why = reason::unreachable;
    std::string text;
    std::chrono::seconds retry_after{0};
};

struct source_state {
    std::uint64_t sequence = 0;                 ///< of the last list that was taken
    std::optional<std::uint64_t> changes_upon;  ///< absent: the next is to be whole
    std::string whole_because;
};

struct list_push {
    std::string path;  ///< of its lines
    bool whole = true;
    bool test_run = false;
    std::uint64_t base = 0;
};

/// For one thread. Connections that fail and servers that are busy are tried again a few times; a list that was taken
/// in spite of it is answered as the same one.
class server {
public:
    /// `stop` must outlive it.
    server(const server_settings& settings, std::string token, const std::atomic<bool>& stop);

    tl::expected<source_state, refusal> state();
    /// Id of the list's sync.
    tl::expected<std::uint64_t, refusal> push(const list_push& what);
    /// The sync at its end, or held; as the API has it.
    tl::expected<boost::json::object, refusal> wait_for_end(std::uint64_t sync);
    bool pause(std::chrono::milliseconds time) const;  ///< false: stopped
    /// The first of what a sync changes.
    tl::expected<boost::json::array, refusal> changes(std::uint64_t sync, unsigned most);

private:
    tl::expected<boost::json::object, refusal> ask(sources::https::request what);
    std::string path_of(const std::string& rest) const;

    const server_settings& _settings;
    const std::string _token;
    const std::atomic<bool>& _stop;
    const sources::egress_policy _policy;
    sources::https::client _client;
};

/// Text of a member; "" for null or none.
std::string text_of(const boost::json::object& from, std::string_view name);
std::uint64_t number_of(const boost::json::object& from, std::string_view name);

}  // namespace postern::agent
