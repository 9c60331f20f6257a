#include "control/sources/microsoft365/conversation.h"

#include <algorithm>
#include <utility>

#include "control/sources/microsoft365/retry.h"
#include "control/sources/microsoft365/token.h"
#include "control/sources/text.h"

namespace postern::sources::microsoft365 {
namespace {

constexpr std::chrono::minutes token_margin{2};
constexpr unsigned most_restarts = 2;            ///< of one fetch
constexpr std::uint64_t most_pages = 1'000'000;  ///< of one fetch
constexpr std::size_t most_incomplete = 50'000;  ///< of one page and what is left of earlier ones
constexpr std::uint64_t enough_objects = 100;    ///< of a collection, to show
constexpr std::int64_t seconds_an_hour = 3600;

/// Codes by which Graph says that a link is too old to go on from.
bool is_expired(const graph_error& error) {
    constexpr std::array<std::string_view, 4> codes = {"syncStateNotFound", "syncStateInvalid", "resyncRequired",
                                                       "Directory_ExpiredPageToken"};
    return std::any_of(codes.begin(), codes.end(), [&](std::string_view code) { return same(error.code, code); });
}

bool may_pass(unsigned status) {
    return status == 408 || status == 429 || (status >= 500 && status != 501);
}

/// " (403 Authorization_RequestDenied: Insufficient privileges …)"
std::string in_brackets(unsigned status, const graph_error& error) {
    return " (" + std::to_string(status) + (error.code.empty() ? "" : " " + one_line(error.code)) +
           (error.message.empty() ? "" : ": " + one_line(error.message)) + ")";
}

failure failed(std::string step, std::string reason) {
    return {fetch_outcome::end::failed, std::move(step), std::move(reason), false};
}

}  // namespace

conversation::conversation(const tenant_settings& settings, const fetch_request& fetch, entry_sink& into,
                           fetch_outcome& out, conversation_options options)
    : _settings(settings),
      _fetch(fetch),
      _into(into),
      _out(out),
      _options(std::move(options)),
      _graph(settings.graph()),
      _random(_options.seed) {}

std::string conversation::step() const {
    return _asked == asked::token ? "token" : std::string(to_string(at()));
}

void conversation::begin(moment now) {
    _begun = true;
    _out.server = _graph.url();
    auto cookie = decode_cookie(_fetch.cookie);
    const std::int64_t age = cookie ? now.unix_s - cookie->whole_at : 0;
    const bool fresh = _settings.whole_every_hours == 0 ||
                       (age >= 0 && age < static_cast<std::int64_t>(_settings.whole_every_hours) * seconds_an_hour);
    if (cookie && fresh && cookie->fingerprint == _settings.fingerprint() &&
        cookie->targets[1].empty() != _settings.groups) {
        _out.whole = false;
        _whole_at = cookie->whole_at;
        for (std::size_t i = 0; i < _tracks.size(); ++i) {
            _tracks.at(i) = {std::move(cookie->targets.at(i)), ""};
        }
        return;
    }
    if (!_fetch.cookie.empty() && !_into.restart_whole()) {
        stop();
        return;
    }
    begin_whole();
}

void conversation::begin_whole() {
    _out.whole = true;
    _whole_at = 0;
    _at = 0;
    _tracks = {track{first_target(collection::users), ""}, track{first_target(collection::groups), ""}};
    _incomplete.clear();
    _tallies = {};
}

void conversation::restart(const std::string& why) {
    if (++_restarts > most_restarts) {
        fail(failed("changes", "Graph asked " + std::to_string(_restarts) + " times to begin anew" + why +
                                   "; it is tried again at the next sync"));
        return;
    }
    _tries = 0;
    _out.read = _out.left_out = _out.unreadable = 0;
    if (!_into.restart_whole()) {
        stop();
        return;
    }
    begin_whole();
}

todo conversation::next(moment now) {
    if (!_begun) {
        begin(now);
    }
    if (!_over && now.at >= _options.until) {
        fail(failed(step(), "the fetch took longer than fetch_timeout_s; raise it, or see why Graph is slow"));
    }
    if (_over) {
        return {};
    }
    if (now.at < _wait_until) {
        return {todo::what::wait, {}, std::min(_wait_until, _options.until)};
    }
    if (_token.empty() || now.at >= _token_until) {
        _asked = asked::token;
        auto form = token_form(_settings, now.unix_s);
        if (!form) {
            fail(failed("token", form.error()));
            return {};
        }
        return {todo::what::ask, {_settings.login(), _settings.token_target(), std::move(*form), ""}, {}};
    }
    _asked = _incomplete.empty() ? asked::page : asked::object;
    return {
        todo::what::ask,
        {_graph, _incomplete.empty() ? _tracks.at(_at).target : object_target(at(), _incomplete.front()), "", _token},
        {}};
}

void conversation::take(answer&& what, moment now) {
    if (_over) {
        return;
    }
    if (what.status == 0) {
        // At the beginning, a name or an address that leads nowhere is more likely wrong than away for a while.
        const bool first = !_answered && (what.why.step == "name" || what.why.step == "TCP");
        if (!what.may_pass || first || what.why.end == fetch_outcome::end::stopped) {
            fail(what.why);
        } else {
            retry(what, what.why, now);
        }
        return;
    }
    _answered = true;
    if (may_pass(what.status)) {
        const graph_error error = parse_error(what.body);
        retry(what,
              failed(step(), std::string(_asked == asked::token ? "the token endpoint" : "Graph") + " is busy" +
                                 in_brackets(what.status, error)),
              now);
        return;
    }
    switch (_asked) {
        case asked::nothing:
            break;
        case asked::token:
            take_token(what, now);
            break;
        case asked::page:
            take_page(what, now);
            break;
        case asked::object:
            take_object(what, now);
            break;
    }
}

void conversation::take_token(const answer& what, moment now) {
    if (what.status != 200) {
        fail(failed("token", token_refusal(_settings, what.status, what.body)));
        return;
    }
    auto token = parse_token(what.body);
    if (!token) {
        retry(what, failed("token", "the token endpoint's answer can't be used: " + token.error()), now);
        return;
    }
    const bool first = _token.empty() && !_token_renewed;
    _tries = 0;
    _token = std::move(token->text);
    _token_until = now.at + std::max<std::chrono::seconds>(token->lifetime - token_margin, token->lifetime / 2);
    if (first && _options.observer) {
        _options.observer("token", {});
    }
}

void conversation::take_refusal(const answer& what) {
    const graph_error error = parse_error(what.body);
    const std::string said = in_brackets(what.status, error);
    if (what.status == 410 || (what.status >= 400 && is_expired(error))) {
        // Where Location leads is not followed: it need not ask for the same members, and a user without
        // proxyAddresses would lose the aliases.
        restart(said);
        return;
    }
    if (what.status == 401 && !_token_renewed) {
        _token_renewed = true;
        _token.clear();
        return;
    }
    if (what.status == 401) {
        fail(failed("token", "Graph does not take the token" + said +
                                 "; see whether cloud, login_url and graph_url are of the tenant's cloud"));
        return;
    }
    const bool users = at() == collection::users;
    if (what.status == 403) {
        fail(failed(step(), std::string("the application may not read ") + (users ? "users" : "groups") + said +
                                "; give it the application permission " +
                                (users ? "User.Read.All" : "GroupMember.Read.All") + " and grant admin consent"));
        return;
    }
    fail(failed(step(), std::string("Graph refused to tell the ") + (users ? "users" : "groups") + said +
                            "; see whether graph_url leads to Microsoft Graph"));
}

void conversation::take_page(const answer& what, moment now) {
    if (what.status != 200) {
        take_refusal(what);
        return;
    }
    auto page = parse_page(what.body, at());
    if (!page) {
        retry(what, failed(step(), "Graph's answer can't be used: " + page.error()), now);
        return;
    }
    const std::string& link = page->next_link.empty() ? page->delta_link : page->next_link;
    auto target = target_on(_graph, link);
    if (!target) {
        fail(failed(step(), "Graph's page leads away from " + _graph.url() + ", to " + one_line(link) +
                                "; it is not followed: see what answers at graph_url"));
        return;
    }
    if (!page->next_link.empty() && *target == _tracks.at(_at).target) {
        fail(failed(step(), "Graph's page leads to itself; it is tried again at the next sync"));
        return;
    }
    if (++_pages > most_pages) {
        fail(failed(step(), "Graph gave more than " + std::to_string(most_pages) + " pages; it is not read further"));
        return;
    }
    _tries = 0;
    _token_renewed = false;
    for (directory_object& each : page->objects) {
        if (_over) {
            return;
        }
        if (each.removed || each.whole) {
            yield(std::move(each));
            continue;
        }
        if (_incomplete.size() >= most_incomplete) {
            fail(failed(step(), "Graph told more than " + std::to_string(most_incomplete) + " objects only in part"));
            return;
        }
        _incomplete.push_back(std::move(each.id));
    }
    if (_over) {
        return;
    }
    if (_options.first_pages && _tallies.at(_at).all() >= enough_objects) {
        _incomplete.clear();
        end_collection(*std::move(target), now);
    } else if (page->next_link.empty()) {
        end_collection(*std::move(target), now);
    } else {
        _tracks.at(_at).target = *std::move(target);
    }
}

void conversation::take_object(const answer& what, moment now) {
    if (what.status == 404) {
        directory_object gone;
        gone.id = _incomplete.front();
        gone.removed = true;
        _incomplete.pop_front();
        yield(std::move(gone));
    } else if (what.status != 200) {
        take_refusal(what);
        return;
    } else {
        auto one = parse_one(what.body, at());
        if (one && one->id != _incomplete.front()) {
            one = tl::unexpected<std::string>("it is another object than was asked for");
        }
        if (!one) {
            retry(what, failed(step(), "Graph's answer can't be used: " + one.error()), now);
            return;
        }
        _incomplete.pop_front();
        yield(std::move(*one));
    }
    _tries = 0;
    _token_renewed = false;
    if (!_over && _incomplete.empty() && !_tracks.at(_at).end.empty()) {
        end_collection(std::exchange(_tracks.at(_at).end, ""), now);
    }
}

void conversation::yield(directory_object&& one) {
    ++_out.read;
    tally& count = _tallies.at(_at);
    bool taken = true;
    if (one.removed) {
        ++count.removed;
        taken = _into.gone(one.id);
    } else {
        mapped got = map(_settings, one, at());
        _out.unreadable += got.unreadable;
        count.unreadable += got.unreadable;
        switch (got.verdict) {
            case mapped::verdict::entry:
                ++count.entries;
                break;
            case mapped::verdict::no_address:
                ++count.no_address;
                break;
            case mapped::verdict::excluded:
                ++count.excluded;
                break;
            case mapped::verdict::disabled:
                ++count.disabled;
                break;
            case mapped::verdict::guest:
                ++count.guests;
                break;
        }
        if (got.verdict == mapped::verdict::entry) {
            taken = _into.entry(std::move(got.entry));
        } else {
            ++_out.left_out;
            // Also in a whole fetch: an earlier page may have told the object with addresses.
            taken = _into.gone(one.id);
        }
    }
    if (!taken) {
        stop();
    }
}

void conversation::end_collection(std::string delta_target, moment now) {
    _tracks.at(_at).end = std::move(delta_target);
    if (!_incomplete.empty()) {
        return;  // they are asked for first
    }
    if (_options.observer) {
        _options.observer(to_string(at()), _tallies.at(_at));
    }
    if (at() == collection::users && _settings.groups) {
        ++_at;
        return;
    }
    complete(now);
}

void conversation::retry(const answer& what, failure why, moment now) {
    ++_tries;
    const double random =
        static_cast<double>(_random() - std::minstd_rand::min()) / (std::minstd_rand::max() - std::minstd_rand::min());
    const auto pause = pause_before_retry(_tries, what.retry_after, random);
    if (!pause) {
        why.reason += what.retry_after && *what.retry_after > longest_pause
                          ? " and asks for a pause of " + std::to_string(what.retry_after->count()) + " s"
                          : ", after " + std::to_string(_tries) + " tries";
        why.reason += "; it is tried again at the next sync";
        fail(why);
        return;
    }
    if (_options.until - now.at <= *pause) {
        why.reason += "; the pause that it takes goes beyond fetch_timeout_s";
        fail(why);
        return;
    }
    _wait_until = now.at + *pause;
}

void conversation::fail(const failure& why) {
    _over = true;
    set_failure(_out, why, _fetch);
}

void conversation::stop() {
    if (!_over) {
        fail(stopped().value());
    }
}

void conversation::complete(moment now) {
    _over = true;
    _out.end = fetch_outcome::end::complete;
    if (_options.first_pages) {
        return;
    }
    delta_cookie cookie{_settings.fingerprint(), _out.whole ? now.unix_s : _whole_at, {}};
    for (std::size_t i = 0; i <= _at; ++i) {
        cookie.targets.at(i) = std::move(_tracks.at(i).end);
    }
    _out.cookie = encode(cookie);
}

}  // namespace postern::sources::microsoft365
