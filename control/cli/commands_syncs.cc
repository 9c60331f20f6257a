// posternctl sync and restore: syncs of directory sources, and lists brought back as they were.
#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"
#include "control/cli/source_options.h"
#include "control/cli/sync_output.h"

namespace postern::cli {
namespace {

using boost::json::array;
using boost::json::object;

struct sync_options {
    std::string name;
    std::string source;
    std::string state;
    std::string what;
    std::size_t limit = 20;
    bool background = false;
};

void begin(context& with, const sync_options& of, bool dry) {
    const object body{{"dry", dry}};
    call_options what;
    what.method = "POST";
    what.target = "/v1/sources/" + encoded(full_source_name(of.source)) + "/sync";
    what.body = boost::json::serialize(body);
    what.content_type = "application/json";
    const object queued = with.parsed(with.raw(std::move(what)));
    if (of.background) {
        with.show(queued, [&] { std::cout << "sync " << text_of(queued, "id") << " is queued\n"; });
        return;
    }
    const object now = watch_sync(with, text_of(queued, "id"));
    // A dry run of a directory that can't be read has no changes to show.
    finish_sync(with, now, dry && text_of(now, "state") == "previewed");
}

void list_syncs(context& with, const sync_options& of) {
    target from("/v1/syncs");
    from.add_if("source", of.source.empty() ? "" : full_source_name(of.source)).add_if("state", of.state);
    const array rows = with.list(from, of.limit);
    with.show(rows, [&] {
        array flat;
        for (const boost::json::value& each : rows) {
            const object& sync = each.as_object();
            const std::string guard = text_of(sync, "guard");
            flat.push_back(object{{"id", sync.at("id")},
                                  {"source", text_of(sync, "source_name")},
                                  {"state", text_of(sync, "state")},
                                  {"what", text_of(sync, "dry") == "yes"     ? "dry run"
                                           : text_of(sync, "whole") == "yes" ? "whole"
                                                                             : "changes"},
                                  {"started", text_of(sync, "started")},
                                  {"added", sync_count(sync, "added")},
                                  {"removed", sync_count(sync, "removed")},
                                  {"changed", sync_count(sync, "changed")},
                                  {"note", guard.empty() ? text_of(sync, "reason") : guard}});
        }
        print_table(flat, {{"id", "ID"},
                           {"source", "SOURCE"},
                           {"state", "STATE"},
                           {"what", "READ"},
                           {"started", "STARTED"},
                           {"added", "ADDED"},
                           {"removed", "REMOVED"},
                           {"changed", "CHANGED"},
                           {"note", "NOTE"}});
    });
}

struct restore_options {
    std::string source;
    std::uint32_t organisation = 0;
    std::string at;
    bool yes = false;
};

void restore(context& with, const restore_options& of) {
    object found;
    if (of.yes) {
        object body{{"at", of.at}};
        if (!of.source.empty()) {
            body["source"] = of.source;
        }
        if (of.organisation != 0) {
            body["organisation"] = of.organisation;
        }
        found = with.change("POST", target("/v1/restore"), &body);
    } else {
        target from("/v1/restore");
        found = with.get(from.add_if("source", of.source)
                             .add_if("organisation", of.organisation == 0 ? "" : std::to_string(of.organisation))
                             .add("at", of.at));
    }
    with.show(found, [&] {
        const bool done = text_of(found, "applied") == "yes";
        std::cout << text_of(found, "returning") << " assertions " << (done ? "are back" : "would come back") << ", "
                  << text_of(found, "leaving") << (done ? " are gone" : " would go") << with.change_note() << '\n';
        print_table(array_of(found, "items"), {{"what", "WHAT"}, {"address", "ADDRESS"}, {"source", "SOURCE"}});
        for (const boost::json::value& each : array_of(found, "paused")) {
            std::cout << std::string_view(each.as_string()) << (done ? " is paused" : " would be paused")
                      << ", since its next sync would undo this; --enabled true lets it go on\n";
        }
        if (!done) {
            std::cout << "nothing is changed; --yes does it\n";
        }
    });
}

void add_decision(CLI::App& sync, context& with, const char* word, const char* help) {
    const auto id = std::make_shared<std::string>();
    CLI::App* const command = sync.add_subcommand(word, help);
    command->add_option("ID", *id, "the sync's id")->required();
    command->callback([&with, id, action = std::string(word)] {
        with.act("POST", sync_path(*id, ("/" + action).c_str()));
        const object now = watch_sync(with, *id);
        const std::string state = text_of(now, "state");
        with.show(now, [&] { print_sync(now); });
        const bool good = action == "approve" ? state == "succeeded" : state == "cancelled" || state == "discarded";
        if (!good) {
            throw stop{status::refused};
        }
    });
}

}  // namespace

void add_sync_commands(CLI::App& to, context& with) {
    CLI::App* const sync = to.add_subcommand("sync", "syncs of directory sources");
    sync->require_subcommand(1);
    const auto of = std::make_shared<sync_options>();

    for (const bool dry : {false, true}) {
        CLI::App* const now = dry ? sync->add_subcommand("dry-run", "show what a sync would change, and change nothing")
                                  : sync->add_subcommand("now", "sync, and wait until it is in force");
        now->add_option("SOURCE", of->source, "the source's name or id")->required();
        now->add_flag("--background", of->background, "don't wait for its end");
        now->callback([&with, of, dry] { begin(with, *of, dry); });
    }

    CLI::App* const list = sync->add_subcommand("list", "list syncs, newest first");
    list->add_option("--source", of->source, "only of this source");
    list->add_option("--state", of->state, "only in this state: held, failed, partial, succeeded, …");
    list->add_option("--limit", of->limit, "at most so many")->capture_default_str();
    list->callback([&with, of] { list_syncs(with, *of); });

    CLI::App* const show = sync->add_subcommand("show", "show a sync");
    show->add_option("ID", of->name, "its id")->required();
    show->callback([&with, of] {
        const object found = with.get(sync_path(of->name));
        with.show(found, [&] { print_sync(found); });
    });

    const auto shown = std::make_shared<std::size_t>(0);
    CLI::App* const diff = sync->add_subcommand("diff", "what a sync changes, item by item");
    diff->add_option("ID", of->name, "its id")->required();
    diff->add_option("--what", of->what, "only added, removed, changed, reassigned or moved");
    diff->add_option("--limit", *shown, "at most so many; 0: all")->capture_default_str();
    diff->callback([&with, of, shown] {
        const array rows = with.list(sync_path(of->name, "/changes").add_if("what", of->what), *shown);
        with.show(rows, [&] { print_changes(rows); });
    });

    CLI::App* const problems = sync->add_subcommand("problems", "what a sync could not use");
    problems->add_option("ID", of->name, "its id")->required();
    problems->add_option("--limit", *shown, "at most so many; 0: all")->capture_default_str();
    problems->callback([&with, of, shown] {
        const array rows = with.list(sync_path(of->name, "/problems"), *shown);
        with.show(rows, [&] {
            print_table(rows, {{"address", "ADDRESS"}, {"reason", "REASON"}, {"object", "OBJECT"}});
        });
    });

    add_decision(*sync, with, "approve", "apply what a held sync holds, and wait until it is in force");
    add_decision(*sync, with, "discard", "drop what a held sync holds");
    add_decision(*sync, with, "cancel", "end a sync that is queued or fetching");

    const auto back = std::make_shared<restore_options>();
    CLI::App* const bring = to.add_subcommand("restore", "bring back a list as it was: preview, then --yes");
    bring->add_option("--source", back->source, "of this source (ldap:…, csv:…, manual); or");
    bring->add_option("--organisation", back->organisation, "of all sources, in this organisation's domains (id)");
    bring->add_option("--at", back->at, "the moment to go back to (2026-01-31T12:00:00Z)")->required();
    bring->add_flag("--yes", back->yes, "do it");
    bring->callback([&with, back] { restore(with, *back); });
}

}  // namespace postern::cli
