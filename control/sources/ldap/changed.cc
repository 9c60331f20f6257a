#include <utility>
#include <vector>

#include "control/sources/ldap/changes.h"
#include "control/sources/ldap/controls.h"

namespace postern::sources::ldap {
namespace {

constexpr std::size_t batch = 100;  ///< objects asked for at once

/// "(|(objectGUID=…)(objectGUID=…))" of the next ones.
std::string next_batch(std::set<std::string>::const_iterator& at, std::set<std::string>::const_iterator end) {
    std::string out = "(|";
    for (std::size_t n = 0; n < batch && at != end; ++n, ++at) {
        out += "(objectGUID=" + filter_value(*at) + ")";
    }
    return out + ")";
}

class container_names final : public search_handler {
public:
    bool take_object(object&& one, std::span<const received_control> /*controls*/) override {
        names.push_back(std::move(one.dn));
        return true;
    }
    bool take_reference(const std::vector<std::string>& /*urls*/) override { return true; }
    std::vector<std::string> names;
};

}  // namespace

result<void> sees_deletions(connection& on, const root_dse& root) {
    const std::string deleted = "CN=Deleted Objects," + root.context_of(on.settings().base);
    // Who may not list it gets its name, and nothing of it.
    const auto seen = on.read(deleted, {"objectGUID"}, {{oid::show_deleted, "", true}});
    if (seen && *seen && (*seen)->first("objectguid")) {
        return {};
    }
    return fail("changes",
                "the account " + on.settings().bind_name + " may not see " + deleted +
                    ", so deletions would be missed; give it the right to list it (dsacls) or, for DirSync, the right "
                    "Replicating Directory Changes, or set changes to none",
                false);
}

result<changes_end> apply_changed(connection& on, const root_dse& root, const changed_objects& changed,
                                  entry_reader& into) {
    if (changed.guids.size() > changed_objects::most) {
        return changes_end::restart;
    }
    const ldap_settings& settings = on.settings();
    std::set<std::string> there;
    for (auto at = changed.guids.begin(); at != changed.guids.end();) {
        const std::string filter = "(&" + settings.filter + next_batch(at, changed.guids.end()) + ")";
        auto read = read_pages(on, settings.base, filter, into.mapper().wanted(), {}, into).and_then([&] {
            return into.standing();
        });
        if (!read) {
            return tl::unexpected(std::move(read.error()));
        }
        there.merge(into.take_guids());
    }
    for (const std::string& each : changed.guids) {
        if (there.count(each) == 0 && !into.gone(guid_text(each))) {
            return tl::unexpected(into.standing().error());
        }
    }
    const std::string context = root.context_of(settings.base);
    container_names containers;
    for (auto at = changed.containers.begin(); at != changed.containers.end();) {
        const std::string filter = "(&(|(objectClass=organizationalUnit)(objectClass=container))" +
                                   next_batch(at, changed.containers.end()) + ")";
        if (auto read = read_pages(on, context, filter, {"objectGUID"}, {}, containers); !read) {
            return tl::unexpected(std::move(read.error()));
        }
    }
    for (const std::string& each : containers.names) {
        if (!is_within(each, settings.base)) {
            // What was below it may have been within the base before, and nothing tells.
            return changes_end::restart;
        }
        auto read = read_pages(on, each, settings.filter, into.mapper().wanted(), {}, into).and_then([&] {
            return into.standing();
        });
        if (!read) {
            return tl::unexpected(std::move(read.error()));
        }
        into.take_guids();
    }
    return changes_end::done;
}

}  // namespace postern::sources::ldap
