// control.toml: what postern-control is told (control.toml(5)). Read whole, checked whole, all errors at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "board/process/egress.h"
#include "board/process/log.h"
#include "control/api/http_server.h"
#include "control/directory/billing.h"
#include "control/dns/where_mail_goes.h"
#include "control/probe/prober.h"
#include "control/publish/publisher.h"
#include "control/recent/recent_store.h"
#include "control/sync/service.h"

namespace postern::daemon {

struct configuration {
    std::string user;   ///< empty: stays who it is
    std::string group;  ///< empty: the user's own
    std::string state = "/var/lib/postern/control";
    api::server_options api;
    publish::publisher_options publish;
    probe::prober_options probe;
    recent::recent_options recent_recipients;
    sync::service_options syncs;    ///< complete but for the types and what `main` wires
    process::egress_policy egress;  ///< for what an organisation may name: its directory servers, webhooks
    dns::resolver_options resolver;
    dns::own_edges own;  ///< as the outside sees them
    directory::billed_kinds billed;
    sync::guard_limits imports;  ///< of lists that a file replaces
    process::level log_level = process::level::info;

    std::string database() const { return state + "/directory.db"; }
    std::string recent() const { return state + "/recent.db"; }
    std::string uploads() const { return state + "/uploads"; }
    std::string token_file() const { return state + "/admin.token"; }
};

/// `file` is for the messages; relative paths are relative to `folder`. The errors are whole lines.
tl::expected<configuration, std::vector<std::string>> parse_configuration(std::string_view text,
                                                                          const std::string& file,
                                                                          const std::string& folder);
tl::expected<configuration, std::vector<std::string>> read_configuration(const std::string& path);

/// What `--check` looks at beyond the text: folders, account, certificate, other users' access.
std::vector<std::string> check_environment(const configuration& settings);

}  // namespace postern::daemon
