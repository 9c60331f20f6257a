// postern-control: keeps the directory, publishes it to the edges, and answers the HTTP API. docs/man/postern-control.8
#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "board/process/log.h"
#include "board/process/notify.h"
#include "board/process/version.h"
#include "control/api/api.h"
#include "control/api/import_jobs.h"
#include "control/api/inbound.h"
#include "control/daemon/configuration.h"
#include "control/daemon/front.h"
#include "control/daemon/ldap_type.h"
#include "control/daemon/microsoft365_type.h"
#include "control/daemon/privileges.h"
#include "control/directory/store.h"
#include "control/discovery/service.h"
#include "control/recent/collector.h"
#include "control/sync/service.h"

namespace {

using namespace postern;

constexpr int refused = 1;
constexpr std::chrono::milliseconds stop_grace{10'000};

int complain(const std::vector<std::string>& problems) {
    for (const std::string& problem : problems) {
        std::cerr << "postern-control: " << problem << '\n';
    }
    return refused;
}

int cannot_start(const std::string& reason) {
    process::log(process::level::error, "cannot_start", {{"reason", reason}});
    return refused;
}

/// Waits for SIGTERM or SIGINT, which every thread has blocked.
void wait_for_signal(const sigset_t& signals) {
    int got = 0;
    while (::sigwait(&signals, &got) != 0 || (got != SIGTERM && got != SIGINT)) {
    }
    process::log(process::level::info, "stopping", {{"signal", got == SIGTERM ? "SIGTERM" : "SIGINT"}});
}

/// Directory sources and their syncs, wired to the publisher and the operator's egress policy.
directory::result<std::unique_ptr<sync::service>> start_syncs(const daemon::configuration& settings,
                                                              directory::store& store,
                                                              const publish::publisher& publisher) {
    sync::service_options options = settings.syncs;
    options.types.emplace("ldap", daemon::ldap_type(settings.egress));
    options.types.emplace("microsoft365", daemon::microsoft365_type(settings.egress));
    options.may_reach = [policy = settings.egress](const std::string& address) { return policy.allows(address); };
    options.wait_in_force = [&publisher](std::uint64_t seq, std::chrono::milliseconds patience) {
        return publisher.wait_in_force(seq, patience) == publish::in_force::everywhere;
    };
    return sync::service::start(store, std::move(options));
}

int run(const daemon::configuration& settings) {
    process::start_log("postern-control", settings.log_level);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);  // NOLINT(concurrency-mt-unsafe): one thread yet

    // The port first: binding it may need the privileges that are given up next.
    daemon::front application;
    const auto server = api::http_server::open(settings.api, application);
    if (!server) {
        return cannot_start(server.error());
    }
    if (const auto became = daemon::become(settings.user, settings.group, {settings.state, settings.publish.tables});
        !became) {
        return cannot_start(became.error());
    }
    const auto store = directory::store::open(settings.database());
    if (!store) {
        return cannot_start(store.error().text);
    }
    const auto first = api::write_first_token(**store, settings.token_file());
    if (!first) {
        return cannot_start(first.error());
    }
    if (*first) {
        process::log(process::level::info, "first_token", {{"file", settings.token_file()}});
    }
    const auto imports = api::import_jobs::open(**store, settings.uploads(), settings.imports);
    if (!imports) {
        return cannot_start(imports.error());
    }
    const auto publisher = publish::publisher::start(**store, settings.publish);
    if (!publisher) {
        return cannot_start(publisher.error().text);
    }
    const auto recent = recent::recent_store::open(settings.recent(), settings.recent_recipients);
    if (!recent) {
        process::log(process::level::error, "recent_recipients_not_kept", {{"reason", recent.error().text}});
    }
    const auto syncs = start_syncs(settings, **store, **publisher);
    if (!syncs) {
        return cannot_start(syncs.error().text);
    }
    probe::prober_options probing = settings.probe;
    probing.may_reach = [policy = settings.egress](const std::string& address) { return policy.allows(address); };
    probe::prober prober(std::move(probing));
    const dns::resolver resolver(settings.resolver);
    const api::daily_probes daily(**store, prober);
    recent::recent_store* const seen = recent ? recent->get() : nullptr;
    discovery::service_options discovering;
    discovering.billed_at_once = settings.billed.has(recipients::mailbox_kind::unclassified);
    discovery::service discovery(**store, prober, **syncs, seen, discovering);
    std::vector<recent::consumer*> takers;
    if (seen != nullptr) {
        takers.push_back(seen);
    }
    takers.push_back(&discovery);
    const recent::collector collector(std::move(takers), settings.publish.edges);
    api::service service{**store,
                         **publisher,
                         **imports,
                         prober,
                         settings.publish.edges,
                         (*store)->now(),
                         [&server] { return (*server)->counters(); },
                         seen,
                         syncs->get(),
                         &resolver,
                         settings.own,
                         settings.billed,
                         &discovery};
    const auto secrets = sync::secret_box::open(settings.syncs.key_file);
    if (!secrets) {
        return cannot_start(secrets.error());
    }
    mailroute::service served{service, *secrets};
    application.attach(served);
    (*server)->start();
    process::log(process::level::info, "started",
                 {{"version", process::version},
                  {"url", (*server)->url()},
                  {"state", settings.state},
                  {"edges", settings.publish.edges.size()}});
    process::notify_service_manager("READY=1");
    wait_for_signal(signals);
    process::notify_service_manager("STOPPING=1");
    (*syncs)->end_tests();
    (*server)->stop(stop_grace);
    process::log(process::level::info, "stopped");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App program("Keeps the list of recipients, publishes it to the edges, and answers the HTTP API.",
                     "postern-control");
    std::string file = "/etc/postern/control.toml";
    bool check_only = false;
    program.add_option("--config", file, "configuration file (control.toml(5))")->capture_default_str();
    program.add_flag("--check", check_only, "check the configuration, start nothing");
    program.set_version_flag("--version", std::string(process::version));
    CLI11_PARSE(program, argc, argv)

    try {
        const auto settings = daemon::read_configuration(file);
        if (!settings) {
            return complain(settings.error());
        }
        if (!check_only) {
            return run(*settings);
        }
        const std::vector<std::string> problems = daemon::check_environment(*settings);
        if (!problems.empty()) {
            return complain(problems);
        }
        std::cout << "configuration is good\n";
        return 0;
    } catch (const std::exception& problem) {
        process::log(process::level::error, "failed", {{"reason", problem.what()}});
        return refused;
    }
}
