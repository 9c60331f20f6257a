// What the process gives away once its ports are bound: the account, capabilities, and calls it never makes.
//
// All of it before any other thread is started, since each of these is a property of a thread. EDGE "Privilege".
#pragma once

#include <cstdint>

#include "board/process/files.h"
#include "dataplane/edge/environment.h"

namespace postern::edge {

/// Lets the process have `needed` open files. The error names the limit that stands in the way and the remedy.
process::result<void> allow_open_files(std::uint64_t needed);

/// Becomes the account (if there is one), drops every capability, and sets no_new_privs.
process::result<void> drop_privileges(const std::optional<account>& becomes);

/// Denies, with EPERM, the system calls an intruder would want and the edge never needs: programs, tracing, mounts,
/// kernel modules, BPF. Does nothing under sanitizers, which need some of them. False in that case.
process::result<bool> forbid_dangerous_calls();

}  // namespace postern::edge
