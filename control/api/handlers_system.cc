// Generations, history, status, edges, explain, health, and the API's own description.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "board/process/version.h"
#include "control/api/edge_query.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/openapi.h"
#include "control/api/represent.h"
#include "control/api/scope.h"
#include "control/directory/generations.h"
#include "control/directory/history.h"
#include "smtp/recipients/address.h"

namespace postern::api {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::chrono::milliseconds edge_patience{2'000};

}  // namespace

answer<response> list_generations(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"-number"});
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = directory::list_generations(in, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const directory::generation& each) { return represent(each); });
}

answer<response> list_history(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"-at"});
    directory::history_filter filter;
    filter.subject = of.parameters.text("subject").value_or("");
    filter.who = of.parameters.text("who").value_or("");
    const auto domain = domain_parameter(in, of, "domain");
    if (const auto address = of.parameters.text("address")) {
        recipients::normal_address normal;
        const auto parsed = recipients::parse_address(*address, {true, false}, normal);
        if (!parsed) {
            of.parameters.refuse("address", "\"" + *address + "\" is not an address: " +
                                                std::string(recipients::to_string(parsed.error())));
        } else if (!filter.subject.empty()) {
            of.parameters.refuse("address", "does not go with \"subject\"");
        } else {
            filter.subject = "address:" + std::string(normal.text());
        }
    }
    for (const auto& [name, into] : {std::pair{"from", &filter.from}, std::pair{"until", &filter.until}}) {
        if (const auto text = of.parameters.text(name)) {
            const auto time = parse_time(*text);
            if (!time) {
                of.parameters.refuse(name, "\"" + *text + "\" is not a time such as 2026-01-31T12:00:00Z");
            } else {
                *into = *time;
            }
        }
    }
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (!domain) {
        return failure(domain);
    }
    filter.domain = *domain;
    filter.within = &scope_of(of);
    const auto found = directory::list_history(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const directory::history_entry& each) { return represent(each); });
}

answer<response> get_status(service& with, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const directory::scope& within = scope_of(of);
    const auto counts = directory::count_addresses(in, within);
    if (!counts) {
        return failure(counts);
    }
    directory::domain_filter only_domains;
    only_domains.alias = false;
    only_domains.within = &within;
    const auto domains = directory::count_domains(in, only_domains);
    if (!domains) {
        return failure(domains);
    }
    object out;
    out["version"] = process::version;
    out["started"] = time_value(with.started);
    out["now"] = time_value(with.store.now());
    out["domains"] = *domains;
    out["counts"] = represent(*counts);
    if (!within.is_everything()) {
        return json(200, out);  // what the machine does is the operator's
    }
    const publish::publisher_status status = with.publisher.status();
    array edges;
    for (const publish::edge_status& each : status.edges) {
        edges.push_back(represent(each));
    }
    out["generation"] = represent(status);
    out["edges"] = std::move(edges);
    return json(200, out);
}

answer<response> list_edges(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    array items;
    for (const publish::edge_status& each : with.publisher.status().edges) {
        items.push_back(represent(each));
    }
    return json(200, {{"items", std::move(items)}, {"next", nullptr}});
}

namespace {

/// 404 for an address that is outside the scope, as for one that is not served: then the edges aren't asked either.
answer<void> see_address(const directory::reader& in, const directory::scope& within, const std::string& address) {
    if (within.is_everything()) {
        return {};
    }
    if (const auto inside = directory::check_address(in, within, address, "address"); !inside) {
        return tl::unexpected(inside.error().kind == directory::error_kind::invalid ? not_found(inside.error().text)
                                                                                    : to_problem(inside.error()));
    }
    if (within.reach != directory::reach::group) {
        return {};
    }
    const auto box = directory::find_mailbox(in, std::string_view(address));
    if (!box) {
        return failure(box);
    }
    const auto inside = directory::has_mailbox(in, within, *box);
    if (!inside) {
        return failure(inside);
    }
    if (!*inside) {
        return tl::unexpected(not_found(directory::absent(in, address).text));
    }
    return {};
}

}  // namespace

answer<response> explain(service& with, call& of) {
    const auto address = of.parameters.text("address");
    const auto at_text = of.parameters.text("at");
    directory::timestamp at = 0;
    if (!address || address->empty()) {
        of.parameters.refuse("address", "is missing");
    }
    if (at_text) {
        if (const auto time = parse_time(*at_text)) {
            at = *time;
        } else {
            of.parameters.refuse("at", "\"" + *at_text + "\" is not a time such as 2026-01-31T12:00:00Z");
        }
    }
    recipients::normal_address normal;
    if (address) {
        if (const auto parsed = recipients::parse_address(*address, {true, false}, normal); !parsed) {
            of.parameters.refuse("address", "\"" + *address + "\" is not an address: " +
                                                std::string(recipients::to_string(parsed.error())));
        }
    }
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    object out;
    out["address"] = *address;
    out["normal"] = normal.text();
    {
        const auto in = with.store.read();
        if (!in) {
            return failure(in);
        }
        const directory::scope& within = scope_of(of);
        if (const auto seen = see_address(*in, within, *address); !seen) {
            return failure(seen);
        }
        const auto domain = directory::find_domain(*in, normal.domain());
        out["served"] = domain.has_value();
        out["domain"] = nullptr;
        if (domain) {
            const auto target = domain->target == 0 ? domain : directory::find_domain(*in, domain->target);
            out["domain"] = target ? represent(*target) : represent(*domain);
        }
        const auto standing = directory::standing_at(*in, *address, at, within.is_everything());
        if (!standing && standing.error().kind != directory::error_kind::not_found) {
            return failure(standing);
        }
        out["valid"] = standing && standing->valid;
        array sources;
        for (const std::string& each : standing ? standing->sources : std::vector<std::string>{}) {
            sources.push_back(boost::json::value(each));
        }
        out["sources"] = std::move(sources);
        out["last"] =
            standing && standing->last ? boost::json::value(represent(*standing->last)) : boost::json::value(nullptr);
        const auto box = directory::find_mailbox(*in, std::string_view(*address));
        const auto inside = box ? directory::has_mailbox(*in, within, *box) : directory::result<bool>(false);
        out["mailbox"] = nullptr;
        if (inside && *inside && at == 0) {
            const auto part = shown(*in, of, *box);
            out["mailbox"] = part ? boost::json::value(represent(*part)) : boost::json::value(nullptr);
        }
    }
    // What a mail would be answered right now; the past can't be asked of an edge.
    array edges;
    for (std::size_t each = 0; at == 0 && each < with.edges.size(); ++each) {
        const std::string text(normal.text());
        object verdict{{"edge", with.edges[each].name}};
        const auto said = ask_edge(with.edges[each].socket, "explain " + text, edge_patience);
        if (said) {
            for (const char* name : {"standing", "mode", "reply", "generation", "why"}) {
                if (const auto* found = said->if_contains(name)) {
                    verdict[name] = *found;
                }
            }
        } else {
            // Where its socket is is the operator's.
            verdict["error"] = scope_of(of).is_everything() ? said.error() : std::string("it does not answer");
        }
        edges.push_back(std::move(verdict));
    }
    out["edges"] = std::move(edges);
    return json(200, out);
}

answer<response> get_openapi(service& /*with*/, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    response made;
    made.content_type = "application/yaml; charset=utf-8";
    made.body = openapi_yaml();
    return made;
}

answer<response> get_health(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (const auto good = with.store.check(); !good) {
        return tl::unexpected(unavailable("The store does not answer: " + good.error().text + "."));
    }
    return json(200, {{"status", "ok"}, {"version", process::version}});
}

}  // namespace postern::api
