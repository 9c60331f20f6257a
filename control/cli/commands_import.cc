// posternctl import, export.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <thread>

#include "control/cli/commands.h"

namespace postern::cli {
namespace {

using boost::json::object;

constexpr std::chrono::milliseconds look_again{150};
constexpr std::size_t shown_errors = 20;

struct import_options {
    std::string file;
    std::string domain;
    std::string source;
    std::string header;
    bool replace = false;
    bool strict = false;
    bool preview = false;
    bool yes = false;
    std::optional<std::uint64_t> confirm_removals;
};

/// One line on a terminal that is written over; nothing elsewhere.
class progress_bar {
public:
    explicit progress_bar(bool wanted) : _on(wanted && ::isatty(STDERR_FILENO) == 1) {}
    ~progress_bar() { clear(); }
    progress_bar(const progress_bar&) = delete;
    progress_bar& operator=(const progress_bar&) = delete;

    void show(const std::string& what, std::uint64_t done, std::uint64_t all, const std::string& note) {
        if (!_on) {
            return;
        }
        constexpr std::uint64_t cells = 32;
        const std::uint64_t full = all == 0 ? cells : std::min(cells, done * cells / all);
        const std::uint64_t percent = all == 0 ? 100 : std::min<std::uint64_t>(100, done * 100 / all);
        std::string line = what;
        line.resize(std::max<std::size_t>(line.size(), 10), ' ');
        line += " [" + std::string(full, '#') + std::string(cells - full, ' ') + "] " + std::to_string(percent) +
                " % " + note;
        std::cerr << '\r' << line << "\x1b[K" << std::flush;
        _dirty = true;
    }
    void clear() {
        if (_on && _dirty) {
            std::cerr << "\r\x1b[K" << std::flush;
            _dirty = false;
        }
    }

private:
    bool _on;
    bool _dirty = false;
};

std::uint64_t number_of(const object& from, std::string_view name) {
    const boost::json::value* const found = from.if_contains(name);
    boost::json::error_code error;
    return found != nullptr && found->is_number() ? found->to_number<std::uint64_t>(error) : 0;
}

/// Looks at the import until it has left the states that pass by themselves.
object watch(context& with, const std::string& path, progress_bar& bar) {
    while (true) {
        object now = with.get(target(path));
        const std::string state = text_of(now, "state");
        const bool passing = state == "waiting" || state == "reading" || state == "queued" || state == "applying";
        if (!passing) {
            bar.clear();
            return now;
        }
        const object& progress = object_of(now, "progress");
        const std::string stage = text_of(progress, "stage");
        bar.show(state == "waiting" || state == "queued" ? state : stage, number_of(progress, "octets"),
                 number_of(now, "size"), text_of(progress, "rows") + " rows");
        std::this_thread::sleep_for(look_again);
    }
}

void print_report(const object& of) {
    const object& report = object_of(of, "report");
    const object& guess = object_of(report, "guess");
    if (report.empty()) {
        return;
    }
    std::cout << "file: " << text_of(guess, "layout") << ", " << text_of(guess, "encoding")
              << (text_of(guess, "header") == "yes" ? ", with a header" : ", without a header")
              << "; columns: " << text_of(guess, "columns") << '\n';
    std::cout << "rows: " << text_of(report, "rows") << ", new: " << text_of(report, "new")
              << ", updated: " << text_of(report, "updated") << ", unchanged: " << text_of(report, "unchanged")
              << ", missing from the file: " << text_of(report, "missing")
              << ", withdrawn: " << text_of(report, "withdrawn") << ", invalid: " << text_of(report, "invalid")
              << ", duplicates: " << text_of(report, "duplicates") << '\n';
    const char* before = "missing, the first: ";
    for (const boost::json::value& each : array_of(object_of(report, "samples"), "missing")) {
        std::cout << before << text_of(each.as_object(), "address");
        before = ", ";
    }
    std::cout << (before[0] == ',' ? "\n" : "");
}

void print_errors(context& with, const std::string& path, const object& of) {
    const std::uint64_t total = number_of(object_of(of, "report"), "errors_total");
    if (total == 0) {
        return;
    }
    for (const boost::json::value& each : with.list(target(path + "/errors"), shown_errors)) {
        const object& row = each.as_object();
        const std::string name = text_of(row, "column_name");
        const std::string column = text_of(row, "column");
        std::cerr << "line " << text_of(row, "line") << (column.empty() ? "" : ", column " + column)
                  << (name.empty() ? "" : " (" + name + ")") << ": \"" << text_of(row, "value")
                  << "\": " << text_of(row, "reason") << '\n';
    }
    if (total > shown_errors) {
        std::cerr << "and " << total - shown_errors << " more; --json shows the import's id, GET " << path
                  << "/errors has them\n";
    }
}

bool person_agrees(const std::string& question) {
    if (::isatty(STDIN_FILENO) != 1) {
        context::fail(status::usage, "say --yes to apply, or --preview to look only (there is no terminal to ask on)");
    }
    std::cerr << question << " [y/N] " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

object upload(context& with, const import_options& of, progress_bar& bar) {
    target to("/v1/imports");
    to.add("file_name", of.file.substr(of.file.rfind('/') + 1).substr(0, 200));
    to.add_if("domain", of.domain).add_if("source", of.source).add_if("header", of.header);
    if (of.replace) {
        to.add("replace", "true");
    }
    if (of.strict) {
        to.add("strict", "true");
    }
    if (of.yes && !of.preview) {
        to.add("apply", "true");
    }
    if (of.confirm_removals) {
        to.add("confirm_removals", std::to_string(*of.confirm_removals));
    }
    call_options what;
    what.method = "POST";
    what.target = to.text();
    what.content_type = "text/csv";
    what.file = of.file;
    what.sent = [&bar](std::uint64_t sent, std::uint64_t all) { bar.show("sending", sent, all, ""); };
    const reply got = with.raw(std::move(what));
    return with.parsed(got);
}

void run_import(context& with, const import_options& of) {
    progress_bar bar(!with.json);
    const object taken = upload(with, of, bar);
    const std::string path = "/v1/imports/" + text_of(taken, "id");
    object now = watch(with, path, bar);
    if (text_of(now, "state") == "previewed" && !of.preview) {
        if (!with.json) {
            print_report(now);
            print_errors(with, path, now);
        }
        if (!person_agrees("Apply?")) {
            with.act("DELETE", target(path));
            with.say("nothing is changed");
            return;
        }
        with.act("POST", target(path + "/apply"));
        now = watch(with, path, bar);
    } else if (!with.json) {
        print_report(now);
        print_errors(with, path, now);
    }
    const std::string state = text_of(now, "state");
    if (state == "applied" || state == "held") {
        for (int looks = 0; looks < 400 && text_of(now, "in_force") != "yes"; ++looks) {
            std::this_thread::sleep_for(look_again);
            bar.show("publishing", 0, 1, "");
            now = with.get(target(path));
        }
        bar.clear();
    }
    if (of.preview && state == "previewed") {
        with.act("DELETE", target(path));
    }
    with.show(now, [&] {
        if (state == "applied") {
            std::cout << "applied (change " << text_of(now, "change")
                      << (text_of(now, "in_force") == "yes" ? ", in force"
                                                            : ", not in force everywhere yet: see posternctl status")
                      << ")\n";
        } else if (state == "held") {
            std::cout << "what is new is applied (change " << text_of(now, "change") << "); "
                      << text_of(object_of(now, "report"), "held")
                      << " removals wait: " << text_of(object_of(now, "report"), "guard")
                      << "\nposternctl imports approve " << text_of(now, "id") << " or discard " << text_of(now, "id")
                      << '\n';
        } else if (state == "previewed") {
            if (!text_of(object_of(now, "report"), "guard").empty()) {
                std::cout << "removals would wait for approval: " << text_of(object_of(now, "report"), "guard") << '\n';
            }
            std::cout << "nothing is changed: this was the preview\n";
        } else if (state == "refused") {
            std::cout << "nothing is changed: "
                      << (text_of(now, "error").empty() ? "--strict, and there are bad rows" : text_of(now, "error"))
                      << '\n';
        } else {
            std::cout << "nothing is changed: " << state << (text_of(now, "error").empty() ? "" : ": ")
                      << text_of(now, "error") << '\n';
        }
    });
    if (state != "applied" && state != "previewed") {
        throw stop{status::refused};
    }
    if (number_of(object_of(now, "report"), "invalid") != 0) {
        throw stop{status::bad_rows};
    }
}

}  // namespace

void add_import_command(CLI::App& to, context& with) {
    const auto of = std::make_shared<import_options>();
    CLI::App* const import = to.add_subcommand("import", "import a CSV file: preview, then apply");
    import->add_option("FILE", of->file, "the file")->required();
    import->add_option("--domain", of->domain, "for local parts without a domain; the file may name no other");
    import->add_option("--source", of->source, "name of the source, beginning with csv:");
    import->add_option("--header", of->header, "true or false: whether the first row is one (else found out)")
        ->check(CLI::IsMember({"true", "false"}));
    import->add_flag("--replace", of->replace, "withdraw what this source asserted before and the file lacks");
    import->add_option("--confirm-removals", of->confirm_removals,
                       "with --replace: exactly so many addresses are to go, however many that is");
    import->add_flag("--strict", of->strict, "apply nothing if a row is bad");
    import->add_flag("--preview", of->preview, "only show what would be done");
    import->add_flag("--yes", of->yes, "apply without asking");
    import->callback([&with, of] { run_import(with, *of); });
}

namespace {

void decide(context& with, const std::string& id, bool approve) {
    const std::string path = "/v1/imports/" + encoded(id);
    if (!approve) {
        with.act("DELETE", target(path));
        with.say("the removals of import " + id + " are discarded");
        return;
    }
    with.act("POST", target(path + "/approve"));
    progress_bar bar(!with.json);
    const object now = watch(with, path, bar);
    const std::string state = text_of(now, "state");
    with.show(now, [&] {
        std::cout << (state == "applied"
                          ? "applied: " + text_of(object_of(now, "report"), "withdrawn") + " addresses are gone"
                          : state + ": " + text_of(object_of(now, "report"), "guard"))
                  << '\n';
    });
    if (state != "applied") {
        throw stop{status::refused};
    }
}

void add_decisions(CLI::App& to, context& with) {
    CLI::App* const imports = to.add_subcommand("imports", "imports since the start, and those that wait or are held");
    imports->require_subcommand(1);
    const auto id = std::make_shared<std::string>();
    CLI::App* const list = imports->add_subcommand("list", "list imports, newest first");
    list->callback([&with] {
        const boost::json::array rows = with.get(target("/v1/imports")).at("items").as_array();
        with.show(rows, [&] {
            print_table(rows, {{"id", "ID"},
                               {"state", "STATE"},
                               {"file_name", "FILE"},
                               {"created", "CREATED"},
                               {"by", "BY"},
                               {"error", "NOTE"}});
        });
    });
    CLI::App* const show = imports->add_subcommand("show", "what an import found");
    show->add_option("ID", *id, "its id")->required();
    show->callback([&with, id] {
        const object now = with.get(target("/v1/imports/" + encoded(*id)));
        with.show(now, [&] {
            print_members(now);
            print_report(now);
            const std::string guard = text_of(object_of(now, "report"), "guard");
            if (!guard.empty()) {
                std::cout << "guard: " << guard << '\n';
            }
        });
    });
    CLI::App* const approve = imports->add_subcommand("approve", "let the removals of a held import be done");
    approve->add_option("ID", *id, "its id")->required();
    approve->callback([&with, id] { decide(with, *id, true); });
    CLI::App* const discard = imports->add_subcommand("discard", "give the removals of a held import up");
    discard->add_option("ID", *id, "its id")->required();
    discard->callback([&with, id] { decide(with, *id, false); });
}

}  // namespace

void add_import_commands(CLI::App& to, context& with) {
    add_import_command(to, with);
    add_decisions(to, with);
    const auto domain = std::make_shared<std::string>();
    const auto file = std::make_shared<std::string>();
    CLI::App* const out = to.add_subcommand("export", "write the list as CSV in Postern's own layout");
    out->add_option("--domain", *domain, "only of this domain");
    out->add_option("--output", *file, "a file instead of the standard output");
    out->callback([&with, domain, file] {
        std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(nullptr, &std::fclose);
        std::FILE* into = stdout;
        if (!file->empty()) {
            opened.reset(std::fopen(file->c_str(), "wbe"));
            into = opened.get();
            if (into == nullptr) {
                context::fail(status::usage, "cannot write " + *file + "; name a file that you can write");
            }
        }
        call_options what;
        target from("/v1/exports");
        what.target = from.add_if("domain", *domain).text();
        what.sink = [into](std::string_view part) {
            return std::fwrite(part.data(), 1, part.size(), into) == part.size();
        };
        with.raw(std::move(what));
        if (std::fflush(into) != 0) {
            context::fail(status::refused, "the export could not be written whole");
        }
    });
}

}  // namespace postern::cli
