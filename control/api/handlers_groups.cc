// Groups.
#include <boost/json/object.hpp>

#include "control/api/body.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/represent.h"
#include "control/api/scope.h"

namespace postern::api {

answer<response> list_groups(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    directory::group_filter filter;
    filter.organisation = id_parameter(of.parameters, "organisation");
    const auto domain = domain_parameter(in, of, "domain");
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (!domain) {
        return failure(domain);
    }
    filter.domain = *domain;
    filter.within = scope_of(of);
    const auto found = directory::list_groups(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const directory::group& each) { return represent(each); });
}

namespace {

/// The member `domain`: an id or a name, null for none. Of a domain alias its target is meant.
std::optional<std::uint32_t> read_domain(const directory::reader& in, const call& of, members& given) {
    if (given.is_null("domain")) {
        given.known("domain");
        return 0U;
    }
    if (!given.has("domain")) {
        return std::nullopt;
    }
    const std::string named = given.id_or_name("domain");
    const auto found = find_domain_by(in, of, named);
    if (!found) {
        given.refuse("domain", found.error().detail);
        return std::nullopt;
    }
    return found->target != 0 ? found->target : found->id;
}

/// A token for domains is for the groups within them.
answer<void> check_within(const call& of, std::uint32_t domain) {
    if (scope_of(of).reach == directory::reach::domains && domain == 0) {
        return tl::unexpected(invalid("/domain", "name the domain that the group is within: the token is for domains"));
    }
    return {};
}

}  // namespace

answer<response> add_group(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    const std::string name = given.required_text("name");
    const auto wanted = given.number("organisation", 1, max_id32);
    const std::uint32_t domain = read_domain(in, of, given).value_or(0);
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    std::optional<std::int64_t> owner = wanted;
    if (!owner && domain != 0) {
        const auto found = directory::find_domain(in, domain);
        if (!found) {
            return failure(found);
        }
        owner = found->organisation;
    }
    const auto organisation = organisation_for(of, owner, "/organisation");
    if (!organisation) {
        return failure(organisation);
    }
    if (const auto good = check_within(of, domain); !good) {
        return failure(good);
    }
    const auto made = directory::add_group(in, *organisation, name, domain);
    if (!made) {
        return failure(made);
    }
    return created("/v1/groups/" + std::to_string(made->id), represent(*made));
}

namespace {

answer<directory::group> group_argument(const directory::reader& in, const call& of) {
    const auto id = id32_argument(of, 0);
    if (!id) {
        return failure(id);
    }
    auto found = directory::find_group(in, *id);
    if (!found) {
        return failure(found);
    }
    if (!directory::has_group(scope_of(of), *found)) {
        return tl::unexpected(not_found("there is no group " + std::to_string(*id)));
    }
    return std::move(*found);
}

}  // namespace

answer<response> get_group(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = group_argument(in, of);
    if (!found) {
        return failure(found);
    }
    return tagged(200, represent(*found));
}

answer<response> edit_group(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = group_argument(in, of);
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
    directory::group_change change;
    change.name = given.text("name");
    change.domain = read_domain(in, of, given);
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    if (const auto good = check_within(of, change.domain.value_or(present->domain)); !good) {
        return failure(good);
    }
    const auto changed = directory::change_group(in, present->id, change);
    if (!changed) {
        return failure(changed);
    }
    return tagged(200, represent(*changed));
}

answer<response> remove_group(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = group_argument(in, of);
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    if (const auto removed = directory::remove_group(in, present->id); !removed) {
        return failure(removed);
    }
    return no_content();
}

}  // namespace postern::api
