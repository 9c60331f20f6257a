// Tokens, generations, history, status, edges, explain, health, and the API's own description.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "board/process/version.h"
#include "control/api/body.h"
#include "control/api/edge_query.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/openapi.h"
#include "control/api/represent.h"
#include "control/directory/generations.h"
#include "control/directory/history.h"
#include "control/directory/tokens.h"
#include "smtp/recipients/address.h"

namespace postern::api {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::chrono::milliseconds edge_patience{2'000};

directory::role to_directory(role as) {
    switch (as) {
        case role::admin:
            return directory::role::admin;
        case role::operator_:
            return directory::role::editor;
        case role::nobody:
        case role::reader:
            return directory::role::viewer;
    }
    return directory::role::viewer;
}

answer<directory::token> token_argument(const directory::reader& in, const call& of) {
    const auto id = id_argument(of, 0, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
    if (!id) {
        return failure(id);
    }
    auto found = directory::find_token(in, *id);
    if (!found) {
        return failure(found);
    }
    return std::move(*found);
}

}  // namespace

answer<response> list_tokens(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    const bool revoked = of.parameters.flag("revoked").value_or(false);
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = directory::list_tokens(in, revoked, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const directory::token& each) { return represent(each); });
}

answer<response> add_token(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (!of.asked.field("idempotency-key").empty()) {
        // The answer to be kept would hold the secret, which is kept nowhere.
        return tl::unexpected(bad_request("A token can't be made under an Idempotency-Key.",
                                          {{"Idempotency-Key", "leave it out; a token too many can be revoked"}}));
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    const std::string name = given.required_text("name", 100);
    const auto word = given.word("role", {"reader", "operator", "admin"});
    if (!word && !given.has("role")) {
        given.refuse("role", "is missing: reader, operator or admin");
    }
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto made = directory::issue_token(in, name, to_directory(*parse_role(*word)));
    if (!made) {
        return failure(made);
    }
    object out = represent(made->token);
    response answered = created("/v1/tokens/" + std::to_string(made->token.id), out);
    out["secret"] = made->secret;
    answered.body = json(201, out).body;
    return answered;
}

answer<response> get_token(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = token_argument(in, of);
    if (!found) {
        return failure(found);
    }
    return tagged(200, represent(*found));
}

answer<response> revoke_token(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = token_argument(in, of);
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    if (const auto revoked = directory::revoke_token(in, present->id); !revoked) {
        return failure(revoked);
    }
    // Without an admin token nobody could make another.
    const auto alone = directory::needs_first_token(in);
    if (!alone) {
        return failure(alone);
    }
    if (*alone) {
        return tl::unexpected(conflict("This is the last admin token; make another one first."));
    }
    return no_content();
}

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
    const auto domain = domain_parameter(in, of.parameters, "domain");
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
    const publish::publisher_status status = with.publisher.status();
    const auto counts = directory::count_addresses(in, 0);
    if (!counts) {
        return failure(counts);
    }
    directory::domain_filter only_domains;
    only_domains.alias = false;
    const auto domains = directory::count_domains(in, only_domains);
    if (!domains) {
        return failure(domains);
    }
    array edges;
    for (const publish::edge_status& each : status.edges) {
        edges.push_back(represent(each));
    }
    object out;
    out["version"] = process::version;
    out["started"] = time_value(with.started);
    out["now"] = time_value(with.store.now());
    out["domains"] = *domains;
    out["counts"] = represent(*counts);
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
        const auto domain = directory::find_domain(*in, normal.domain());
        out["served"] = domain.has_value();
        out["domain"] = nullptr;
        if (domain) {
            const auto target = domain->target == 0 ? domain : directory::find_domain(*in, domain->target);
            out["domain"] = target ? represent(*target) : represent(*domain);
        }
        const auto standing = directory::standing_at(*in, *address, at);
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
        out["mailbox"] = box && at == 0 ? boost::json::value(represent(*box)) : boost::json::value(nullptr);
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
            verdict["error"] = said.error();
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
