// Organisations: resellers, their customers, and those without.
#include <boost/json/object.hpp>

#include "control/api/body.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/represent.h"
#include "control/api/scope.h"

namespace postern::api {

answer<response> list_organisations(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    directory::organisation_filter filter;
    filter.parent = id_parameter(of.parameters, "parent");
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    filter.within = scope_of(of);
    const auto found = directory::list_organisations(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const directory::organisation& each) { return represent(each); });
}

namespace {

/// The path's organisation, if the caller's token is for it, for its reseller, or for a part of it.
answer<directory::organisation> organisation_argument(const directory::reader& in, const call& of) {
    const auto id = id32_argument(of, 0);
    if (!id) {
        return failure(id);
    }
    auto found = directory::find_organisation(in, *id);
    if (!found) {
        return failure(found);
    }
    if (*id != scope_of(of).organisation) {
        if (const auto seen = see_organisation(of, *id, "there is no organisation " + std::to_string(*id)); !seen) {
            return failure(seen);
        }
    }
    return std::move(*found);
}

std::optional<std::uint32_t> parent_of(members& given) {
    if (given.is_null("parent")) {
        given.known("parent");
        return 0U;
    }
    const auto parent = given.number("parent", 1, max_id32);
    return parent ? std::optional<std::uint32_t>(static_cast<std::uint32_t>(*parent)) : std::nullopt;
}

}  // namespace

answer<response> add_organisation(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    directory::new_organisation input;
    input.name = given.required_text("name");
    const std::uint32_t own = scope_of(of).organisation;
    input.parent = parent_of(given).value_or(own);
    input.reseller = given.flag("reseller").value_or(false);
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    if (!scope_of(of).is_everything() && input.parent != own) {
        return tl::unexpected(invalid("/parent", "there is no organisation " + std::to_string(input.parent)));
    }
    const auto made = directory::add_organisation(in, input);
    if (!made) {
        return failure(made);
    }
    return created("/v1/organisations/" + std::to_string(made->id), represent(*made));
}

answer<response> get_organisation(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = organisation_argument(in, of);
    if (!found) {
        return failure(found);
    }
    return tagged(200, represent(*found));
}

answer<response> edit_organisation(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = organisation_argument(in, of);
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    directory::organisation_change change;
    change.name = given.text("name");
    change.parent = parent_of(given);
    change.reseller = given.flag("reseller");
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    if (!scope_of(of).is_everything() && (change.parent || change.reseller)) {
        return tl::unexpected(beyond_scope("Who is whose reseller", "The operator sets it."));
    }
    const auto changed = directory::change_organisation(in, present->id, change);
    if (!changed) {
        return failure(changed);
    }
    return tagged(200, represent(*changed));
}

answer<response> remove_organisation(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = organisation_argument(in, of);
    if (!present) {
        return failure(present);
    }
    if (present->id == scope_of(of).organisation) {
        return tl::unexpected(beyond_scope("The organisation that the token is for",
                                           "The operator, or its reseller, "
                                           "removes it."));
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    if (const auto removed = directory::remove_organisation(in, present->id); !removed) {
        return failure(removed);
    }
    return no_content();
}

}  // namespace postern::api
