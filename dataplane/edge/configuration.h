// edge.toml as values: parsed, every key checked, paths made absolute. docs/man/edge.toml.5 describes each key.
//
// What belongs to the sessions and to the relay is filled into their own settings, whose defaults are those of the
// file. Nothing here touches the machine but reading the file; what must exist (folders, users) is environment.h's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "board/process/log.h"
#include "dataplane/edge/port_configuration.h"
#include "dataplane/shard/connection_limits.h"
#include "dataplane/shard/seam.h"
#include "smtp/judge/settings.h"
#include "smtp/relay/settings.h"
#include "smtp/session/settings.h"

namespace postern::edge {

struct listener_configuration {
    shard::endpoint at;  ///< port 0: any free one
    bool several_routes = false;
    shard::connection_limits::limits limits;
};

struct configuration {
    std::string name;  ///< how the edge calls itself in SMTP; never empty
    std::string user = "postern";
    std::string group;  ///< empty: the user's own
    std::string state = "/var/lib/postern/edge";
    std::string tables = "/var/lib/postern/tables";
    std::string socket = "/run/postern/edge.sock";
    std::uint32_t shards = 0;     ///< 0: one for each core; `shard_count` says how many that is
    std::vector<unsigned> cores;  ///< CPUs of the shards, one each; empty: wherever the kernel puts them
    std::vector<listener_configuration> listeners;
    std::optional<port_configuration> port;  ///< set: transport = "dpdk"
    session::settings session;               ///< complete
    relay::settings relay;  ///< complete, but for `shards`, `own_addresses`' real ports, `alarm` and `judge`
    judge::settings judge;  ///< complete, but for `alarm`
    std::chrono::seconds drain{60};
    std::uint32_t events = 65'536;  ///< recent recipients kept until control acknowledges them; 0: none
    process::level log_level = process::level::info;

    unsigned shard_count() const noexcept;
    /// Descriptors that the process may need at once.
    std::uint64_t open_files() const noexcept;
};

/// Parses the text of a configuration file. `file` is its name for messages; relative paths are relative to `folder`
/// (absolute). The error is a list of sentences, one for each thing that is wrong.
tl::expected<configuration, std::vector<std::string>> parse_configuration(std::string_view text,
                                                                          const std::string& file,
                                                                          const std::string& folder);

/// Reads and parses the file at `path`.
tl::expected<configuration, std::vector<std::string>> read_configuration(const std::string& path);

}  // namespace postern::edge
