// Content synchronisation, RFC 4533: the whole or the changes in a refresh, then (if asked for) what happens as it
// does.
//
// A server without the log of what was deleted says instead which objects are still there ("present phase", 3.3.2).
// What is gone would have to be told from a copy of all that was there; the whole is asked for instead.
#include <optional>
#include <utility>
#include <vector>

#include "control/sources/ldap/changes.h"
#include "control/sources/ldap/controls.h"
#include "control/sources/ldap/words.h"

namespace postern::sources::ldap {
namespace {

constexpr std::size_t most_in_batch = 1000;

class sync_reader final : public search_handler {
public:
    sync_reader(entry_reader& into, bool whole, const batch_call& batch) : _into(into), _whole(whole), _batch(batch) {}

    bool take_object(object&& one, std::span<const received_control> controls) override {
        const received_control* const control = find_control(controls, oid::sync_state);
        const auto told = control == nullptr ? std::nullopt : decode_sync_state(control->value);
        if (!told) {
            broken =
                fail("changes", "the server sent an entry without a sync state; set changes to none", false).value();
            return false;
        }
        keep(told->cookie);
        const std::string identity = uuid_text({told->uuid.data(), told->uuid.size()});
        switch (told->state) {
            case sync_state_value::state::present:
                return _whole || need_whole();
            case sync_state_value::state::add:
            case sync_state_value::state::modify:
                return _into.take(std::move(one), identity) && count();
            case sync_state_value::state::gone:
                return gone(identity);
        }
        return true;
    }

    bool take_reference(const std::vector<std::string>& urls) override { return _into.take_reference(urls); }

    bool take_info(std::string_view which, std::string_view value) override {
        if (which != oid::sync_info) {
            return true;
        }
        const auto info = decode_sync_info(value);
        if (!info) {
            broken = fail("changes", "the server sent sync information that can't be read; set changes to none", false)
                         .value();
            return false;
        }
        keep(info->cookie);
        switch (info->kind) {
            case sync_info_value::kind::new_cookie:
                return true;
            case sync_info_value::kind::refresh_present:
                if (!_whole) {
                    return need_whole();
                }
                return !info->refresh_done || refreshed();
            case sync_info_value::kind::refresh_delete:
                deletes_told = true;
                return !info->refresh_done || refreshed();
            case sync_info_value::kind::id_set:
                if (!info->refresh_deletes) {
                    return _whole || need_whole();
                }
                for (const uuid& each : info->ids) {
                    if (!gone(uuid_text({each.data(), each.size()}))) {
                        return false;
                    }
                }
                return true;
        }
        return true;
    }

    bool idle() override { return _in_batch == 0 || end_batch(); }

    void keep(const std::optional<std::string>& cookie) {
        if (cookie && !cookie->empty()) {
            state = *cookie;
        }
    }

    std::optional<std::string> state;  ///< the newest cookie
    bool deletes_told = false;
    bool restart = false;
    std::optional<failure> broken;

private:
    bool need_whole() {
        restart = true;
        return false;
    }
    bool gone(const std::string& identity) {
        // In a whole refresh nothing was there before; what comes after it are changes.
        return (_whole && !_persisting) || (_into.gone(identity) && count());
    }
    /// The refresh is over, what comes now happens as it comes (RFC 4533 3.4).
    bool refreshed() {
        _persisting = true;
        return end_batch();
    }
    bool count() { return ++_in_batch < most_in_batch || !_persisting || end_batch(); }
    bool end_batch() {
        if (!_batch || !_persisting) {
            return true;
        }
        if (auto standing = _into.standing(); !standing) {
            broken = std::move(standing.error());
            return false;
        }
        _in_batch = 0;
        if (!_batch(state.value_or(""))) {
            broken = stopped().value();
            return false;
        }
        return true;
    }

    entry_reader& _into;
    bool _whole;
    const batch_call& _batch;
    bool _persisting = false;
    std::size_t _in_batch = 0;
};

}  // namespace

result<changes_end> syncrepl(connection& on, sync_cookie& cookie, entry_reader& into, const batch_call& batch) {
    const bool whole = cookie.state.empty();
    sync_reader reader(into, whole, batch);
    search_request request{on.settings().base, true, on.settings().filter, into.mapper().wanted(), {}, false};
    const sync_mode mode = batch ? sync_mode::refresh_and_persist : sync_mode::refresh_only;
    request.controls = {{oid::sync_request, encode_sync_request(mode, cookie.state), true}};
    request.endless = static_cast<bool>(batch);
    const auto end = on.search(request, reader);
    if (!end) {
        return tl::unexpected(end.error());
    }
    if (reader.broken) {
        return tl::unexpected(std::move(*reader.broken));
    }
    if (reader.restart) {
        return changes_end::restart;
    }
    if (auto standing = into.standing(); !standing) {
        return tl::unexpected(std::move(standing.error()));
    }
    if (!*end) {
        return stopped();
    }
    const search_end& came = **end;
    if (came.code == code::sync_refresh_required) {
        if (!whole) {
            return changes_end::restart;
        }
        return fail("changes", refusal_words("synchronise with " + request.base, came.code, came.text), false);
    }
    if (came.code != code::success) {
        failure why = search_failure(request.base, came);
        if (why.end == fetch_outcome::end::failed && why.step == "search") {
            why.step = "changes";  // the same search may go well without the control
        }
        return tl::unexpected(std::move(why));
    }
    const received_control* const control = find_control(came.controls, oid::sync_done);
    const auto done = control == nullptr ? std::nullopt : decode_sync_done(control->value);
    if (done) {
        reader.keep(done->cookie);
    }
    if (!whole && !(done && done->refresh_deletes) && !reader.deletes_told) {
        return changes_end::restart;
    }
    cookie.state = reader.state.value_or(cookie.state);
    return changes_end::done;
}

}  // namespace postern::sources::ldap
