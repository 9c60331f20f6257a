#include "control/agent/server.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <thread>

#include "control/sources/text.h"

namespace postern::agent {
namespace {

using boost::json::object;
using boost::json::value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using reason = enum refusal::reason;

constexpr int most_tries = 4;
constexpr milliseconds first_pause{1'000};
constexpr milliseconds slice{50};
constexpr milliseconds first_look{100};
constexpr milliseconds longest_look{2'000};
constexpr std::chrono::minutes longest_wait{30};  // for the end of a sync
constexpr std::size_t longest_detail = 1000;

std::string encoded(std::string_view part) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : part) {
        const auto octet = static_cast<unsigned char>(c);
        const bool plain = (octet | 0x20U) >= 'a' && (octet | 0x20U) <= 'z';
        if (plain || (octet >= '0' && octet <= '9') || c == '-' || c == '_' || c == '.') {
            out += c;
        } else {
            out += {'%', digits[octet >> 4U], digits[octet & 15U]};
        }
    }
    return out;
}

object parsed(const std::string& body) {
    boost::json::error_code failed;
    value out = boost::json::parse(body, failed);
    return failed || !out.is_object() ? object() : std::move(out.get_object());
}

/// What the server refuses, in its own words.
refusal refusal_of(const sources::https::answer& got, const std::string& host) {
    const object problem = parsed(got.body);
    refusal out;
    out.text = text_of(problem, "detail").substr(0, longest_detail);
    if (out.text.empty()) {
        out.text = host + " answers " + std::to_string(got.status) + "; is it Postern's API?";
    }
    out.retry_after = got.retry_after.value_or(seconds(0));
    const std::string type = text_of(problem, "type");
    if (got.status == 401 || got.status == 403) {
        out.why = reason::token;
    } else if (got.status == 429 || type.ends_with(":at-work")) {
        out.why = reason::wait;
    } else if (type.ends_with(":other-base") || type.ends_with(":older-list")) {
        out.why = reason::other_list;
    } else {
        out.why = got.status >= 500 ? reason::unreachable : reason::refused;
    }
    return out;
}

}  // namespace

std::string text_of(const object& from, std::string_view name) {
    const value* const found = from.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

std::uint64_t number_of(const object& from, std::string_view name) {
    const value* const found = from.if_contains(name);
    return found != nullptr && found->is_int64() && found->get_int64() > 0
               ? static_cast<std::uint64_t>(found->get_int64())
               : 0;
}

server::server(const server_settings& settings, std::string token, const std::atomic<bool>& stop)
    : _settings(settings),
      _token(std::move(token)),
      _stop(stop),
      _client(settings.https, _policy, {stop, sources::clock::time_point::max()}) {}

bool server::pause(milliseconds time) const {
    for (const auto until = sources::clock::now() + time; sources::clock::now() < until;) {
        if (_stop.load()) {
            return false;
        }
        std::this_thread::sleep_for(slice);
    }
    return !_stop.load();
}

std::string server::path_of(const std::string& rest) const {
    return "/v1/sources/" + encoded(_settings.source) + rest;
}

tl::expected<object, refusal> server::ask(sources::https::request what) {
    what.server = _settings.url;
    what.host = _settings.host;
    what.token = _token;
    milliseconds next_pause = first_pause;
    for (int tries = 1;; ++tries) {
        const sources::https::answer got = _client.perform(what);
        if (got.status >= 200 && got.status < 300) {
            object out = parsed(got.body);
            if (out.empty()) {
                return tl::unexpected(
                    refusal{reason::refused,
                            _settings.host + " answers with something else than JSON; is it Postern's API?",
                            {}});
            }
            return out;
        }
        refusal no =
            got.status == 0
                ? refusal{got.why.end == sources::fetch_outcome::end::stopped ? reason::stopped : reason::unreachable,
                          got.why.step + ": " + got.why.reason,
                          {}}
                : refusal_of(got, _settings.host);
        const bool again = no.why == reason::unreachable && (got.status != 0 || got.may_pass) && tries < most_tries;
        if (!again) {
            return tl::unexpected(std::move(no));
        }
        if (!pause(std::max(next_pause, milliseconds(std::min(no.retry_after, seconds(30)))))) {
            return tl::unexpected(refusal{reason::stopped, "stopped", {}});
        }
        next_pause *= 2;
    }
}

tl::expected<source_state, refusal> server::state() {
    sources::https::request what;
    what.target = path_of("/push");
    return ask(std::move(what)).map([](const object& from) {
        source_state out;
        out.sequence = number_of(from, "sequence");
        if (const std::uint64_t upon = number_of(from, "changes_upon"); upon != 0) {
            out.changes_upon = upon;
        }
        out.whole_because = text_of(from, "whole_because");
        return out;
    });
}

tl::expected<std::uint64_t, refusal> server::push(const list_push& what) {
    sources::https::request to;
    to.target = path_of(what.whole ? "/push/whole" : "/push/changes") + "?base=" + std::to_string(what.base) +
                (what.test_run ? "&dry=true" : "&sequence=" + std::to_string(what.base + 1));
    to.file = what.path;
    to.file_type = "application/x-ndjson";
    return ask(std::move(to)).map([](const object& taken) {
        const value* const sync = taken.if_contains("sync");
        return sync != nullptr && sync->is_object() ? number_of(sync->get_object(), "id") : 0;
    });
}

tl::expected<object, refusal> server::wait_for_end(std::uint64_t sync) {
    constexpr std::array<std::string_view, 4> passing{"queued", "fetching", "comparing", "publishing"};
    milliseconds look = first_look;
    for (const auto until = sources::clock::now() + longest_wait; sources::clock::now() < until;) {
        sources::https::request what;
        what.target = "/v1/syncs/" + std::to_string(sync);
        auto now = ask(std::move(what));
        if (!now || std::ranges::find(passing, text_of(*now, "state")) == passing.end()) {
            return now;
        }
        if (!pause(look)) {
            return tl::unexpected(refusal{reason::stopped, "stopped", {}});
        }
        look = std::min(look * 2, longest_look);
    }
    return tl::unexpected(refusal{reason::refused, "sync " + std::to_string(sync) + " does not come to its end", {}});
}

tl::expected<boost::json::array, refusal> server::changes(std::uint64_t sync, unsigned most) {
    sources::https::request what;
    what.target = "/v1/syncs/" + std::to_string(sync) + "/changes?limit=" + std::to_string(most);
    return ask(std::move(what)).map([](const object& page) {
        const value* const items = page.if_contains("items");
        return items != nullptr && items->is_array() ? items->get_array() : boost::json::array();
    });
}

}  // namespace postern::agent
