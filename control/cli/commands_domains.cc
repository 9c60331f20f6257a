// posternctl domain, domain alias.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"

namespace postern::cli {
namespace {

using boost::json::object;

struct domain_options {
    std::string name;
    std::string mode;
    std::string until;
    std::string inbound;
    std::string target;
    std::string search;
    std::uint32_t organisation = 0;
    bool with_addresses = false;
    bool yes = false;
};

std::string path_of(const std::string& domain) {
    return "/v1/domains/" + encoded(domain);
}

void set_mode(context& with, const domain_options& of) {
    object body{{"mode", of.mode}};
    if (!of.until.empty()) {
        body["mode_until"] = of.until;
    }
    const object now = with.change("PATCH", target(path_of(of.name)), &body);
    with.show(now, [&] {
        const std::string until = text_of(now, "mode_until");
        std::cout << text_of(now, "name") << " is in " << text_of(now, "mode")
                  << (until.empty() ? "" : " until " + until) << with.change_note() << '\n';
    });
}

/// An inbound server by its id or its name, as the number that the API takes.
std::uint64_t inbound_id(context& with, const std::string& id_or_name) {
    for (const boost::json::value& each : with.list(target("/v1/inbound-servers"), 0)) {
        if (text_of(each.as_object(), "id") == id_or_name || text_of(each.as_object(), "name") == id_or_name) {
            return each.as_object().at("id").to_number<std::uint64_t>();
        }
    }
    context::fail(status::refused,
                  "there is no inbound server \"" + id_or_name + "\"; posternctl inbound show lists them");
}

void add_domain(context& with, const domain_options& of) {
    object body{{"name", of.name}};
    if (of.organisation != 0) {
        body["organisation"] = of.organisation;
    }
    if (!of.inbound.empty()) {
        body["inbound_server"] = inbound_id(with, of.inbound);
    }
    const object made = with.change("POST", target("/v1/domains"), &body);
    with.show(made, [&] {
        std::cout << text_of(made, "name") << " is added, in " << text_of(made, "mode") << with.change_note() << '\n';
    });
}

void list_domains(context& with, const domain_options& of) {
    target from("/v1/domains");
    from.add_if("q", of.search).add_if("mode", of.mode);
    from.add_if("organisation", of.organisation == 0 ? "" : std::to_string(of.organisation));
    const auto rows = with.list(from, 0);
    with.show(rows, [&] {
        print_table(rows, {{"id", "ID"},
                           {"name", "NAME"},
                           {"mode", "MODE"},
                           {"mode_until", "UNTIL"},
                           {"inbound_server", "INBOUND"},
                           {"on_hold", "ON HOLD"}});
    });
}

void show_domain(context& with, const domain_options& of) {
    const object found = with.get(target(path_of(of.name)));
    with.show(found, [&] {
        print_members(found);
        if (const auto* counts = found.if_contains("counts"); counts != nullptr && counts->is_object()) {
            print_members(counts->get_object());
        }
    });
}

void edit_domain(context& with, const domain_options& of, const CLI::App& given, const object& flags) {
    object body = flags;
    if (given.count("--inbound") != 0) {
        if (of.inbound == "none") {
            body["inbound_server"] = nullptr;
        } else {
            body["inbound_server"] = inbound_id(with, of.inbound);
        }
    }
    if (body.empty()) {
        context::fail(status::usage, "nothing to change; see posternctl domain edit --help");
    }
    const object now = with.change("PATCH", target(path_of(of.name)), &body);
    with.show(now, [&] {
        print_members(now);
        std::cout << "changed" << with.change_note() << '\n';
    });
}

void remove_domain(context& with, const domain_options& of) {
    target to(path_of(of.name));
    if (of.with_addresses) {
        to.add("with_addresses", "true");
    }
    with.change("DELETE", to, nullptr);
    with.say(of.name + " is removed" + with.change_note());
}

void add_alias_commands(CLI::App& domain, context& with, const std::shared_ptr<domain_options>& of) {
    CLI::App* const alias = domain.add_subcommand("alias", "other names of domains");
    alias->require_subcommand(1);
    CLI::App* const add = alias->add_subcommand("add", "add a domain alias");
    add->add_option("NAME", of->name, "the other name")->required();
    add->add_option("DOMAIN", of->target, "the domain whose addresses it has")->required();
    add->callback([&with, of] {
        const object body{{"name", of->name}, {"domain", of->target}};
        const object made = with.change("POST", target("/v1/domain-aliases"), &body);
        with.show(made, [&] {
            std::cout << text_of(made, "name") << " is an alias of " << of->target << with.change_note() << '\n';
        });
    });
    CLI::App* const list = alias->add_subcommand("list", "list domain aliases");
    list->add_option("--domain", of->target, "only of this domain");
    list->add_option("--organisation", of->organisation, "only of this organisation (id)");
    list->callback([&with, of] {
        target from("/v1/domain-aliases");
        from.add_if("organisation", of->organisation == 0 ? "" : std::to_string(of->organisation));
        const auto rows = with.list(from.add_if("domain", of->target), 0);
        with.show(rows, [&] { print_table(rows, {{"id", "ID"}, {"name", "NAME"}, {"domain", "DOMAIN ID"}}); });
    });
    CLI::App* const show = alias->add_subcommand("show", "show a domain alias");
    show->add_option("NAME", of->name, "its name or id")->required();
    show->callback([&with, of] {
        const object found = with.get(target("/v1/domain-aliases/" + encoded(of->name)));
        with.show(found, [&] { print_members(found); });
    });
    CLI::App* const edit = alias->add_subcommand("edit", "rename a domain alias, lead it to another domain, hold it");
    const auto change = std::make_shared<object>();
    edit->add_option("NAME", of->name, "its name or id")->required();
    edit->add_option_function<std::string>(
        "--name", [change](const std::string& value) { (*change)["name"] = value; }, "its new name");
    edit->add_option_function<std::string>(
        "--domain", [change](const std::string& value) { (*change)["domain"] = value; },
        "the domain whose addresses it has");
    edit->add_option_function<bool>(
        "--on-hold", [change](const bool& value) { (*change)["on_hold"] = value; },
        "true: 450 4.3.2 to every recipient in it, not in its domain");
    edit->callback([&with, of, change] {
        if (change->empty()) {
            context::fail(status::usage, "nothing to change; see posternctl domain alias edit --help");
        }
        const object now = with.change("PATCH", target("/v1/domain-aliases/" + encoded(of->name)), change.get());
        with.show(now, [&] { std::cout << text_of(now, "name") << " is changed" << with.change_note() << '\n'; });
    });
    CLI::App* const remove = alias->add_subcommand("remove", "remove a domain alias");
    remove->add_option("NAME", of->name, "its name or id")->required();
    remove->callback([&with, of] {
        with.change("DELETE", target("/v1/domain-aliases/" + encoded(of->name)), nullptr);
        with.say(of->name + " is removed" + with.change_note());
    });
}

void add_edit_command(CLI::App& domain, context& with, const std::shared_ptr<domain_options>& of) {
    CLI::App* const edit = domain.add_subcommand("edit", "change a domain's settings");
    const auto flags = std::make_shared<object>();
    edit->add_option("NAME", of->name, "the domain")->required();
    edit->add_option("--inbound", of->inbound, "its inbound server (name or id, or none)");
    edit->add_option_function<std::string>(
        "--subaddress", [flags](const std::string& value) { (*flags)["subaddress_delimiter"] = value; },
        "the character before a subaddress; empty: none");
    for (const char* const name : {"grace_defers", "abuse_always", "strip_prvs", "accept_srs", "on_hold"}) {
        std::string option = name;
        std::replace(option.begin(), option.end(), '_', '-');
        edit->add_option_function<bool>(
            "--" + option, [flags, name](const bool& value) { (*flags)[name] = value; }, "true or false");
    }
    edit->add_option_function<std::vector<std::string>>(
        "--trusted",
        [flags](const std::vector<std::string>& networks) {
            boost::json::array all;
            for (const std::string& each : networks) {
                if (!each.empty()) {
                    all.push_back(boost::json::value(each));
                }
            }
            (*flags)["trusted"] = std::move(all);
        },
        "networks for which internal-only does not count (the whole new set)");
    edit->callback([&with, of, edit, flags] { edit_domain(with, *of, *edit, *flags); });
}

}  // namespace

void add_domain_commands(CLI::App& to, context& with) {
    CLI::App* const domain = to.add_subcommand("domain", "served domains, their modes and aliases");
    domain->require_subcommand(1);
    const auto of = std::make_shared<domain_options>();

    CLI::App* const add = domain->add_subcommand("add", "serve a domain (it starts in observe)");
    add->add_option("NAME", of->name, "the domain")->required();
    add->add_option("--inbound", of->inbound, "its inbound server (name or id)");
    add->add_option("--organisation", of->organisation, "id of its organisation");
    add->callback([&with, of] { add_domain(with, *of); });

    CLI::App* const list = domain->add_subcommand("list", "list domains");
    list->add_option("--search", of->search, "part of the name");
    list->add_option("--mode", of->mode, "only in this mode");
    list->add_option("--organisation", of->organisation, "only of this organisation (id)");
    list->callback([&with, of] { list_domains(with, *of); });

    CLI::App* const show = domain->add_subcommand("show", "show a domain and its counts");
    show->add_option("NAME", of->name, "the domain")->required();
    show->callback([&with, of] { show_domain(with, *of); });

    CLI::App* const mode = domain->add_subcommand("mode", "set what happens to unknown recipients");
    mode->add_option("NAME", of->name, "the domain")->required();
    mode->add_option("MODE", of->mode, "observe, discover, defer or enforce")
        ->required()
        ->check(CLI::IsMember({"observe", "discover", "defer", "enforce"}));
    mode->add_option("--until", of->until, "for discover and defer: when it ends (2026-01-31T12:00:00Z)");
    mode->callback([&with, of] { set_mode(with, *of); });

    add_edit_command(*domain, with, of);

    CLI::App* const remove = domain->add_subcommand("remove", "serve a domain no more");
    remove->add_option("NAME", of->name, "the domain")->required();
    remove->add_flag("--with-addresses", of->with_addresses, "with all its addresses and aliases");
    remove->callback([&with, of] { remove_domain(with, *of); });

    add_recent_commands(*domain, with);
    add_alias_commands(*domain, with, of);
    add_claim_commands(*domain, with);
}

}  // namespace postern::cli
