#include "control/api/scope.h"

#include "control/directory/organisations.h"

namespace postern::api {

const directory::scope& scope_of(const call& of) {
    static const directory::scope everything;
    return of.asked.caller.scope == nullptr ? everything : *of.asked.caller.scope;
}

answer<void> see_organisation(const call& of, std::uint32_t organisation, std::string absent) {
    if (!scope_of(of).has_organisation(organisation)) {
        return tl::unexpected(not_found(std::move(absent)));
    }
    return {};
}

answer<std::uint32_t> organisation_for(const call& of, std::optional<std::int64_t> given, std::string pointer) {
    const directory::scope& within = scope_of(of);
    const std::uint32_t own = within.is_everything() ? 1 : within.organisation;
    const auto wanted = static_cast<std::uint32_t>(given.value_or(own));
    if (wanted != own && !within.has_organisation(wanted)) {
        return tl::unexpected(invalid(std::move(pointer), "there is no organisation " + std::to_string(wanted)));
    }
    return wanted;
}

problem beyond_scope(const std::string& what, const std::string& instead) {
    problem made = forbidden(what + " is beyond what the token is for. " + instead);
    made.type = "scope";
    made.title = "The token is for less";
    return made;
}

}  // namespace postern::api
