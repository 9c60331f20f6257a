// postern-agent: reads an LDAP directory inside the network and pushes what it says to a Postern outside.
// docs/man/postern-agent.8
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <exception>
#include <iostream>
#include <random>
#include <thread>

#include "board/process/files.h"
#include "board/process/log.h"
#include "board/process/notify.h"
#include "board/process/version.h"
#include "control/agent/configuration.h"
#include "control/agent/round.h"

namespace {

using namespace postern;
using std::chrono::milliseconds;

constexpr milliseconds slice{100};
constexpr std::chrono::minutes first_retry{1};
constexpr std::chrono::hours longest_told{1};

std::atomic<bool> stopping{false};
static_assert(std::atomic<bool>::is_always_lock_free);

int complain(const std::vector<std::string>& problems) {
    for (const std::string& problem : problems) {
        std::cerr << "postern-agent: " << problem << '\n';
    }
    return static_cast<int>(agent::outcome::usage);
}

/// The state folder, made if it is not there, and this agent's alone.
process::result<process::descriptor> take_folder(const std::string& folder) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return tl::unexpected(process::errno_text("make the state folder", folder, errno));
    }
    process::descriptor lock(::open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock) {
        return tl::unexpected(process::errno_text("write in the state folder", folder, errno));
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return tl::unexpected("another postern-agent works with the state folder " + folder +
                              "; give each its own (state)");
    }
    return lock;
}

void report(const agent::round_report& of, bool test_run) {
    const bool good = of.end == agent::outcome::done;
    process::log(good ? process::level::info : process::level::warn,
                 good ? (test_run ? "test_run" : "pushed") : "not_pushed",
                 {{"state", of.state},
                  {"sync", of.sync},
                  {"sequence", test_run ? 0 : of.sequence},
                  {"whole", of.whole},
                  {"read", of.read},
                  {"added", of.added},
                  {"removed", of.removed},
                  {"changed", of.changed},
                  {"reason", of.text}});
    if (!test_run || !good) {
        return;
    }
    std::cout << "would add " << of.added << ", remove " << of.removed << " and change " << of.changed
              << " addresses; nothing is changed\n";
    for (const boost::json::value& each : of.changes) {
        if (each.is_object()) {
            const boost::json::object& item = each.get_object();
            for (const char* const name : {"what", "address", "before", "after"}) {
                const boost::json::value* const text = item.if_contains(name);
                std::cout << (text != nullptr && text->is_string() ? std::string_view(text->get_string())
                                                                   : std::string_view("-"))
                          << (std::string_view(name) == "after" ? "\n" : "  ");
            }
        }
    }
}

void rest(milliseconds time) {
    for (milliseconds left = time; left.count() > 0 && !stopping.load(); left -= slice) {
        std::this_thread::sleep_for(std::min(left, slice));
    }
}

/// Round after round, each up to a tenth of the interval later, sooner after one that failed.
int run_for_good(const agent::configuration& settings) {
    std::mt19937_64 random{std::random_device{}()};
    unsigned failures = 0;
    process::notify_service_manager("READY=1");
    while (!stopping.load()) {
        const agent::round_report done = agent::run_round(settings, false, stopping);
        if (done.end == agent::outcome::stopped) {
            break;
        }
        report(done, false);
        // What Postern holds or refuses is no better in a minute.
        const bool sooner = done.end == agent::outcome::unreachable || done.end == agent::outcome::directory;
        failures = sooner ? std::min(failures + 1, 16U) : 0;
        milliseconds pause = settings.every;
        if (failures != 0) {
            pause = std::min<milliseconds>(settings.every, first_retry * (1U << (failures - 1)));
        }
        // A Retry-After that something between gives as a date is as long as this machine's clock is wrong.
        pause = std::max<milliseconds>(pause, std::min<milliseconds>(done.retry_after, longest_told));
        const double later = std::uniform_real_distribution<double>(0, 0.1)(random);
        rest(pause + milliseconds(static_cast<std::int64_t>(static_cast<double>(pause.count()) * later)));
    }
    process::notify_service_manager("STOPPING=1");
    process::log(process::level::info, "stopped");
    return 0;
}

int run(const std::string& file, bool check, bool once, bool test_run) {
    const auto settings = agent::read_configuration(file);
    if (!settings) {
        return complain(settings.error());
    }
    if (check) {
        std::cout << file << " is good\n";
        return 0;
    }
    process::start_log("postern-agent", settings->log_level);
    const auto folder = take_folder(settings->state);
    if (!folder) {
        return complain({folder.error()});
    }
    const auto end = [](int) { stopping.store(true); };
    std::signal(SIGTERM, end);      // NOLINT(concurrency-mt-unsafe): one thread yet
    std::signal(SIGINT, end);       // NOLINT(concurrency-mt-unsafe)
    std::signal(SIGPIPE, SIG_IGN);  // NOLINT(concurrency-mt-unsafe)
    if (once || test_run) {
        const agent::round_report done = agent::run_round(*settings, test_run, stopping);
        report(done, test_run);
        return static_cast<int>(done.end);
    }
    return run_for_good(*settings);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App program("Reads an LDAP directory and pushes its list of recipients to Postern.", "postern-agent");
    std::string file = "/etc/postern/agent.toml";
    bool check = false;
    bool once = false;
    bool test_run = false;
    program.add_option("--config", file, "the settings")->capture_default_str();
    program.add_flag("--check", check, "check the settings, and end");
    program.add_flag("--once", once, "one round, and end with its outcome");
    program.add_flag("--test-run", test_run, "show what a push would change, and change nothing");
    program.set_version_flag("--version", std::string(process::version));
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& wrong) {
        return program.exit(wrong) == 0 ? 0 : static_cast<int>(agent::outcome::usage);
    }
    try {
        return run(file, check, once, test_run);
    } catch (const std::exception& problem) {
        process::log(process::level::error, "failed", {{"reason", problem.what()}});
        return static_cast<int>(agent::outcome::not_applied);
    }
}
