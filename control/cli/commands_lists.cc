// posternctl mailbox, alias, group.
#include <CLI/CLI.hpp>
#include <charconv>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"

namespace postern::cli {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::size_t shown_unless_all = 100;

struct list_options {
    std::string address;
    std::string mailbox;
    std::string domain;
    std::string search;
    std::string kind;
    std::string group;
    std::string name;
    std::string hold;
    std::string source;
    std::string organisation;
    bool all = false;
};

std::uint64_t number(const std::string& text, const char* option) {
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size()) {
        context::fail(status::usage, std::string(option) + " \"" + text + "\" is not an id");
    }
    return out;
}

std::string mailbox_path(const std::string& address) {
    return "/v1/mailboxes/" + encoded(address);
}

/// The members of a mailbox that options can set, into `body`.
void add_mailbox_options(CLI::App& to, const std::shared_ptr<object>& body) {
    const auto text = [&](const char* option, const char* member, const char* help) {
        to.add_option_function<std::string>(
            option, [body, member](const std::string& value) { (*body)[member] = value; }, help);
    };
    text("--first-name", "first_name", "first name");
    text("--last-name", "last_name", "last name");
    text("--group", "group", "name of its group; it is made if there is none");
    text("--kind", "kind", "user, shared, resource, list or unclassified");
    text("--hold", "hold", "none, pinned (valid whatever the sources say) or blocked (invalid whatever they say)");
    to.add_option_function<bool>(
        "--internal-only", [body](const bool& value) { (*body)["internal_only"] = value; },
        "true: refused from outside");
    to.add_option_function<std::vector<std::string>>(
        "--alias",
        [body](const std::vector<std::string>& aliases) {
            array all;
            for (const std::string& each : aliases) {
                if (!each.empty()) {
                    all.push_back(boost::json::value(each));
                }
            }
            (*body)["aliases"] = std::move(all);
        },
        "its aliases (the whole set)");
}

void print_mailboxes(const array& rows, bool all) {
    print_table(rows, {{"id", "ID"},
                       {"address", "ADDRESS"},
                       {"first_name", "FIRST NAME"},
                       {"last_name", "LAST NAME"},
                       {"kind", "KIND"},
                       {"valid", "VALID"},
                       {"aliases", "ALIASES"}});
    if (!all && rows.size() == shown_unless_all) {
        std::cerr << "posternctl: the first " << shown_unless_all << "; --all shows all\n";
    }
}

void add_mailbox_commands(CLI::App& to, context& with) {
    CLI::App* const mailbox = to.add_subcommand("mailbox", "mailboxes");
    mailbox->require_subcommand(1);
    const auto of = std::make_shared<list_options>();
    const auto body = std::make_shared<object>();

    CLI::App* const add = mailbox->add_subcommand("add", "add a mailbox (or block an address: --hold blocked)");
    add->add_option("ADDRESS", of->address, "its address")->required();
    add_mailbox_options(*add, body);
    add->callback([&with, of, body] {
        (*body)["address"] = of->address;
        const object made = with.change("POST", target("/v1/mailboxes"), body.get());
        with.show(made, [&] {
            std::cout << text_of(made, "address") << (text_of(made, "hold") == "blocked" ? " is blocked" : " is added")
                      << with.change_note() << '\n';
        });
    });

    CLI::App* const list = mailbox->add_subcommand("list", "list mailboxes");
    list->add_option("--domain", of->domain, "only of this domain");
    list->add_option("--search", of->search, "part of the address, of an alias or of a name");
    list->add_option("--kind", of->kind, "only of this kind");
    list->add_option("--group", of->group, "only of this group");
    list->add_option("--hold", of->hold, "none, pinned or blocked");
    list->add_option("--source", of->source, "only those that this source asserts");
    list->add_option("--organisation", of->organisation, "only of this organisation (id)");
    list->add_flag("--all", of->all, "all, not only the first hundred");
    list->callback([&with, of] {
        target from("/v1/mailboxes");
        from.add_if("domain", of->domain).add_if("q", of->search).add_if("kind", of->kind).add_if("group", of->group);
        from.add_if("hold", of->hold).add_if("source", of->source).add_if("organisation", of->organisation);
        const array rows = with.list(from, of->all ? 0 : shown_unless_all);
        with.show(rows, [&] { print_mailboxes(rows, of->all); });
    });

    CLI::App* const show = mailbox->add_subcommand("show", "show a mailbox");
    show->add_option("ADDRESS", of->address, "its address, an alias, or its id")->required();
    show->callback([&with, of] {
        const object found = with.get(target(mailbox_path(of->address)));
        with.show(found, [&] {
            print_members(found);
            for (const boost::json::value& each : found.at("sources").as_array()) {
                std::cout << "asserted by: " << text_of(each.as_object(), "source") << " since "
                          << text_of(each.as_object(), "since") << '\n';
            }
        });
    });

    CLI::App* const edit = mailbox->add_subcommand("edit", "change a mailbox");
    const auto change = std::make_shared<object>();
    edit->add_option("ADDRESS", of->address, "its address, an alias, or its id")->required();
    add_mailbox_options(*edit, change);
    edit->callback([&with, of, change] {
        if (change->empty()) {
            context::fail(status::usage, "nothing to change; see posternctl mailbox edit --help");
        }
        const object now = with.change("PATCH", target(mailbox_path(of->address)), change.get());
        with.show(now, [&] { std::cout << text_of(now, "address") << " is changed" << with.change_note() << '\n'; });
    });

    CLI::App* const remove = mailbox->add_subcommand("remove", "remove mailboxes with their aliases");
    const auto addresses = std::make_shared<std::vector<std::string>>();
    remove->add_option("ADDRESS", *addresses, "address or id")->required();
    remove->callback([&with, addresses] {
        for (const std::string& each : *addresses) {
            with.change("DELETE", target(mailbox_path(each)), nullptr);
            with.say(each + " is removed" + with.change_note());
        }
    });

    add_hand_commands(*mailbox, with);
    add_import_command(*mailbox, with);
}

