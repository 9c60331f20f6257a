// Active Directory's DirSync control ([MS-ADTS] 3.1.1.3.4.1.3): over a whole naming context, with a cookie that any
// domain controller understands. It answers with what changed of each object; of a deleted one no more than that.
#include <utility>
#include <vector>

#include "control/sources/ldap/changes.h"
#include "control/sources/ldap/controls.h"
#include "control/sources/ldap/words.h"

namespace postern::sources::ldap {
namespace {

constexpr std::int64_t most_octets = 1 << 20;  ///< of an answer
constexpr int most_rounds = 100'000;

class changed_reader final : public search_handler {
public:
    bool take_object(object&& one, std::span<const received_control> /*controls*/) override {
        const auto guid = one.first("objectguid");
        if (!guid || guid->size() != 16) {
            return true;
        }
        // `name` comes with a new object, a new name and a new place.
        if (one.find("name") != nullptr && !one.has_value("isdeleted", "TRUE")) {
            changed.containers.emplace(*guid);
        }
        changed.guids.emplace(*guid);
        return changed.guids.size() <= changed_objects::most;
    }
    bool take_reference(const std::vector<std::string>& /*urls*/) override { return true; }
    changed_objects changed;
};

class discarding final : public search_handler {
public:
    bool take_object(object&& /*one*/, std::span<const received_control> /*controls*/) override { return true; }
    bool take_reference(const std::vector<std::string>& /*urls*/) override { return true; }
};

/// Goes on from `cookie` to the end and moves it there. A result code other than success is a failure of "changes".
result<void> run(connection& on, const root_dse& root, sync_cookie& cookie, const std::vector<std::string>& attributes,
                 search_handler& into) {
    // Not the settings' filter: deleted objects, and those that lost an attribute, would be missing.
    search_request request{root.context_of(on.settings().base), true, "(objectClass=*)", attributes, {}, false};
    for (int round = 0; round < most_rounds; ++round) {
        request.controls = {{oid::dirsync, encode_dirsync(cookie.flags, most_octets, cookie.state), true}};
        const auto end = on.search(request, into);
        if (!end) {
            return tl::unexpected(end.error());
        }
        if (!*end) {
            return {};
        }
        if ((*end)->code != code::success) {
            return fail("changes",
                        refusal_words("ask " + request.base + " for changes (DirSync)", (*end)->code, (*end)->text),
                        false);
        }
        const received_control* const control = find_control((*end)->controls, oid::dirsync);
        auto value = control == nullptr ? std::nullopt : decode_dirsync(control->value);
        if (!value || (value->more && value->cookie == cookie.state)) {
            return fail("changes", "the server's DirSync answer can't be read; set changes to usn or none", false);
        }
        cookie.state = std::move(value->cookie);
        if (!value->more) {
            return {};
        }
    }
    return fail("changes", "the server's DirSync answers do not end; set changes to usn or none", false);
}

}  // namespace

result<sync_cookie> dirsync_start(connection& on, const root_dse& root) {
    if (!root.has(oid::dirsync)) {
        return fail("changes", "the server has no DirSync; set changes to auto", false);
    }
    result<void> ran;
    // First with all rights; an ordinary account may ask for what it may read, and that leaves out deletions unless it
    // may see deleted objects.
    for (const std::int64_t flags : {std::int64_t{0}, dirsync_object_security}) {
        if (flags != 0) {
            if (auto seen = sees_deletions(on, root); !seen) {
                return tl::unexpected(std::move(seen.error()));
            }
        }
        sync_cookie cookie;
        cookie.method = change_method::dirsync;
        cookie.flags = flags;
        discarding into;
        ran = run(on, root, cookie, {"objectGUID"}, into);
        if (ran) {
            return cookie;
        }
        if (ran.error().step != "changes") {
            break;
        }
    }
    return tl::unexpected(std::move(ran.error()));
}

result<changes_end> dirsync_changes(connection& on, const root_dse& root, sync_cookie& cookie, entry_reader& into) {
    std::vector<std::string> attributes = into.mapper().wanted();
    for (const char* each : {"objectGUID", "name", "isDeleted"}) {
        attributes.emplace_back(each);
    }
    for (std::string& each : filter_attributes(on.settings().filter)) {
        attributes.push_back(std::move(each));
    }
    changed_reader changed;
    if (auto ran = run(on, root, cookie, attributes, changed); !ran) {
        if (ran.error().step == "changes") {
            return changes_end::restart;  // the cookie is none any more, or the rights are gone
        }
        return tl::unexpected(std::move(ran.error()));
    }
    return apply_changed(on, root, changed.changed, into);
}

}  // namespace postern::sources::ldap
