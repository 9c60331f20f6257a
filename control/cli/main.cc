// posternctl: Postern's API on the command line. docs/man/posternctl.1
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>

#include "board/process/version.h"
#include "control/cli/commands.h"

int main(int argc, char** argv) {
    using namespace postern;

    CLI::App program("Works on Postern's lists, domains and mail servers, over its API.", "posternctl");
    cli::context with;
    with.token_file = "/var/lib/postern/control/admin.token";
    program.add_option("--url", with.client.url, "where the API is")->envname("POSTERN_URL")->capture_default_str();
    program.add_option("--token-file", with.token_file, "file with the token")
        ->envname("POSTERN_TOKEN_FILE")
        ->capture_default_str();
    program.add_option("--ca", with.client.ca, "PEM file of authorities to trust instead of the system's")
        ->envname("POSTERN_CA");
    program.add_option("--timeout", with.client.timeout_seconds, "seconds without an octet before it gives up")
        ->capture_default_str()
        ->check(CLI::Range(1U, 86400U));
    program.add_option("--reason", with.reason, "why, for the history");
    program.add_flag("--json", with.json, "output as JSON");
    program.add_flag("--wait", with.wait, "until every edge has the change in force");
    program.set_version_flag("--version", std::string(process::version));
    program.require_subcommand(1);
    program.fallthrough();
    cli::add_organisation_commands(program, with);
    cli::add_domain_commands(program, with);
    cli::add_inbound_commands(program, with);
    cli::add_list_commands(program, with);
    cli::add_import_commands(program, with);
    cli::add_source_commands(program, with);
    cli::add_sync_commands(program, with);
    cli::add_push_commands(program, with);
    cli::add_discovery_commands(program, with);
    cli::add_billing_commands(program, with);
    cli::add_system_commands(program, with);

    try {
        program.parse(argc, argv);
        return static_cast<int>(cli::status::done);
    } catch (const CLI::ParseError& wrong) {
        const int code = program.exit(wrong);
        return code == 0 ? 0 : static_cast<int>(cli::status::usage);
    } catch (const cli::stop& stopped) {
        return static_cast<int>(stopped.with);
    } catch (const std::exception& problem) {
        std::cerr << "posternctl: the answer is not what it should be: " << problem.what() << '\n';
        return static_cast<int>(cli::status::unreachable);
    }
}