void add_alias_commands(CLI::App& to, context& with) {
    CLI::App* const alias = to.add_subcommand("alias", "other addresses of mailboxes");
    alias->require_subcommand(1);
    const auto of = std::make_shared<list_options>();

    CLI::App* const add = alias->add_subcommand("add", "add an alias");
    add->add_option("ADDRESS", of->address, "the alias")->required();
    add->add_option("MAILBOX", of->mailbox, "the mailbox: address or id")->required();
    add->callback([&with, of] {
        const object body{{"address", of->address}, {"mailbox", of->mailbox}};
        const object made = with.change("POST", target("/v1/aliases"), &body);
        with.show(made, [&] { std::cout << text_of(made, "address") << " is added" << with.change_note() << '\n'; });
    });

    CLI::App* const list = alias->add_subcommand("list", "list aliases");
    list->add_option("--domain", of->domain, "only of this domain");
    list->add_option("--mailbox", of->mailbox, "only of this mailbox");
    list->add_option("--search", of->search, "part of the address");
    list->add_flag("--all", of->all, "all, not only the first hundred");
    list->callback([&with, of] {
        target from("/v1/aliases");
        from.add_if("domain", of->domain).add_if("mailbox", of->mailbox).add_if("q", of->search);
        const array rows = with.list(from, of->all ? 0 : shown_unless_all);
        with.show(rows, [&] {
            print_table(rows, {{"id", "ID"}, {"address", "ADDRESS"}, {"mailbox", "MAILBOX ID"}, {"valid", "VALID"}});
        });
    });

    CLI::App* const remove = alias->add_subcommand("remove", "remove an alias");
    remove->add_option("ADDRESS", of->address, "address or id")->required();
    remove->callback([&with, of] {
        with.change("DELETE", target("/v1/aliases/" + encoded(of->address)), nullptr);
        with.say(of->address + " is removed" + with.change_note());
    });
}

void add_group_commands(CLI::App& to, context& with) {
    CLI::App* const group = to.add_subcommand("group", "labels for mailboxes");
    group->require_subcommand(1);
    const auto of = std::make_shared<list_options>();
    const auto find = [&with](const std::string& name) -> std::string {
        for (const boost::json::value& each : with.list(target("/v1/groups"), 0)) {
            if (text_of(each.as_object(), "name") == name || text_of(each.as_object(), "id") == name) {
                return "/v1/groups/" + text_of(each.as_object(), "id");
            }
        }
        context::fail(status::refused, "there is no group \"" + name + "\"; posternctl group list shows them");
    };

    CLI::App* const add = group->add_subcommand("add", "add a group");
    add->add_option("NAME", of->name, "its name")->required();
    add->add_option("--domain", of->domain, "it is within this domain, and takes mailboxes of it alone");
    add->add_option("--organisation", of->organisation, "id of its organisation");
    add->callback([&with, of] {
        object body{{"name", of->name}};
        if (!of->domain.empty()) {
            body["domain"] = of->domain;
        }
        if (!of->organisation.empty()) {
            body["organisation"] = number(of->organisation, "--organisation");
        }
        const object made = with.change("POST", target("/v1/groups"), &body);
        with.show(made, [&] { std::cout << text_of(made, "name") << " is added\n"; });
    });

    CLI::App* const list = group->add_subcommand("list", "list groups");
    list->add_option("--domain", of->domain, "only those within this domain");
    list->add_option("--organisation", of->organisation, "only of this organisation (id)");
    list->callback([&with, of] {
        target from("/v1/groups");
        from.add_if("domain", of->domain).add_if("organisation", of->organisation);
        const array rows = with.list(from, 0);
        with.show(rows, [&] {
            print_table(rows, {{"id", "ID"},
                               {"name", "NAME"},
                               {"organisation", "ORGANISATION ID"},
                               {"domain", "DOMAIN ID"},
                               {"mailboxes", "MAILBOXES"}});
        });
    });

    CLI::App* const within = group->add_subcommand("within", "put a group within a domain");
    within->add_option("NAME", of->name, "its name or id")->required();
    within->add_option("DOMAIN", of->domain, "the domain, or none")->required();
    within->callback([&with, of, find] {
        object body{{"domain", nullptr}};
        if (of->domain != "none") {
            body["domain"] = of->domain;
        }
        const object now = with.change("PATCH", target(find(of->name)), &body);
        with.show(now, [&] { std::cout << text_of(now, "name") << " is changed\n"; });
    });

    CLI::App* const rename = group->add_subcommand("rename", "rename a group");
    rename->add_option("NAME", of->name, "its name or id")->required();
    rename->add_option("NEW", of->group, "its new name")->required();
    rename->callback([&with, of, find] {
        const object body{{"name", of->group}};
        const object now = with.change("PATCH", target(find(of->name)), &body);
        with.show(now, [&] { std::cout << text_of(now, "name") << " is renamed\n"; });
    });

    CLI::App* const remove = group->add_subcommand("remove", "remove a group; its mailboxes stay");
    remove->add_option("NAME", of->name, "its name or id")->required();
    remove->callback([&with, of, find] {
        with.change("DELETE", target(find(of->name)), nullptr);
        with.say(of->name + " is removed");
    });
}

}  // namespace

void add_list_commands(CLI::App& to, context& with) {
    add_mailbox_commands(to, with);
    add_alias_commands(to, with);
    add_group_commands(to, with);
}

}  // namespace postern::cli
