// Changes by uSNChanged: each domain controller numbers what it writes ([MS-ADTS] 3.1.1.1.9), so the numbers belong to
// one of them, as long as its database is the same (invocationId). Deleted objects show up if the account may see them.
#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "control/sources/ldap/changes.h"
#include "control/sources/ldap/controls.h"
#include "control/sources/ldap/words.h"

namespace postern::sources::ldap {
namespace {

class changed_reader final : public search_handler {
public:
    explicit changed_reader(std::uint64_t since) : _since(since) {}

    bool take_object(object&& one, std::span<const received_control> /*controls*/) override {
        const auto guid = one.first("objectguid");
        if (!guid || guid->size() != 16) {
            return true;
        }
        const std::string_view text = one.first("usncreated").value_or("");
        std::uint64_t created = 0;
        std::from_chars(text.data(), text.data() + text.size(), created);
        const bool container =
            one.has_value("objectclass", "organizationalUnit") || one.has_value("objectclass", "container");
        if (container && created <= _since && !one.has_value("isdeleted", "TRUE")) {
            changed.containers.emplace(*guid);
        }
        changed.guids.emplace(*guid);
        return changed.guids.size() <= changed_objects::most;
    }
    bool take_reference(const std::vector<std::string>& /*urls*/) override { return true; }
    changed_objects changed;

private:
    std::uint64_t _since;
};

/// The domain controller's name and its database's id.
result<std::string> controller(connection& on, const root_dse& root) {
    if (root.service_name.empty() || root.highest_usn == 0) {
        return fail("changes", "the server does not number its changes (uSNChanged); set changes to auto", false);
    }
    auto read = on.read(root.service_name, {"invocationId"});
    if (!read) {
        return tl::unexpected(std::move(read.error()));
    }
    const auto id = *read ? (*read)->first("invocationid") : std::nullopt;
    return root.service_name + "|" + guid_text(id.value_or(""));
}

}  // namespace

result<sync_cookie> usn_start(connection& on, const root_dse& root) {
    auto name = controller(on, root);
    if (!name) {
        return tl::unexpected(std::move(name.error()));
    }
    if (auto seen = sees_deletions(on, root); !seen) {
        return tl::unexpected(std::move(seen.error()));
    }
    sync_cookie out;
    out.method = change_method::usn;
    out.server = std::move(*name);
    out.usn = root.highest_usn;  // read before the whole: what changes meanwhile is read again
    return out;
}

result<changes_end> usn_changes(connection& on, const root_dse& root, sync_cookie& cookie, entry_reader& into) {
    auto name = controller(on, root);
    if (!name) {
        return tl::unexpected(std::move(name.error()));
    }
    if (*name != cookie.server || root.highest_usn < cookie.usn) {
        return changes_end::restart;
    }
    if (root.highest_usn == cookie.usn) {
        return changes_end::done;
    }
    changed_reader changed(cookie.usn);
    auto read =
        read_pages(on, root.context_of(on.settings().base), "(uSNChanged>=" + std::to_string(cookie.usn + 1) + ")",
                   {"objectGUID", "objectClass", "uSNCreated", "isDeleted"}, {{oid::show_deleted, "", true}}, changed);
    if (!read) {
        return tl::unexpected(std::move(read.error()));
    }
    cookie.usn = root.highest_usn;
    return apply_changed(on, root, changed.changed, into);
}

}  // namespace postern::sources::ldap
