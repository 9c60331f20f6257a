// Inbound servers: the mail servers behind the edges, probed by us and confirmed by a person.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "control/api/body.h"
#include "control/api/handlers.h"
#include "control/api/inbound.h"
#include "control/api/lookups.h"
#include "control/api/represent.h"
#include "control/api/scope.h"

namespace postern::api {
namespace {

constexpr std::size_t max_hosts = 16;

answer<directory::route> route_argument(const directory::reader& in, const call& of) {
    const auto id = id32_argument(of, 0);
    if (!id) {
        return failure(id);
    }
    auto found = directory::find_route(in, *id);
    if (!found) {
        return failure(found);
    }
    const auto inside = directory::has_route(in, scope_of(of), *found);
    if (!inside) {
        return failure(inside);
    }
    if (!*inside) {
        return tl::unexpected(not_found("there is no inbound server " + std::to_string(*id)));
    }
    return std::move(*found);
}

std::optional<std::vector<recipients::mail_host>> read_hosts(members& given, std::vector<field_error>& errors) {
    const auto items = given.objects("hosts", max_hosts);
    if (!items) {
        return std::nullopt;
    }
    std::vector<recipients::mail_host> hosts;
    for (std::size_t at = 0; at < items->size(); ++at) {
        members each(*(*items)[at], "/hosts/" + std::to_string(at), errors);
        recipients::mail_host host;
        host.host = each.required_text("host", 255);
        host.port = static_cast<std::uint16_t>(each.number("port", 1, 65535).value_or(25));
        host.priority = static_cast<std::uint16_t>(each.number("priority", 0, 65535).value_or(10));
        each.finish();
        hosts.push_back(std::move(host));
    }
    if (hosts.empty() && errors.empty()) {
        given.refuse("hosts", "is empty: give one host at least");
    }
    return hosts;
}

}  // namespace

answer<response> list_inbound_servers(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    directory::route_filter filter;
    filter.organisation = id_parameter(of.parameters, "organisation");
    filter.confirmed = of.parameters.flag("confirmed");
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    filter.within = &scope_of(of);
    const auto found = directory::list_routes(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const directory::route& each) { return represent(each); });
}

answer<response> add_inbound_server(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    directory::new_route input;
    input.name = given.required_text("name");
    const auto organisation = organisation_for(of, given.number("organisation", 1, max_id32), "/organisation");
    auto hosts = read_hosts(given, errors);
    if (!hosts && !given.has("hosts")) {
        given.refuse("hosts", "is missing");
    }
    input.max_connections = static_cast<std::uint16_t>(given.number("max_connections", 1, 1000).value_or(10));
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    if (!organisation) {
        return failure(organisation);
    }
    input.organisation = *organisation;
    input.hosts = std::move(*hosts);
    const auto made = directory::add_route(in, input);
    if (!made) {
        return failure(made);
    }
    return created("/v1/inbound-servers/" + std::to_string(made->id), represent(*made));
}

answer<response> get_inbound_server(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = route_argument(in, of);
    if (!found) {
        return failure(found);
    }
    return tagged(200, represent(*found));
}

answer<response> edit_inbound_server(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = route_argument(in, of);
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
    directory::route_change change;
    change.name = given.text("name");
    change.hosts = read_hosts(given, errors);
    if (const auto most = given.number("max_connections", 1, 1000)) {
        change.max_connections = static_cast<std::uint16_t>(*most);
    }
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto changed = directory::change_route(in, present->id, change);
    if (!changed) {
        return failure(changed);
    }
    return tagged(200, represent(*changed));
}

answer<response> remove_inbound_server(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = route_argument(in, of);
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    if (const auto removed = directory::remove_route(in, present->id); !removed) {
        return failure(removed);
    }
    return no_content();
}

answer<response> probe_inbound_server(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    std::uint32_t id = 0;
    {
        const auto in = with.store.read();
        if (!in) {
            return failure(in);
        }
        const auto present = route_argument(*in, of);
        if (!present) {
            return failure(present);
        }
        id = present->id;
    }
    const auto probed = probe_route(with.store, with.prober, id, {of.asked.caller.name, "probe"});
    if (!probed) {
        return failure(probed);
    }
    return json(200, represent(*probed));
}

answer<response> confirm_inbound_server(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = route_argument(in, of);
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    bool unprobed = false;
    if (!of.asked.body.empty()) {
        const auto body = parse_json_object(of.asked);
        if (!body) {
            return failure(body);
        }
        std::vector<field_error> errors;
        members given(*body, "", errors);
        unprobed = given.flag("unprobed").value_or(false);
        given.finish();
        if (!errors.empty()) {
            return tl::unexpected(invalid(std::move(errors)));
        }
    }
    const probe_standing last = last_probe(*present);
    if (last.loops) {
        return tl::unexpected(conflict("The last probe of \"" + present->name +
                                       "\" found one of our own edges there: mail would go round in a loop. Set the "
                                       "hosts of the mail server behind us, probe, and confirm then."));
    }
    if (present->probed != 0 && !last.usable && !unprobed) {
        return tl::unexpected(conflict("The last probe of \"" + present->name +
                                       "\" failed; see its steps, repair what is wrong and probe again, or confirm "
                                       "with {\"unprobed\": true}."));
    }
    const auto confirmed = directory::confirm_route(in, present->id, unprobed);
    if (!confirmed) {
        return failure(confirmed);
    }
    return tagged(200, represent(*confirmed));
}

}  // namespace postern::api
