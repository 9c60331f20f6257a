// posternctl mailbox paste, block, pin, lift, reassign: what a person does to a list by hand, beyond add and edit.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "control/cli/commands.h"

namespace postern::cli {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::size_t shown_items = 20;

struct paste_options {
    std::string file;
    std::string domain;
    std::string group;
    std::string kind;
    bool strict = false;
    bool preview = false;
    bool yes = false;
};

std::string read_all(const std::string& file) {
    if (file.empty() || file == "-") {
        return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
    }
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        context::fail(status::usage,
                      "cannot read " + file + "; name a file with addresses, or - for the standard input");
    }
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

object send(context& with, const paste_options& of, const std::string& text, bool apply) {
    target to("/v1/mailboxes/paste");
    to.add_if("domain", of.domain).add_if("group", of.group).add_if("kind", of.kind);
    to.add_if("strict", of.strict ? "true" : "").add_if("apply", apply ? "true" : "");
    to.add_if("wait", apply && with.wait ? "in_force" : "");
    call_options what;
    what.method = "POST";
    what.target = to.text();
    what.content_type = "text/plain; charset=utf-8";
    what.body = text;
    return with.parsed(with.raw(std::move(what)));
}

void print_items(const object& said, std::string_view state, const std::string& title) {
    std::size_t shown = 0;
    for (const boost::json::value& each : said.at("items").as_array()) {
        const object& item = each.as_object();
        if (text_of(item, "state") != state) {
            continue;
        }
        if (++shown > shown_items) {
            std::cout << "  and more; --json shows all\n";
            return;
        }
        std::cout << title << " line " << text_of(item, "line") << ", column " << text_of(item, "column") << ": \""
                  << text_of(item, "text") << '"'
                  << (text_of(item, "reason").empty() ? "" : ": " + text_of(item, "reason")) << '\n';
    }
}

void print_paste(const object& said) {
    std::cout << "new: " << text_of(said, "new") << ", known: " << text_of(said, "known")
              << ", duplicates: " << text_of(said, "duplicates") << ", invalid: " << text_of(said, "invalid") << '\n';
    print_items(said, "new", "new");
    print_items(said, "known", "known");
    print_items(said, "invalid", "invalid");
}

void paste(context& with, const paste_options& of) {
    const std::string text = read_all(of.file);
    object said = send(with, of, text, false);
    if (!with.json) {
        print_paste(said);
    }
    if (!of.preview) {
        if (!of.yes) {
            context::fail(status::usage, "nothing is changed; say --yes to add what is new, or --preview to look only");
        }
        said = send(with, of, text, true);
    }
    const bool applied = text_of(said, "applied") == "yes";
    with.show(said, [&] {
        std::cout << (applied      ? text_of(said, "new") + " are added\n"
                      : of.preview ? std::string("nothing is changed: this was the preview\n")
                                   : std::string("nothing is changed: --strict, and some are invalid\n"));
    });
    if (!applied && !of.preview) {
        throw stop{status::refused};
    }
    if (text_of(said, "invalid") != "0") {
        throw stop{status::bad_rows};
    }
}

/// Holds of mailboxes and aliases alike; an address that is not in the list can be blocked.
void hold(context& with, const std::vector<std::string>& addresses, const std::string& as) {
    for (const std::string& each : addresses) {
        const object body{{"address", each}, {"hold", as}};
        const object made = with.change("POST", target("/v1/holds"), &body);
        with.show(made, [&] {
            std::cout << text_of(made, "address") << (as == "none" ? " is lifted" : " is " + as)
                      << (text_of(made, "valid") == "yes" ? "" : ", not valid") << with.change_note() << '\n';
        });
    }
}

void add_hold_command(CLI::App& mailbox, context& with, const char* name, const char* as, const char* help) {
    const auto addresses = std::make_shared<std::vector<std::string>>();
    CLI::App* const command = mailbox.add_subcommand(name, help);
    command->add_option("ADDRESS", *addresses, "addresses of mailboxes or aliases")->required();
    command->callback([&with, addresses, as] { hold(with, *addresses, as); });
}

}  // namespace

void add_hand_commands(CLI::App& mailbox, context& with) {
    const auto of = std::make_shared<paste_options>();
    CLI::App* const pasted = mailbox.add_subcommand("paste", "add addresses as people paste them");
    pasted->add_option("FILE", of->file, "a file with them; - or nothing: the standard input");
    pasted->add_option("--domain", of->domain, "the domain that they are in; local parts alone will do then");
    pasted->add_option("--group", of->group, "name of their group; it is made if there is none");
    pasted->add_option("--kind", of->kind, "user, shared, resource, list or unclassified");
    pasted->add_flag("--strict", of->strict, "add nothing if one is invalid");
    pasted->add_flag("--preview", of->preview, "only show what would be done");
    pasted->add_flag("--yes", of->yes, "add what is new");
    pasted->callback([&with, of] { paste(with, *of); });

    add_hold_command(mailbox, with, "block", "blocked", "keep addresses out whoever lists them, listed now or not");
    add_hold_command(mailbox, with, "pin", "pinned", "keep addresses valid whatever the sources say");
    add_hold_command(mailbox, with, "lift", "none", "take a block or a pin away");

    const auto addresses = std::make_shared<std::vector<std::string>>();
    const auto to = std::make_shared<std::string>();
    CLI::App* const reassign =
        mailbox.add_subcommand("reassign", "make mailboxes aliases of another, with their aliases");
    reassign->add_option("ADDRESS", *addresses, "mailboxes: address or id")->required();
    reassign->add_option("--to", *to, "the mailbox that gets them: address or id")->required();
    reassign->callback([&with, addresses, to] {
        array all;
        for (const std::string& each : *addresses) {
            all.push_back(boost::json::value(each));
        }
        const object body{{"mailboxes", std::move(all)}};
        const object now = with.change("POST", target("/v1/mailboxes/" + encoded(*to) + "/reassign"), &body);
        with.show(now, [&] {
            std::cout << text_of(now, "address") << " has the aliases " << text_of(now, "aliases") << with.change_note()
                      << '\n';
        });
    });
}

}  // namespace postern::cli
