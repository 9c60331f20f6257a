// The command line of postern-table.
#include <CLI/CLI.hpp>

#include "board/process/version.h"
#include "smtp/recipients/tool/tool.h"

namespace postern::recipients::tool {

int run(const std::vector<std::string>& arguments, const streams& with) {
    CLI::App program("Builds recipient tables and shows what is in them.", "postern-table");
    program.require_subcommand(1);
    program.set_version_flag("--version", std::string(process::version));

    build_arguments build_with;
    CLI::App* const build_command = program.add_subcommand("build", "build a table file from a list of addresses");
    build_command->add_option("list", build_with.list, "text file, one address a line (- : standard input)")
        ->capture_default_str();
    build_command->add_option("-o,--output", build_with.output, "file to write, replaced whole")->required();
    build_command->add_option("-g,--generation", build_with.generation, "number in the header")->capture_default_str();
    build_command->add_option("-d,--domain", build_with.domains,
                              "served domain, NAME[=SETTING[,SETTING...]]; none given: every domain of the list");
    build_command->add_option("-m,--mode", build_with.mode, "mode of domains that name none")->capture_default_str();
    build_command->add_option("--threads", build_with.threads, "threads that place addresses")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    build_command->add_flag("--progress", build_with.progress, "tell on standard error how far it is");
    build_command->add_flag("--skip-bad", build_with.skip_bad, "leave bad lines out instead of refusing the list");
    build_command->add_flag("--json", build_with.json, "report as JSON");

    overlay_arguments overlay_with;
    CLI::App* const overlay_command = program.add_subcommand("overlay", "build an overlay of changes to a base");
    overlay_command->add_option("base", overlay_with.base, "the base's file")->required();
    overlay_command->add_option("-o,--output", overlay_with.output, "file to write, replaced whole")->required();
    overlay_command->add_option("-g,--generation", overlay_with.generation, "number in the header")
        ->capture_default_str();
    overlay_command->add_option("--add", overlay_with.add, "list of addresses to add or to give another kind");
    overlay_command->add_option("--remove", overlay_with.remove, "list of addresses of the base to remove");
    overlay_command->add_flag("--skip-bad", overlay_with.skip_bad, "leave bad lines out instead of refusing the list");
    overlay_command->add_flag("--json", overlay_with.json, "report as JSON");

    view_arguments view_with;
    const auto viewer = [&](const char* name, const char* what) {
        CLI::App* const command = program.add_subcommand(name, what);
        command->add_option("file", view_with.file, "table file")->required();
        command->add_option("--overlay", view_with.overlay, "overlay over it");
        command->add_flag("--json", view_with.json, "report as JSON");
        return command;
    };
    CLI::App* const inspect_command = viewer("inspect", "show what a table file says of itself, and its domains");
    CLI::App* const lookup_command = viewer("lookup", "look addresses up as the edge does");
    lookup_command->add_option("address", view_with.addresses, "addresses (none: standard input, one a line)");
    CLI::App* const verify_command = viewer("verify", "check a file whole, and a list against it");
    verify_command->add_option("--list", view_with.list, "every address of this list has to be found, and no other");

    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        program.parse(reversed);
    } catch (const CLI::ParseError& problem) {
        if (problem.get_exit_code() != 0) {
            with.err << "postern-table: ";
        }
        return program.exit(problem, with.out, with.err) == 0 ? good : misused;
    }
    if (build_command->parsed()) {
        return build(build_with, with);
    }
    if (overlay_command->parsed()) {
        return overlay(overlay_with, with);
    }
    if (inspect_command->parsed()) {
        return inspect(view_with, with);
    }
    return lookup_command->parsed() ? lookup(view_with, with)
                                    : (verify_command->parsed() ? verify(view_with, with) : misused);
}

}  // namespace postern::recipients::tool
