// posternctl source: directories (LDAP, Active Directory, Microsoft 365) that lists follow.
#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"
#include "control/cli/source_options.h"

namespace postern::cli {
namespace {

using boost::json::array;
using boost::json::object;

target path_of(const std::string& name, const char* rest = "") {
    return target("/v1/sources/" + encoded(full_source_name(name)) + rest);
}

/// One or two words on how the source is doing, for a table.
std::string standing(const object& source) {
    const object& state = object_of(source, "state");
    if (!text_of(state, "held").empty()) {
        return "held";
    }
    if (text_of(state, "out_of_date") == "yes") {
        return "out of date";
    }
    if (text_of(state, "failures") != "0") {
        return "failing";
    }
    return text_of(source, "enabled") == "yes" ? "good" : "paused";
}

void print_source(const object& source) {
    print_members(source);
    for (const char* const part : {"settings", "limits", "notify", "state"}) {
        std::cout << part << ":\n";
        for (const auto& member : object_of(source, part)) {
            const std::string text = text_of(object_of(source, part), member.key());
            // A certificate is shown by --json.
            const bool pem = text.find("-----BEGIN") != std::string::npos;
            if (!text.empty()) {
                std::cout << "  " << std::string_view(member.key()) << ": " << (pem ? "(set)" : text) << '\n';
            }
        }
    }
}

void print_test(const object& report) {
    std::string server;
    for (const boost::json::value& each : array_of(report, "steps")) {
        const object& step = each.as_object();
        if (text_of(step, "server") != server) {
            server = text_of(step, "server");
            std::cout << server << '\n';
        }
        const std::string outcome = text_of(step, "outcome");
        const char* const mark = outcome == "good" ? "ok  " : outcome == "bad" ? "BAD " : "-   ";
        std::cout << "  " << mark << text_of(step, "step") << ": " << text_of(step, "detail") << '\n';
    }
    if (!array_of(report, "entries").empty()) {
        print_table(array_of(report, "entries"),
                    {{"address", "ADDRESS"}, {"kind", "KIND"}, {"aliases", "ALIASES"}, {"object", "OBJECT"}});
    }
    std::cout << (text_of(report, "good") == "yes" ? "the connection is good" : "not usable as it is") << '\n';
}

void run_test(context& with, const std::string& name, const given_options& given) {
    object report;
    if (given.empty()) {
        report = with.act("POST", path_of(name, "/test"));
    } else {
        object body = source_body(given);
        body["name"] = full_source_name(name);
        if (!body.contains("settings")) {
            body["settings"] = object();
        }
        call_options what;
        what.method = "POST";
        what.target = "/v1/sources/test";
        what.body = boost::json::serialize(body);
        what.content_type = "application/json";
        report = with.parsed(with.raw(std::move(what)));
    }
    with.show(report, [&] { print_test(report); });
    if (text_of(report, "good") != "yes") {
        throw stop{status::refused};
    }
}

void list_sources(context& with, std::uint32_t organisation) {
    array rows = with.list(
        target("/v1/sources").add_if("organisation", organisation == 0 ? "" : std::to_string(organisation)), 0);
    with.show(rows, [&] {
        array flat;
        for (const boost::json::value& each : rows) {
            const object& source = each.as_object();
            const object& state = object_of(source, "state");
            flat.push_back(object{{"id", source.at("id")},
                                  {"name", source.at("name")},
                                  {"standing", standing(source)},
                                  {"addresses", text_of(state, "addresses")},
                                  {"last_good", text_of(state, "last_good")},
                                  {"next_sync", text_of(state, "next_sync")},
                                  {"trouble", text_of(state, "trouble")}});
        }
        print_table(flat, {{"id", "ID"},
                           {"name", "NAME"},
                           {"standing", "STATE"},
                           {"addresses", "ADDRESSES"},
                           {"last_good", "LAST GOOD SYNC"},
                           {"next_sync", "NEXT SYNC"},
                           {"trouble", "TROUBLE"}});
    });
}

void show_presets(context& with) {
    const array rows = with.list(target("/v1/source-presets"), 0);
    with.show(rows, [&] {
        for (const boost::json::value& each : rows) {
            const object& preset = each.as_object();
            const object& settings = object_of(preset, "settings");
            std::cout << text_of(preset, "name") << "  " << text_of(preset, "title") << "\n    "
                      << text_of(settings, "security") << ", " << text_of(settings, "filter") << "\n    "
                      << text_of(settings, "mail_attribute") << ' ' << text_of(settings, "alias_attributes") << '\n';
        }
    });
}

}  // namespace

void add_source_commands(CLI::App& to, context& with) {
    CLI::App* const source = to.add_subcommand(
        "source", "directories (LDAP, Active Directory, Microsoft 365) that lists follow, and lists that are pushed");
    source->require_subcommand(1);
    const auto name = std::make_shared<std::string>();
    const auto organisation = std::make_shared<std::uint32_t>(0);
    const char* const name_help = "its name (head-office stands for ldap:head-office) or id";

    CLI::App* const add = source->add_subcommand("add", "add a source; its first sync begins at once");
    add->add_option("NAME", *name,
                    "its name: ldap:NAME, microsoft365:NAME or push:NAME; head-office stands for ldap:head-office")
        ->required();
    add->add_option("--organisation", *organisation, "id of the organisation whose domains it feeds");
    const auto added = add_source_options(*add, true);
    add->callback([&with, name, organisation, added] {
        object body = source_body(*added);
        body["name"] = full_source_name(*name);
        if (*organisation != 0) {
            body["organisation"] = *organisation;
        }
        const object made = with.change("POST", target("/v1/sources"), &body);
        with.show(made, [&] {
            std::cout << text_of(made, "name") << " is added, id " << text_of(made, "id") << '\n'
                      << (text_of(made, "type") == "push"
                              ? "its list is to be pushed: posternctl push whole " + text_of(made, "name") + " FILE"
                          : text_of(made, "enabled") == "yes"
                              ? "its first sync begins now: posternctl sync list"
                              : "it does not sync by schedule: posternctl sync now " + text_of(made, "name"))
                      << '\n';
        });
    });

    CLI::App* const set = source->add_subcommand("set", "change a source: what is given replaces what was set");
    set->add_option("NAME", *name, name_help)->required();
    const auto changed = add_source_options(*set, true);
    set->callback([&with, name, changed] {
        const object body = source_body(*changed);
        const object now = with.change("PATCH", path_of(*name), &body);
        with.show(now, [&] { std::cout << text_of(now, "name") << " is changed" << with.change_note() << '\n'; });
    });

    CLI::App* const list = source->add_subcommand("list", "list sources and how they are doing");
    list->add_option("--organisation", *organisation, "only of this one");
    list->callback([&with, organisation] { list_sources(with, *organisation); });

    CLI::App* const show = source->add_subcommand("show", "show a source, without its secrets");
    show->add_option("NAME", *name, name_help)->required();
    show->callback([&with, name] {
        const object found = with.get(path_of(*name));
        with.show(found, [&] { print_source(found); });
    });

    CLI::App* const remove = source->add_subcommand("remove", "remove a source with all that it asserts");
    remove->add_option("NAME", *name, name_help)->required();
    remove->callback([&with, name] {
        with.change("DELETE", path_of(*name), nullptr);
        with.say(*name + " is removed" + with.change_note());
    });

    CLI::App* const test =
        source->add_subcommand("test", "test the connection step by step; with options, of a source that is not kept");
    test->add_option("NAME", *name, name_help)->required();
    const auto tried = add_source_options(*test, false);
    test->callback([&with, name, tried] { run_test(with, *name, *tried); });

    CLI::App* const presets = source->add_subcommand("presets", "settings of well-known directories to begin with");
    presets->callback([&with] { show_presets(with); });
}

}  // namespace postern::cli
