#include <sys/types.h>

#include <ctime>
#include <memory>
#include <utility>

#include "control/sources/ldap/changes.h"
#include "control/sources/ldap/controls.h"
#include "control/sources/ldap/session.h"

namespace postern::sources::ldap {
namespace {

constexpr std::int64_t seconds_an_hour = 3600;

/// One fetch, from a connection to an outcome.
class run {
public:
    run(const ldap_settings& settings, const fetch_request& request, entry_sink& into, fetch_outcome& out,
        connection& on)
        : _settings(settings), _request(request), _into(into), _out(out), _on(on), _mapper(settings) {}

    result<void> go() {
        auto root = read_root(_on);
        if (!root) {
            return tl::unexpected(std::move(root.error()));
        }
        _root = std::move(*root);
        if (auto cookie = usable_cookie(_settings, _request.cookie)) {
            auto ended = changes(*cookie);
            if (!ended) {
                return tl::unexpected(std::move(ended.error()));
            }
            if (*ended == changes_end::done) {
                _out.whole = false;
                _out.cookie = encode(*cookie);
                return {};
            }
        }
        return whole();
    }

private:
    result<changes_end> changes(sync_cookie& cookie) {
        _out.whole = false;
        entry_reader reader(_on, _mapper, _into, _out, true);
        switch (cookie.method) {
            case change_method::dirsync:
                return dirsync_changes(_on, _root, cookie, reader);
            case change_method::usn:
                return usn_changes(_on, _root, cookie, reader);
            case change_method::syncrepl:
                return syncrepl(_on, cookie, reader);
            case change_method::automatic:
            case change_method::none:
                break;
        }
        return changes_end::restart;
    }

    /// What was yielded as changes, or by a way that ended early, is void.
    result<void> restart() {
        _out.whole = true;
        _out.read = _out.left_out = _out.unreadable = 0;
        if (!_into.restart_whole()) {
            return stopped();
        }
        return {};
    }

    result<void> whole() {
        _out.whole = true;
        if (!_request.cookie.empty()) {
            if (auto restarted = restart(); !restarted) {
                return restarted;
            }
        }
        sync_cookie cookie;
        if (auto started = start(cookie); !started) {
            return started;
        }
        entry_reader reader(_on, _mapper, _into, _out, false);
        if (cookie.method == change_method::syncrepl) {
            auto ended = syncrepl(_on, cookie, reader);
            if (ended) {
                finish(std::move(cookie));
                return {};
            }
            // A server that announces the control need not allow it to everyone, and gives it no pages.
            const bool by_choice = _settings.changes == change_method::syncrepl;
            const bool limit = ended.error().end == fetch_outcome::end::partial && ended.error().step == "search";
            if (by_choice || !(ended.error().step == "changes" || limit)) {
                return tl::unexpected(std::move(ended.error()));
            }
            if (auto restarted = restart(); !restarted) {
                return restarted;
            }
            entry_reader again(_on, _mapper, _into, _out, false);
            return read_whole(_on, again);
        }
        if (auto read = read_whole(_on, reader); !read) {
            return read;
        }
        finish(std::move(cookie));
        return {};
    }

    void finish(sync_cookie cookie) {
        if (cookie.method == change_method::none ||
            (cookie.method == change_method::syncrepl && cookie.state.empty())) {
            return;
        }
        cookie.fingerprint = _settings.fingerprint();
        cookie.whole_at = std::time(nullptr);
        _out.cookie = encode(cookie);
    }

    /// The way by which the next fetch is to ask for changes, from before the whole is read.
    result<void> start(sync_cookie& out) {
        const bool automatic = _settings.changes == change_method::automatic;
        const auto take = [&](result<sync_cookie> started) -> result<bool> {
            if (started) {
                out = std::move(*started);
                return true;
            }
            if (automatic && started.error().step == "changes") {
                return false;
            }
            return tl::unexpected(std::move(started.error()));
        };
        if (_settings.changes == change_method::dirsync || (automatic && _root.active_directory)) {
            auto taken = take(dirsync_start(_on, _root));
            if (!taken || *taken) {
                return taken.map([](bool) {});
            }
        }
        if (_settings.changes == change_method::usn || (automatic && _root.active_directory)) {
            auto taken = take(usn_start(_on, _root));
            if (!taken || *taken) {
                return taken.map([](bool) {});
            }
        }
        if (_settings.changes == change_method::syncrepl || (automatic && _root.has(oid::sync_request))) {
            if (!_root.has(oid::sync_request)) {
                return fail("changes",
                            "the server does not announce content synchronisation (RFC 4533); enable it there (slapd: "
                            "the overlay syncprov), or set changes to auto",
                            false);
            }
            out.method = change_method::syncrepl;
        }
        return {};
    }

    const ldap_settings& _settings;
    const fetch_request& _request;
    entry_sink& _into;
    fetch_outcome& _out;
    connection& _on;
    const entry_mapper _mapper;
    root_dse _root;
};

class ldap_fetcher final : public fetcher {
public:
    ldap_fetcher(ldap_settings settings, egress_policy policy)
        : _settings(std::move(settings)), _policy(std::move(policy)) {}

    fetch_outcome fetch(const fetch_request& request, entry_sink& into, const std::atomic<bool>& stop) override {
        fetch_outcome out;
        const patience limits{stop, clock::now() + std::chrono::seconds(_settings.fetch_timeout_s)};
        auto on = connect(_settings, _policy, limits);
        if (!on) {
            set_failure(out, on.error(), request);
            return out;
        }
        out.server = (*on)->url();
        auto went = run(_settings, request, into, out, **on).go();
        if (went) {
            out.end = fetch_outcome::end::complete;
        } else {
            set_failure(out, went.error(), request);
        }
        return out;
    }

private:
    const ldap_settings _settings;
    const egress_policy _policy;
};

}  // namespace

std::optional<sync_cookie> usable_cookie(const ldap_settings& settings, const std::string& text) {
    auto cookie = decode_cookie(text);
    const std::int64_t age = cookie ? std::time(nullptr) - cookie->whole_at : 0;
    const bool fresh = settings.whole_every_hours == 0 ||
                       (age >= 0 && age < static_cast<std::int64_t>(settings.whole_every_hours) * seconds_an_hour);
    const bool allowed = cookie && (settings.changes == change_method::automatic || settings.changes == cookie->method);
    return allowed && fresh && cookie->fingerprint == settings.fingerprint() ? std::move(cookie) : std::nullopt;
}

result<std::unique_ptr<connection>> connect(const ldap_settings& settings, const egress_policy& policy,
                                            patience limits) {
    failure all;
    for (const server_address& each : settings.servers) {
        auto on = connection::open(settings, each, policy, limits);
        if (on) {
            return on;
        }
        failure& why = on.error();
        if (all.reason.empty() || !why.elsewhere) {
            all.step = why.step;
        }
        const std::string url = settings.servers.size() > 1 ? settings.url_of(each) + ": " : "";
        all.reason += (all.reason.empty() ? "" : "; ") + url + why.reason;
        all.end = why.end;
        if (!why.elsewhere) {
            break;
        }
    }
    return tl::unexpected(std::move(all));
}

std::unique_ptr<fetcher> make_ldap_fetcher(ldap_settings settings, egress_policy policy) {
    return std::make_unique<ldap_fetcher>(std::move(settings), std::move(policy));
}

}  // namespace postern::sources::ldap
