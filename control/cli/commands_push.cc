// posternctl push: lists that are sent to a push source, whole or as changes.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"
#include "control/cli/source_options.h"
#include "control/cli/sync_output.h"

namespace postern::cli {
namespace {

using boost::json::object;

struct push_options {
    std::string source;
    std::string file;
    std::string sequence;
    std::string base;
    std::string key;
    bool test_run = false;
    bool background = false;
};

std::string path_of(const std::string& name, const std::string& rest) {
    return "/v1/sources/" + encoded(full_source_name(name, "push")) + "/push" + rest;
}

void push(context& with, const push_options& of, bool whole) {
    target to(path_of(of.source, whole ? "/whole" : "/changes"));
    to.add_if("sequence", of.sequence).add_if("base", of.base).add_if("dry", of.test_run ? "true" : "");
    call_options what;
    what.method = "POST";
    what.target = to.text();
    what.content_type = "application/x-ndjson";
    what.file = of.file;
    if (!of.key.empty()) {
        what.fields.emplace_back("Idempotency-Key", of.key);
    }
    const object taken = with.parsed(with.raw(std::move(what)));
    const std::string id = text_of(object_of(taken, "sync"), "id");
    if (of.background) {
        with.show(taken, [&] {
            std::cout << "sync " << id << (of.test_run ? "" : " of list " + text_of(taken, "sequence"))
                      << " is queued\n";
        });
        return;
    }
    with.say((of.test_run ? "a test run"
                          : "list " + text_of(taken, "sequence") +
                                (text_of(taken, "again") == "yes" ? " was taken before" : " is taken")) +
             ": sync " + id);
    const object now = watch_sync(with, id);
    finish_sync(with, now, of.test_run && text_of(now, "state") == "previewed");
}

void show(context& with, const std::string& source) {
    const object found = with.get(target(path_of(source, "")));
    with.show(found, [&] {
        const std::string sequence = text_of(found, "sequence");
        std::cout << (sequence.empty()
                          ? "no list was taken yet"
                          : "the last list that was taken is number " + sequence + ", sync " + text_of(found, "sync"))
                  << '\n'
                  << (text_of(found, "changes_upon").empty()
                          ? "the next list is to be whole: " + text_of(found, "whole_because")
                          : "changes upon it can be pushed: --base " + text_of(found, "changes_upon"))
                  << '\n';
    });
}

}  // namespace

void add_push_commands(CLI::App& to, context& with) {
    CLI::App* const push_command = to.add_subcommand("push", "lists that are sent to a push source");
    push_command->require_subcommand(1);
    const auto of = std::make_shared<push_options>();
    const char* const name_help = "the source's name (agent stands for push:agent) or id";

    for (const bool whole : {true, false}) {
        CLI::App* const send =
            whole ? push_command->add_subcommand("whole", "push a whole list, and wait until it is in force")
                  : push_command->add_subcommand("changes", "push what changed, and wait until it is in force");
        send->add_option("SOURCE", of->source, name_help)->required();
        send->add_option("FILE", of->file, "the list's lines, JSON (docs/push.md)")->required();
        send->add_option("--sequence", of->sequence, "the list's number; one more than the last unless given");
        CLI::Option* const base =
            send->add_option("--base", of->base,
                             whole ? "refuse it unless this is the number of the last list that was taken"
                                   : "number of the list that the changes build upon");
        if (!whole) {
            base->required();
        }
        send->add_flag("--test-run", of->test_run, "show what it would change, and change nothing");
        send->add_option("--key", of->key, "idempotency key: repeated within 24 hours, nothing is done again");
        send->add_flag("--background", of->background, "don't wait for its end");
        send->callback([&with, of, whole] { push(with, *of, whole); });
    }

    CLI::App* const shown =
        push_command->add_subcommand("show", "show the last list's number, and what can be pushed next");
    shown->add_option("SOURCE", of->source, name_help)->required();
    shown->callback([&with, of] { show(with, of->source); });
}

}  // namespace postern::cli
