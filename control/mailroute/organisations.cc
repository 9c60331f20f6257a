#include "control/mailroute/organisations.h"

#include "control/directory/organisations.h"
#include "control/mailroute/input.h"

namespace postern::mailroute {

namespace {

const field_names names = {{"name", "name"}, {"parent", "reseller"}};

}  // namespace

result<std::int64_t> add_organisation(change& in, const resource& of, const std::string& name, std::uint32_t parent) {
    directory::new_organisation input;
    input.name = name;
    input.parent = parent;
    input.reseller = &of == &reseller;
    const auto made = directory::add_organisation(in.in, input);
    if (!made) {
        return refuse(of, made.error(), names);
    }
    return made->id;
}

result<void> rename_organisation(change& in, const resource& of, std::int64_t id, const input& given) {
    directory::organisation_change change;
    change.name = given.text("name");
    const auto changed = directory::change_organisation(in.in, static_cast<std::uint32_t>(id), change);
    if (!changed) {
        return refuse(of, changed.error(), names);
    }
    return {};
}

result<void> remove_organisation(change& in, std::int64_t id) {
    const auto removed = directory::remove_organisation(in.in, static_cast<std::uint32_t>(id));
    if (!removed) {
        return refuse(removed.error());
    }
    return {};
}

}  // namespace postern::mailroute
