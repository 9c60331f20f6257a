// posternctl domain ready, domain what-if, domain recent: what the edges saw lately, against the list.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"

namespace postern::cli {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::size_t shown_unless_asked = 20;

struct recent_options {
    std::string domain;
    std::string file;
    std::string days;
    std::size_t limit = shown_unless_asked;
    bool probe = false;
    bool add = false;
};

target path_of(const recent_options& of, const char* what) {
    return target("/v1/domains/" + encoded(of.domain) + "/" + what);
}

void print_addresses(const array& rows) {
    print_table(rows, {{"address", "ADDRESS"},
                       {"times", "TIMES"},
                       {"last", "LAST SEEN"},
                       {"last_outcome", "THEN"},
                       {"last_source", "FROM"}});
}

void print_refused(const object& of) {
    std::cout << text_of(of, "recipients") << " recipients since " << text_of(of, "since") << ": "
              << text_of(of, "taken") << " on the list, " << text_of(of, "refused") << " would be refused, "
              << text_of(of, "missed") << " of them accepted by the mail server\n";
    const array& rows = array_of(of, "addresses");
    if (!rows.empty()) {
        print_addresses(rows);
    }
}

void show_readiness(context& with, const recent_options& of) {
    target from = path_of(of, "readiness");
    from.add_if("days", of.days).add_if("probe", of.probe ? "true" : "").add("limit", std::to_string(of.limit));
    const object found = with.get(from);
    with.show(found, [&] {
        std::cout << text_of(found, "domain") << " is " << (text_of(found, "ready") == "yes" ? "ready" : "not ready")
                  << " for enforce (now in " << text_of(found, "mode") << ")\n";
        for (const boost::json::value& each : array_of(found, "reasons")) {
            std::cout << "against it: " << text_of(each.as_object(), "text") << '\n';
        }
        for (const boost::json::value& each : array_of(found, "warnings")) {
            std::cout << "look at: " << text_of(each.as_object(), "text") << '\n';
        }
        const object& list = object_of(found, "list");
        std::cout << "list: " << text_of(list, "addresses") << " addresses, last changed "
                  << text_of(found, "list_changed") << '\n';
        for (const boost::json::value& each : array_of(found, "sources")) {
            std::cout << "source: " << text_of(each.as_object(), "name") << " asserts "
                      << text_of(each.as_object(), "addresses") << '\n';
        }
        object recent = object_of(found, "recent");
        recent["since"] = found.at("since");
        print_refused(recent);
    });
}

void show_what_if(context& with, const recent_options& of) {
    target to = path_of(of, "what-if");
    to.add_if("days", of.days).add("limit", std::to_string(of.limit));
    object found;
    if (of.file.empty()) {
        found = with.get(to);
    } else {
        call_options what;
        what.method = "POST";
        what.target = to.add_if("with_present", of.add ? "true" : "").text();
        what.file = of.file;
        what.content_type = "text/csv";
        found = with.parsed(with.raw(std::move(what)));
    }
    with.show(found, [&] {
        const object& candidate = object_of(found, "candidate");
        if (!candidate.empty()) {
            std::cout << "candidate: " << text_of(candidate, "rows") << " rows, " << text_of(candidate, "addresses")
                      << " addresses, " << text_of(candidate, "elsewhere") << " of other domains or none, "
                      << text_of(candidate, "unreadable") << " unreadable\n";
        }
        print_refused(found);
    });
}

}  // namespace

void add_recent_commands(CLI::App& domain, context& with) {
    const auto of = std::make_shared<recent_options>();
    const auto common = [&](CLI::App* command) {
        command->add_option("DOMAIN", of->domain, "the domain")->required();
        command->add_option("--days", of->days, "how far to look back, 1 to 30 (14)");
        command->add_option("--limit", of->limit, "most addresses to show")->capture_default_str();
    };
    CLI::App* const ready = domain.add_subcommand("ready", "is it ready for enforce, and what speaks against it");
    common(ready);
    ready->add_flag("--probe", of->probe, "ask the inbound server now instead of using its last probe");
    ready->callback([&with, of] { show_readiness(with, *of); });

    CLI::App* const what_if = domain.add_subcommand("what-if", "which recent recipients a list would refuse");
    common(what_if);
    what_if->add_option("FILE", of->file, "CSV file with the candidate list; without one, the present list");
    what_if->add_flag("--add", of->add, "the file comes on top of the present list");
    what_if->callback([&with, of] { show_what_if(with, *of); });

    CLI::App* const recent = domain.add_subcommand("recent", "recipients that the edges saw lately");
    common(recent);
    recent->callback([&with, of] {
        const array rows = with.list(path_of(*of, "recent-recipients").add_if("days", of->days), of->limit);
        with.show(rows, [&] { print_addresses(rows); });
    });
}

}  // namespace postern::cli
