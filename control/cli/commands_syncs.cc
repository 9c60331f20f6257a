// posternctl sync and restore: syncs of directory sources, and lists brought back as they were.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include "control/cli/commands.h"
#include "control/cli/source_options.h"

namespace postern::cli {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::chrono::milliseconds look_again{100};
constexpr std::size_t shown_items = 50;
constexpr int most_looks_at_held = 300;  // 30 s: after that a sync is not in force everywhere

struct sync_options {
    std::string name;
    std::string source;
    std::string state;
    std::string what;
    std::size_t limit = 20;
    bool background = false;
};

target path_of(const std::string& id, const char* rest = "") {
    return target("/v1/syncs/" + encoded(id) + rest);
}

std::string count(const object& sync, std::string_view name) {
    return text_of(object_of(sync, "counts"), name);
}

void print_sync(const object& sync) {
    const std::string state = text_of(sync, "state");
    std::cout << "sync " << text_of(sync, "id") << " of " << text_of(sync, "source_name") << ": " << state
              << (text_of(sync, "dry") == "yes" ? ", a dry run" : "")
              << (text_of(sync, "whole") == "yes" ? "" : ", changes only") << '\n';
    if (!text_of(sync, "fetched").empty()) {
        std::cout << "read " << count(sync, "read") << " objects, before " << count(sync, "before")
                  << " addresses: added " << count(sync, "added") << ", removed " << count(sync, "removed")
                  << ", changed " << count(sync, "changed") << ", moved " << count(sync, "moved") << '\n';
        for (const auto& [name, words] : {std::pair("left_out", " objects left out"),
                                          std::pair("foreign", " addresses of domains that are not served here"),
                                          std::pair("unusable",
                                                    " addresses that can't be used: posternctl sync "
                                                    "problems")}) {
            if (count(sync, name) != "0") {
                std::cout << count(sync, name) << words << '\n';
            }
        }
    }
    for (const char* const name : {"reason", "guard"}) {
        const std::string step = std::string_view(name) == "reason" ? text_of(sync, "step") : std::string();
        const std::string text = text_of(sync, name);
        if (!text.empty()) {
            std::cout << (step.empty() || text.starts_with(step + ": ") ? "" : step + ": ") << text << '\n';
        }
    }
    if (state == "held") {
        std::cout << "it waits for: posternctl sync approve " << text_of(sync, "id") << ", or discard\n";
    }
    if (!text_of(sync, "change").empty()) {
        std::cout << "change " << text_of(sync, "change")
                  << (text_of(sync, "in_force").empty() ? "" : ", in force since " + text_of(sync, "in_force")) << '\n';
    }
}

void print_changes(const array& rows) {
    print_table(
        rows,
        {{"what", "WHAT"}, {"address", "ADDRESS"}, {"before", "BEFORE"}, {"after", "AFTER"}, {"object", "OBJECT"}});
}

/// Looks at the sync until it is over, or held and what it did is in force.
object watch(context& with, const std::string& id) {
    constexpr std::array<std::string_view, 4> passing{"queued", "fetching", "comparing", "publishing"};
    int looks = 0;
    while (true) {
        object now = with.get(path_of(id));
        const std::string state = text_of(now, "state");
        const bool on_its_way = state == "held" && !text_of(now, "change").empty() &&
                                text_of(now, "in_force").empty() && ++looks < most_looks_at_held;
        if (!on_its_way && std::find(passing.begin(), passing.end(), state) == passing.end()) {
            return now;
        }
        std::this_thread::sleep_for(look_again);
    }
}

/// Shows it; the command fails unless the list is (or would be) what the directory says.
void finish(context& with, const object& sync, bool with_changes) {
    with.show(sync, [&] {
        print_sync(sync);
        if (with_changes && !text_of(sync, "fetched").empty()) {
            const array rows = with.list(path_of(text_of(sync, "id"), "/changes"), shown_items + 1);
            if (!rows.empty()) {
                print_changes(rows);
            }
            if (rows.size() > shown_items) {
                std::cout << "and more: posternctl sync diff " << text_of(sync, "id") << '\n';
            }
        }
    });
    const std::string state = text_of(sync, "state");
    if (state != "succeeded" && state != "previewed") {
        throw stop{status::refused};
    }
}

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
    const object now = watch(with, text_of(queued, "id"));
    // A dry run of a directory that can't be read has no changes to show.
    finish(with, now, dry && text_of(now, "state") == "previewed");
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
                                  {"added", count(sync, "added")},
                                  {"removed", count(sync, "removed")},
                                  {"changed", count(sync, "changed")},
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
        with.act("POST", path_of(*id, ("/" + action).c_str()));
        const object now = watch(with, *id);
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
        const object found = with.get(path_of(of->name));
        with.show(found, [&] { print_sync(found); });
    });

    const auto shown = std::make_shared<std::size_t>(0);
    CLI::App* const diff = sync->add_subcommand("diff", "what a sync changes, item by item");
    diff->add_option("ID", of->name, "its id")->required();
    diff->add_option("--what", of->what, "only added, removed, changed, reassigned or moved");
    diff->add_option("--limit", *shown, "at most so many; 0: all")->capture_default_str();
    diff->callback([&with, of, shown] {
        const array rows = with.list(path_of(of->name, "/changes").add_if("what", of->what), *shown);
        with.show(rows, [&] { print_changes(rows); });
    });

    CLI::App* const problems = sync->add_subcommand("problems", "what a sync could not use");
    problems->add_option("ID", of->name, "its id")->required();
    problems->add_option("--limit", *shown, "at most so many; 0: all")->capture_default_str();
    problems->callback([&with, of, shown] {
        const array rows = with.list(path_of(of->name, "/problems"), *shown);
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
