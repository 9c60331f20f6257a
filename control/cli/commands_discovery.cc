// posternctl discovery: how it stands, its settings, what was found, what a person decides about it.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <tuple>

#include "control/cli/commands.h"
#include "control/cli/source_options.h"

namespace postern::cli {
namespace {

using boost::json::array;
using boost::json::object;

struct discovery_options {
    std::string domain;
    std::string state;
    std::vector<std::string> addresses;
    std::string kind = "user";
    std::string mailbox;
    std::string secret_file;
    bool all = false;
    bool yes = false;
    std::size_t limit = 100;
};

std::string path_of(const discovery_options& of) {
    return "/v1/domains/" + encoded(of.domain) + "/discovery";
}

void print_state(const object& of) {
    std::cout << text_of(of, "domain") << " is in " << text_of(of, "mode")
              << (text_of(of, "mode_until").empty()
                      ? ""
                      : " until " + text_of(of, "mode_until") + ", then in " + text_of(of, "ends_in"))
              << "; discovery is " << text_of(of, "state") << '\n'
              << text_of(of, "text") << '\n';
    const object& probe = object_of(of, "probe");
    std::cout << "probe: " << (text_of(probe, "at").empty() ? "never" : text_of(probe, "at")) << ' '
              << text_of(probe, "said") << '\n'
              << "adds after: " << text_of(of, "clean_messages") << " good messages within " << text_of(of, "days")
              << " days\n"
              << "unclassified mailboxes are billed: "
              << (text_of(of, "billed") == "at_once" ? "at once" : "once somebody has said what they are") << '\n';
    for (const auto& member : object_of(of, "candidates")) {
        std::cout << member.key() << ": " << text_of(object_of(of, "candidates"), member.key()) << '\n';
    }
    std::cout << "listed, but refused by the mail server: " << text_of(of, "listed_refused") << '\n';
}

void show_state(context& with, const discovery_options& of) {
    const object found = with.get(target(path_of(of)));
    with.show(found, [&] { print_state(found); });
}

void probe(context& with, const discovery_options& of) {
    const object found = with.act("POST", target(path_of(of) + "/probe"));
    with.show(found, [&] { print_state(found); });
}

void list(context& with, const discovery_options& of) {
    const array rows = with.list(target(path_of(of) + "/candidates").add_if("state", of.state), of.limit);
    with.show(rows, [&] {
        print_table(rows, {{"address", "ADDRESS"},
                           {"state", "STATE"},
                           {"since", "SINCE"},
                           {"good", "GOOD"},
                           {"senders", "SENDERS"},
                           {"bad", "BAD"},
                           {"first", "FIRST"},
                           {"last", "LAST"},
                           {"taken_out_by", "TAKEN OUT BY"}});
    });
}

void list_refused(context& with, const discovery_options& of) {
    const array rows = with.list(target(path_of(of) + "/refused"), of.limit);
    with.show(rows, [&] {
        print_table(rows, {{"address", "ADDRESS"}, {"times", "TIMES"}, {"first", "FIRST"}, {"last", "LAST"}});
    });
}

/// One decision about all addresses, in one request.
void decide(context& with, discovery_options& of, const char* action, const object& more) {
    if (of.all) {
        if (!of.yes) {
            context::fail(status::usage, "--all decides about every address that was added; say --yes for that");
        }
        for (const boost::json::value& each :
             with.list(target(path_of(of) + "/candidates").add("state", "added"), 10'000)) {
            of.addresses.push_back(text_of(each.as_object(), "address"));
        }
    }
    if (of.addresses.empty()) {
        context::fail(status::usage, "name the addresses, or say --all");
    }
    array items;
    for (const std::string& each : of.addresses) {
        object item = more;
        item["address"] = each;
        item["action"] = action;
        items.push_back(std::move(item));
    }
    const object body{{"items", std::move(items)}};
    const object done = with.change("POST", target(path_of(of) + "/triage"), &body);
    with.show(done, [&] { std::cout << text_of(done, "decided") << " decided" << with.change_note() << '\n'; });
}

void add_settings_command(CLI::App& to, context& with) {
    const auto of = std::make_shared<discovery_options>();
    const auto body = std::make_shared<object>();
    const auto notify = std::make_shared<object>();
    CLI::App* const set = to.add_subcommand("set", "change a domain's settings of discovery");
    set->add_option("DOMAIN", of->domain, "the domain")->required();
    const auto number = [&](const char* option, const char* member, const char* help) {
        set->add_option_function<std::uint32_t>(
            option, [body, member](const std::uint32_t& given) { (*body)[member] = given; }, help);
    };
    number("--clean", "clean_messages", "good messages after which an address is added, 1 to 20 (1)");
    number("--days", "days", "within so many days, 1 to 90 (14)");
    set->add_option_function<std::string>(
        "--ends-in", [body](const std::string& given) { (*body)["ends_in"] = given; },
        "the mode behind discover: observe, or enforce if the domain is ready then");
    set->add_option_function<std::string>(
        "--webhook",
        [notify](const std::string& given) {
            (*notify)["webhook"] = given.empty() ? boost::json::value(nullptr) : boost::json::value(given);
        },
        "URL that notices are posted to; empty: none");
    set->add_option("--webhook-secret-file", of->secret_file, "file with the secret that signs them");
    set->add_option_function<std::vector<std::string>>(
        "--email",
        [notify](const std::vector<std::string>& given) {
            array all;
            for (const std::string& each : given) {
                if (!each.empty()) {
                    all.push_back(boost::json::value(each));
                }
            }
            (*notify)["emails"] = std::move(all);
        },
        "who gets notices by e-mail (the whole new set)");
    for (const auto& [option, member, help] :
         {std::tuple("--tell-additions", "additions", "true or false: tell of added addresses"),
          std::tuple("--tell-changes", "changes", "true or false: tell of what is to decide"),
          std::tuple("--tell-trouble", "trouble", "true or false: tell of suspension and of the end")}) {
        set->add_option_function<bool>(
            option, [notify, name = member](const bool& given) { (*notify)[name] = given; }, help);
    }
    set->callback([&with, of, body, notify] {
        if (!notify->empty()) {
            (*body)["notify"] = *notify;
        }
        if (!of->secret_file.empty()) {
            (*body)["webhook_secret"] = read_whole(of->secret_file, true);
        }
        if (body->empty()) {
            context::fail(status::usage, "nothing to change; see posternctl discovery set --help");
        }
        const object now = with.change("PATCH", target(path_of(*of)), body.get());
        with.show(now, [&] { print_state(now); });
    });
}

}  // namespace

void add_discovery_commands(CLI::App& to, context& with) {
    CLI::App* const discovery = to.add_subcommand("discovery", "addresses that the mail server accepted good mail for");
    discovery->require_subcommand(1);
    const auto of = std::make_shared<discovery_options>();
    const auto command = [&](const char* name, const char* help) {
        CLI::App* const made = discovery->add_subcommand(name, help);
        made->add_option("DOMAIN", of->domain, "the domain")->required();
        return made;
    };
    const auto listing = [&](const char* name, const char* help) {
        CLI::App* const made = command(name, help);
        made->add_option("--limit", of->limit, "most to show; 0: all")->capture_default_str();
        return made;
    };
    command("show", "how it stands, and its settings")->callback([&with, of] { show_state(with, *of); });
    command("probe", "ask the mail server for a random address now")->callback([&with, of] { probe(with, *of); });
    CLI::App* const shown = listing("list", "what was found, with the evidence");
    shown->add_option("--state", of->state, "waiting, checking, added, left, base_refused or refused");
    shown->callback([&with, of] { list(with, *of); });
    listing("refused", "listed addresses that the mail server refuses")->callback([&with, of] {
        list_refused(with, *of);
    });
    add_settings_command(*discovery, with);

    const auto deciding = [&](const char* name, const char* help) {
        CLI::App* const made = command(name, help);
        made->add_option("ADDRESS", of->addresses, "the addresses");
        return made;
    };
    const auto all = [&](CLI::App* made) {
        made->add_flag("--all", of->all, "every address that was added");
        made->add_flag("--yes", of->yes, "with --all");
    };
    CLI::App* const accept = deciding("accept", "they are addresses of this kind");
    accept->add_option("--kind", of->kind, "user, shared, resource or list")->capture_default_str();
    all(accept);
    accept->callback([&with, of] { decide(with, *of, "accept", {{"kind", of->kind}}); });
    CLI::App* const alias = deciding("alias", "they lead to another mailbox");
    alias->add_option("--of", of->mailbox, "that mailbox: address or id")->required();
    alias->callback([&with, of] { decide(with, *of, "alias", {{"mailbox", of->mailbox}}); });
    CLI::App* const block = deciding("block", "they are none: keep them out");
    all(block);
    block->callback([&with, of] { decide(with, *of, "block", {}); });
    deciding("keep", "they are right, though the mail server refuses them: no longer show them")->callback([&with, of] {
        decide(with, *of, "keep", {});
    });
}

}  // namespace postern::cli
