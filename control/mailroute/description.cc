#include "control/mailroute/description.h"

#include <algorithm>
#include <array>

namespace postern::mailroute {

std::span<const resource* const> resources() {
    static constexpr std::array<const resource*, 7> all = {
        &customer, &domain, &domain_alias, &email_account, &localpart_alias, &mail_server, &reseller};
    return all;
}

const resource* find_resource(std::string_view name) {
    const auto all = resources();
    const auto found = std::ranges::find_if(all, [&](const resource* each) { return each->name == name; });
    return found == all.end() ? nullptr : *found;
}

const field* find_field(const resource& of, std::string_view name) {
    const auto found = std::ranges::find_if(of.fields, [&](const field& each) { return each.name == name; });
    return found == of.fields.end() ? nullptr : &*found;
}

}  // namespace postern::mailroute
