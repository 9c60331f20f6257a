// posternctl explain, status, token, history, generations.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"

namespace postern::cli {
namespace {

using boost::json::array;
using boost::json::object;

void explain(context& with, const std::string& address, const std::string& at) {
    target from("/v1/explain");
    const object found = with.get(from.add("address", address).add_if("at", at));
    with.show(found, [&] {
        const object& domain = object_of(found, "domain");
        std::cout << text_of(found, "normal");
        if (text_of(found, "served") != "yes") {
            std::cout << ": its domain is not served\n";
        } else if (text_of(found, "valid") == "yes") {
            std::cout << (at.empty() ? " is valid" : " was valid") << ", asserted by " << text_of(found, "sources")
                      << '\n';
        } else {
            std::cout << (at.empty() ? " is not valid" : " was not valid") << '\n';
        }
        if (!domain.empty()) {
            std::cout << "domain: " << text_of(domain, "name") << ", in " << text_of(domain, "mode") << '\n';
        }
        const object& last = object_of(found, "last");
        if (!last.empty()) {
            std::cout << "since: " << text_of(last, "at") << ", " << text_of(last, "what") << " by "
                      << text_of(last, "who") << (text_of(last, "why").empty() ? "" : " (" + text_of(last, "why") + ")")
                      << '\n';
        }
        for (const boost::json::value& each : array_of(found, "edges")) {
            const object& edge = each.as_object();
            const std::string error = text_of(edge, "error");
            const std::string reply = text_of(edge, "reply");
            std::cout << "edge " << text_of(edge, "edge") << ": "
                      << (error.empty() ? text_of(edge, "standing") + "; " +
                                              (reply.empty() ? "asks the mail server" : "answers " + reply) +
                                              " (generation " + text_of(edge, "generation") + ")"
                                        : error)
                      << '\n';
        }
    });
}

void show_status(context& with) {
    const object found = with.get(target("/v1/status"));
    with.show(found, [&] {
        const object& counts = object_of(found, "counts");
        const object& generation = object_of(found, "generation");
        std::cout << "postern-control " << text_of(found, "version") << ", since " << text_of(found, "started") << '\n'
                  << text_of(found, "domains") << " domains, " << text_of(counts, "addresses") << " valid addresses ("
                  << text_of(counts, "mailboxes") << " mailboxes, " << text_of(counts, "aliases") << " aliases)\n";
        if (generation.empty()) {
            return;  // the token is for a part
        }
        std::cout << "generation " << text_of(generation, "number") << ", with changes up to "
                  << text_of(generation, "change") << " of " << text_of(generation, "last_change") << '\n';
        if (!text_of(generation, "error").empty()) {
            std::cout << "the last publication failed: " << text_of(generation, "error") << '\n';
        }
        print_table(array_of(found, "edges"), {{"name", "EDGE"},
                                               {"state", "STATE"},
                                               {"generation", "GENERATION"},
                                               {"change", "CHANGE"},
                                               {"error", "NOTE"}});
    });
}

void add_token_commands(CLI::App& to, context& with) {
    CLI::App* const token = to.add_subcommand("token", "who may use the API");
    token->require_subcommand(1);
    const auto name = std::make_shared<std::string>();
    const auto role = std::make_shared<std::string>("reader");
    const auto revoked = std::make_shared<bool>(false);

    CLI::App* const add = token->add_subcommand("add", "make a token; it is shown this once, alone on the output");
    add->add_option("NAME", *name, "what or whom it is for")->required();
    add->add_option("--role", *role, "reader, operator or admin")
        ->capture_default_str()
        ->check(CLI::IsMember({"reader", "operator", "admin"}));
    const auto scope = std::make_shared<object>();
    add->add_option_function<std::uint32_t>(
        "--organisation", [scope](const std::uint32_t& id) { (*scope)["organisation"] = id; },
        "only for this organisation (id), a reseller's with its customers");
    add->add_option_function<std::vector<std::string>>(
        "--domain",
        [scope](const std::vector<std::string>& names) {
            array all;
            for (const std::string& each : names) {
                all.push_back(boost::json::value(each));
            }
            (*scope)["domains"] = std::move(all);
        },
        "only for these domains");
    add->add_option_function<std::uint32_t>(
        "--group", [scope](const std::uint32_t& id) { (*scope)["group"] = id; }, "only for this group (id)");
    const auto mailroute = std::make_shared<bool>(false);
    add->add_flag("--mailroute", *mailroute,
                  "show it as MailRoute's API takes it: \"ApiKey LOGIN:KEY\", the login being NAME");
    add->callback([&with, name, role, scope, mailroute] {
        object body = *scope;
        body["name"] = *name;
        body["role"] = *role;
        with.wait = false;
        const object made = with.change("POST", target("/v1/tokens"), &body);
        with.show(made, [&] {
            std::cout << (*mailroute ? "ApiKey " + *name + ':' : std::string()) << text_of(made, "secret") << '\n';
            std::cerr << "token " << text_of(made, "id") << ", " << text_of(made, "role")
                      << "; it can't be shown again: keep it in a file that only you can read\n";
        });
    });

    CLI::App* const list = token->add_subcommand("list", "list tokens, without their secrets");
    list->add_flag("--revoked", *revoked, "with the revoked ones");
    list->callback([&with, revoked] {
        target from("/v1/tokens");
        const array rows = with.list(from.add_if("revoked", *revoked ? "true" : ""), 0);
        with.show(rows, [&] {
            print_table(rows, {{"id", "ID"},
                               {"name", "NAME"},
                               {"role", "ROLE"},
                               {"organisation", "ORGANISATION ID"},
                               {"domains", "DOMAIN IDS"},
                               {"group", "GROUP ID"},
                               {"created", "CREATED"},
                               {"created_by", "BY"},
                               {"revoked", "REVOKED"}});
        });
    });

    CLI::App* const revoke = token->add_subcommand("revoke", "revoke a token");
    revoke->add_option("ID", *name, "its id")->required();
    revoke->callback([&with, name] {
        with.wait = false;
        with.change("DELETE", target("/v1/tokens/" + encoded(*name)), nullptr);
        with.say("token " + *name + " is revoked");
    });
}

struct history_options {
    std::string address;
    std::string domain;
    std::string who;
    std::string from;
    std::string until;
    std::size_t limit = 50;
};

void show_history(context& with, const history_options& of) {
    target from("/v1/history");
    from.add_if("address", of.address).add_if("domain", of.domain).add_if("who", of.who);
    from.add_if("from", of.from).add_if("until", of.until);
    const array rows = with.list(from, of.limit);
    with.show(rows, [&] {
        print_table(rows, {{"at", "WHEN"}, {"who", "WHO"}, {"what", "WHAT"}, {"subject", "SUBJECT"}, {"why", "WHY"}});
    });
}

}  // namespace

void add_system_commands(CLI::App& to, context& with) {
    const auto address = std::make_shared<std::string>();
    const auto at = std::make_shared<std::string>();
    CLI::App* const why = to.add_subcommand("explain", "is an address valid, by whom, and what would an edge answer");
    why->add_option("ADDRESS", *address, "the address")->required();
    why->add_option("--at", *at, "then instead of now (2026-01-31T12:00:00Z)");
    why->callback([&with, address, at] { explain(with, *address, *at); });

    CLI::App* const state = to.add_subcommand("status", "counts, the generation, the edges");
    state->callback([&with] { show_status(with); });

    add_token_commands(to, with);

    const auto of = std::make_shared<history_options>();
    CLI::App* const history = to.add_subcommand("history", "who changed what, when and why, newest first");
    history->add_option("--address", of->address, "only of this address");
    history->add_option("--domain", of->domain, "only of this domain");
    history->add_option("--who", of->who, "only by this one, such as token:ops");
    history->add_option("--from", of->from, "from then on");
    history->add_option("--until", of->until, "before then");
    history->add_option("--limit", of->limit, "at most so many")->capture_default_str();
    history->callback([&with, of] { show_history(with, *of); });

    const auto limit = std::make_shared<std::size_t>(20);
    CLI::App* const generations = to.add_subcommand("generations", "generations made, newest first");
    generations->add_option("--limit", *limit, "at most so many")->capture_default_str();
    generations->callback([&with, limit] {
        const array rows = with.list(target("/v1/generations"), *limit);
        with.show(rows, [&] {
            print_table(rows, {{"number", "NUMBER"},
                               {"made", "MADE"},
                               {"addresses", "ADDRESSES"},
                               {"added", "ADDED"},
                               {"removed", "REMOVED"},
                               {"change", "CHANGE"}});
        });
    });
}

}  // namespace postern::cli
