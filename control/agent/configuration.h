// agent.toml of postern-agent: which directory is read, and which source of which Postern gets it. docs/agent.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "board/process/log.h"
#include "control/sources/https/client.h"
#include "control/sources/ldap/settings.h"

namespace postern::agent {

struct server_settings {
    std::string url;         ///< "https://postern.example.com:8025"
    std::string host;        ///< of it, for words
    std::string source;      ///< "push:head-office", or its id
    std::string token_file;  ///< read before every round, so that a new token needs no restart
    sources::https::client_settings https;
};

struct configuration {
    std::string state;  ///< folder, of this agent alone
    std::chrono::minutes every{60};
    process::level log_level = process::level::info;
    server_settings server;
    sources::ldap::ldap_settings directory;
};

/// All that is wrong, each as "FILE:LINE: key: what"; relative paths are taken from `folder`. Reads the files that are
/// named, secrets among them.
tl::expected<configuration, std::vector<std::string>> parse_configuration(std::string_view text,
                                                                          const std::string& file,
                                                                          const std::string& folder);
tl::expected<configuration, std::vector<std::string>> read_configuration(const std::string& path);

/// A secret in a file of its own, without the line's end. Refused if everybody on the machine can read it.
tl::expected<std::string, std::string> read_secret(const std::string& path);

}  // namespace postern::agent
