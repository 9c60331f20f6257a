// What the edge needs of the machine before it starts: folders, the account to run as, the edge socket's place.
//
// Folders are opened once and used by descriptor from then on, so their paths need not be reachable for the
// unprivileged user. `check_environment` (for --check) only looks; `open_environment` opens, locks and hands over.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "board/process/files.h"
#include "dataplane/edge/configuration.h"

namespace postern::edge {

/// Whom the process becomes once its ports are bound.
struct account {
    std::string name;
    uid_t user = 0;
    gid_t group = 0;
    std::vector<gid_t> groups;  ///< supplementary, `group` included
};

struct environment {
    process::descriptor state;
    process::descriptor tables;
    process::descriptor lock;              ///< held while this process owns the state folder
    std::optional<edge::account> runs_as;  ///< empty: the process stays who it is
};

/// The account that `user` and `group` name; empty if `user` is, or if this process is not root and so cannot change.
process::result<std::optional<account>> find_account(const std::string& user, const std::string& group);

/// One sentence for each thing that would keep the edge from starting; changes nothing.
std::vector<std::string> check_environment(const configuration& settings);

process::result<environment> open_environment(const configuration& settings);

/// Gives the state folder and the edge's files in it to the account.
process::result<void> hand_over_state(const environment& opened);

/// Creates the edge socket (mode 0660) and listens. A socket that nobody listens to any more is replaced.
process::result<process::descriptor> create_edge_socket(const std::string& path, const std::optional<account>& owner);

}  // namespace postern::edge
