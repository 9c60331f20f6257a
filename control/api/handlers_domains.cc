// Domains and domain aliases.
#include <algorithm>
#include <boost/json/object.hpp>

#include "control/api/body.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/networks.h"
#include "control/api/represent.h"
#include "control/api/scope.h"
#include "control/directory/routes.h"

namespace postern::api {

answer<response> list_domains(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"name"});
    directory::domain_filter filter;
    filter.alias = false;
    filter.organisation = id_parameter(of.parameters, "organisation");
    filter.route = id_parameter(of.parameters, "inbound_server");
    if (const auto mode = of.parameters.word("mode", {"observe", "discover", "defer", "enforce"})) {
        filter.mode = directory::parse_mode(*mode);
    }
    filter.search = of.parameters.text("q").value_or("");
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    filter.within = &scope_of(of);
    const auto found = directory::list_domains(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const directory::domain& each) { return represent(each); });
}

answer<response> get_domain(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = domain_argument(in, of, false);
    if (!found) {
        return failure(found);
    }
    const directory::scope& within = scope_of(of);
    const auto counts = within.reach == directory::reach::group ? directory::count_addresses(in, within)
                                                                : directory::count_addresses(in, found->id);
    if (!counts) {
        return failure(counts);
    }
    // The tag is of the domain itself: an address more does not make another domain of it.
    boost::json::object body = represent(*found);
    const std::string tag = entity_tag(body);
    body["counts"] = represent(*counts);
    response made = json(200, body);
    made.fields.emplace_back("ETag", tag);
    return made;
}

answer<response> add_domain(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    directory::new_domain input;
    input.name = given.required_text("name");
    const auto organisation = organisation_for(of, given.number("organisation", 1, max_id32), "/organisation");
    if (!given.is_null("inbound_server")) {
        input.route = static_cast<std::uint32_t>(given.number("inbound_server", 1, max_id32).value_or(0));
    } else {
        given.known("inbound_server");
    }
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    if (!organisation) {
        return failure(organisation);
    }
    if (!scope_of(of).is_everything()) {
        return tl::unexpected(beyond_scope("A domain that nobody has proven",
                                           "Claim it (POST /v1/domain-claims) and prove by DNS that it is yours."));
    }
    input.organisation = *organisation;
    const auto made = directory::add_domain(in, input);
    if (!made) {
        return failure(made);
    }
    return created("/v1/domains/" + made->name, represent(*made));
}

namespace {

/// 422 for an inbound server that is outside the scope; 0 is none.
answer<void> see_server(const directory::reader& in, const call& of, std::uint32_t id) {
    if (id == 0 || scope_of(of).is_everything()) {
        return {};
    }
    const auto found = directory::find_route(in, id);
    if (!found && found.error().kind != directory::error_kind::not_found) {
        return failure(found);
    }
    const auto inside = found ? directory::has_route(in, scope_of(of), *found) : directory::result<bool>(false);
    if (!inside) {
        return failure(inside);
    }
    if (!*inside) {
        return tl::unexpected(invalid("/inbound_server", "there is no inbound server " + std::to_string(id)));
    }
    return {};
}

struct domain_edit {
    directory::domain_change change;
    std::optional<recipients::mode> mode;
    std::optional<directory::timestamp> until;
};

answer<domain_edit> read_domain_edit(const boost::json::object& body) {
    std::vector<field_error> errors;
    members given(body, "", errors);
    domain_edit out;
    if (const auto mode = given.word("mode", {"observe", "discover", "defer", "enforce"})) {
        out.mode = directory::parse_mode(*mode);
    }
    if (given.is_null("mode_until")) {
        given.known("mode_until");
    } else if (const auto until = given.text("mode_until")) {
        out.until = parse_time(*until);
        if (!out.until) {
            given.refuse("mode_until", "\"" + *until + "\" is not a time such as 2026-01-31T12:00:00Z");
        } else if (!out.mode) {
            given.refuse("mode_until", "goes with \"mode\" only: give both");
        }
    }
    if (given.is_null("inbound_server")) {
        given.known("inbound_server");
        out.change.route = 0;
    } else if (const auto route = given.number("inbound_server", 1, max_id32)) {
        out.change.route = static_cast<std::uint32_t>(*route);
    }
    if (const auto delimiter = given.text("subaddress_delimiter")) {
        if (delimiter->size() > 1) {
            given.refuse("subaddress_delimiter", "is not one character, nor empty for none");
        } else {
            out.change.subaddress_delimiter = delimiter->empty() ? '\0' : delimiter->front();
        }
    }
    out.change.grace_defers = given.flag("grace_defers");
    out.change.abuse_always = given.flag("abuse_always");
    out.change.strip_prvs = given.flag("strip_prvs");
    out.change.accept_srs = given.flag("accept_srs");
    out.change.on_hold = given.flag("on_hold");
    if (const auto trusted = given.texts("trusted", 256, 64)) {
        out.change.trusted.emplace();
        for (const std::string& each : *trusted) {
            const auto network = parse_network(each);
            if (!network) {
                given.refuse("trusted", "\"" + each + "\" is not a network such as 192.0.2.0/24 (host bits zero)");
                continue;
            }
            out.change.trusted->push_back(*network);
        }
    }
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    return out;
}

}  // namespace

