// The command line of postern-board.
#include <CLI/CLI.hpp>

#include "board/process/version.h"
#include "board/tool/tool.h"

namespace postern::board_tool {

int run(const std::vector<std::string>& arguments, const std::string& profiles, const streams& with) {
    CLI::App program("Says what this machine is, and what it lacks for a network port of Postern's own.",
                     "postern-board");
    program.require_subcommand(1);
    program.set_version_flag("--version", std::string(process::version));
    common_arguments common;
    common.profiles = profiles;
    const auto usual = [&](CLI::App* command, bool json) {
        command->add_option("--root", common.root, "look at a machine's files below this folder")
            ->capture_default_str();
        command->add_option("--profiles", common.profiles, "folder of profiles");
        if (json) {
            command->add_flag("--json", common.json, "report as JSON");
        }
        return command;
    };

    const auto* const probe_command = usual(program.add_subcommand("probe", "what the machine is"), true);

    doctor_arguments doctor_with;
    CLI::App* const doctor_command = usual(
        program.add_subcommand("doctor", "what is wrong for the DPDK transport, and the command that mends it"), true);
    doctor_command->add_option("--config", doctor_with.config,
                               "edge.toml to judge by (/etc/postern/edge.toml if it is there)");
    doctor_command->add_option("--profile", doctor_with.profile, "judge by a profile instead");
    doctor_command->add_option("--device", doctor_with.device, "the profile's port (the first that fits)");

    CLI::App* const profile_command = program.add_subcommand("profile", "profiles: list, show, apply");
    profile_command->require_subcommand(1);
    const auto* const list_command =
        usual(profile_command->add_subcommand("list", "which there are, and which fit"), true);
    std::string name;
    CLI::App* const show_command =
        usual(profile_command->add_subcommand("show", "a profile, and what it makes of this machine"), false);
    show_command->add_option("name", name, "the profile")->required();
    apply_arguments apply_with;
    CLI::App* const apply_command =
        usual(profile_command->add_subcommand("apply", "the part of edge.toml that it makes for this machine"), false);
    apply_command->add_option("name", apply_with.name, "the profile")->required();
    apply_command->add_option("--config", apply_with.config, "edge.toml to write it into (none: it is shown)");
    apply_command->add_option("--device", apply_with.device, "the port (the first that fits)");
    apply_command->add_option("--address", apply_with.addresses, "Postern's address with its network, 192.0.2.1/24");
    apply_command->add_option("--gateway", apply_with.gateways, "the network's gateway");

    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        program.parse(reversed);
    } catch (const CLI::ParseError& problem) {
        if (problem.get_exit_code() != 0) {
            with.err << "postern-board: ";
        }
        return program.exit(problem, with.out, with.err) == 0 ? good : misused;
    }
    if (probe_command->parsed()) {
        return probe(common, with);
    }
    if (doctor_command->parsed()) {
        return examine(common, doctor_with, with);
    }
    if (list_command->parsed()) {
        return list_profiles(common, with);
    }
    return show_command->parsed() ? show_profile(common, name, with) : apply_profile(common, apply_with, with);
}

}  // namespace postern::board_tool
