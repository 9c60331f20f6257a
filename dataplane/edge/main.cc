// postern-edge: answers SMTP, decides on recipients from a table, passes accepted mail on. docs/man/postern-edge.8
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "board/process/log.h"
#include "board/process/version.h"
#include "dataplane/edge/configuration.h"
#include "dataplane/edge/edge.h"
#include "dataplane/edge/environment.h"

namespace {

using namespace postern;

constexpr int refused = 1;

int complain(const std::vector<std::string>& problems) {
    for (const std::string& problem : problems) {
        std::cerr << "postern-edge: " << problem << '\n';
    }
    return refused;
}

int check(const edge::configuration& settings) {
    const std::vector<std::string> problems = edge::check_environment(settings);
    if (!problems.empty()) {
        return complain(problems);
    }
    std::cout << "configuration is good\n";
    return 0;
}

int run(edge::configuration settings) {
    process::start_log("postern-edge", settings.log_level);
    // A peer that is gone is an error value of the write, never a signal.
    std::signal(SIGPIPE, SIG_IGN);  // NOLINT(concurrency-mt-unsafe): one thread yet
    auto opened = edge::open_resources(settings);
    if (!opened) {
        process::log(process::level::error, "cannot_start", {{"reason", opened.error()}});
        return refused;
    }
    edge::running_edge running(std::move(settings), std::move(*opened));
    running.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App program("Answers SMTP for your mail servers and turns unknown recipients away.", "postern-edge");
    std::string file = "/etc/postern/edge.toml";
    bool check_only = false;
    program.add_option("--config", file, "configuration file (edge.toml(5))")->capture_default_str();
    program.add_flag("--check", check_only, "check the configuration, start nothing");
    program.set_version_flag("--version", std::string(process::version));
    CLI11_PARSE(program, argc, argv)

    try {
        auto settings = edge::read_configuration(file);
        if (!settings) {
            return complain(settings.error());
        }
        return check_only ? check(*settings) : run(std::move(*settings));
    } catch (const std::exception& problem) {
        process::log(process::level::error, "failed", {{"reason", problem.what()}});
        return refused;
    }
}