answer<response> edit_domain(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = domain_argument(in, of, false);
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
    const auto edit = read_domain_edit(*body);
    if (!edit) {
        return failure(edit);
    }
    if (const auto seen = see_server(in, of, edit->change.route.value_or(0)); !seen) {
        return failure(seen);
    }
    auto changed = directory::change_domain(in, present->id, edit->change);
    if (changed && edit->mode) {
        changed = directory::set_mode(in, present->id, *edit->mode, edit->until);
    }
    if (!changed) {
        return failure(changed);
    }
    return tagged(200, represent(*changed));
}

answer<response> remove_domain(service& /*with*/, directory::writer& in, call& of) {
    const bool with_addresses = of.parameters.flag("with_addresses").value_or(false);
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = domain_argument(in, of, false);
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    if (const auto removed = directory::remove_domain(in, present->id, with_addresses); !removed) {
        return failure(removed);
    }
    return no_content();
}

answer<response> list_domain_aliases(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"name"});
    directory::domain_filter filter;
    filter.alias = true;
    filter.organisation = id_parameter(of.parameters, "organisation");
    const auto target = domain_parameter(in, of, "domain");
    filter.search = of.parameters.text("q").value_or("");
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (!target) {
        return failure(target);
    }
    filter.target = *target;
    filter.within = &scope_of(of);
    const auto found = directory::list_domains(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const directory::domain& each) { return represent_alias(each); });
}

answer<response> add_domain_alias(service& /*with*/, directory::writer& in, call& of) {
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
    const std::string domain = given.id_or_name("domain");
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto target = find_domain_by(in, of, domain);
    if (!target) {
        return tl::unexpected(invalid("/domain", target.error().detail));
    }
    if (!scope_of(of).is_everything()) {
        return tl::unexpected(beyond_scope("A domain that nobody has proven",
                                           "Claim it (POST /v1/domain-claims with \"alias_of\") and prove by DNS that "
                                           "it is yours."));
    }
    const auto made = directory::add_domain_alias(in, name, target->id);
    if (!made) {
        return failure(made);
    }
    return created("/v1/domain-aliases/" + made->name, represent_alias(*made));
}

answer<response> get_domain_alias(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = domain_argument(in, of, true);
    if (!found) {
        return failure(found);
    }
    return tagged(200, represent_alias(*found));
}

answer<response> edit_domain_alias(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = domain_argument(in, of, true);
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent_alias(*present)); !same) {
        return failure(same);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    directory::domain_alias_change change;
    change.name = given.text("name");
    if (given.has("domain")) {
        const auto target = find_domain_by(in, of, given.id_or_name("domain"));
        if (!target) {
            given.refuse("domain", target.error().detail);
        } else {
            change.target = target->id;
        }
    }
    change.on_hold = given.flag("on_hold");
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    if (change.name && !scope_of(of).is_everything()) {
        return tl::unexpected(beyond_scope("A name that nobody has proven", "Claim it (POST /v1/domain-claims)."));
    }
    const auto changed = directory::change_domain_alias(in, present->id, change);
    if (!changed) {
        return failure(changed);
    }
    return tagged(200, represent_alias(*changed));
}

answer<response> remove_domain_alias(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = domain_argument(in, of, true);
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent_alias(*present)); !same) {
        return failure(same);
    }
    if (const auto removed = directory::remove_domain(in, present->id, false); !removed) {
        return failure(removed);
    }
    return no_content();
}

}  // namespace postern::api
