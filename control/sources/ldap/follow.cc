#include <ctime>
#include <utility>

#include "control/sources/ldap/changes.h"
#include "control/sources/ldap/controls.h"
#include "control/sources/ldap/session.h"

namespace postern::sources::ldap {
namespace {

result<void> follow_on(connection& on, const ldap_settings& settings, const fetch_request& request, follow_sink& into,
                       fetch_outcome& out) {
    const auto root = read_root(on);
    if (!root) {
        return tl::unexpected(root.error());
    }
    if (!root->has(oid::sync_request)) {
        return fail("changes",
                    "the server does not announce content synchronisation (RFC 4533), so it can't be followed; set "
                    "persist to false",
                    false);
    }
    const entry_mapper mapper(settings);
    sync_cookie cookie;
    if (auto kept = usable_cookie(settings, request.cookie); kept && kept->method == change_method::syncrepl) {
        cookie = std::move(*kept);
    } else if (!request.cookie.empty() && !into.restart_whole()) {
        return stopped();
    }
    cookie.method = change_method::syncrepl;
    cookie.fingerprint = settings.fingerprint();
    while (true) {
        bool whole = cookie.state.empty();
        out.whole = whole;
        if (whole) {
            cookie.whole_at = std::time(nullptr);
        }
        entry_reader reader(on, mapper, into, out, !whole);
        const batch_call batch = [&](const std::string& state) {
            if (!state.empty()) {
                cookie.state = state;
            }
            out.cookie = cookie.state.empty() ? "" : encode(cookie);
            // What comes after a whole refresh are changes: an object that asserts nothing is gone.
            reader.set_changes(true);
            return into.batch(out.cookie, std::exchange(whole, false));
        };
        auto ended = syncrepl(on, cookie, reader, batch);
        if (!ended) {
            return tl::unexpected(std::move(ended.error()));
        }
        if (*ended == changes_end::done) {
            return fail("search", "the server ended the search; follow it again");
        }
        cookie.state.clear();
        if (!into.restart_whole()) {
            return stopped();
        }
    }
}

}  // namespace

fetch_outcome follow(const ldap_settings& settings, const fetch_request& request, follow_sink& into,
                     const std::atomic<bool>& stop, const egress_policy& policy) {
    fetch_outcome out;
    out.cookie = request.cookie;
    const patience limits{stop, clock::time_point::max()};
    auto on = connect(settings, policy, limits);
    result<void> went;
    if (on) {
        out.server = (*on)->url();
        went = follow_on(**on, settings, request, into, out);
    } else {
        went = tl::unexpected(std::move(on.error()));
    }
    set_failure(out, went.error(), {out.cookie});
    return out;
}

}  // namespace postern::sources::ldap
