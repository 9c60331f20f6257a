// The command line of postern-load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "board/process/files.h"
#include "perf/dialogue.h"
#include "perf/port_plan.h"
#include "perf/sockets.h"
#include "perf/swap_windows.h"
#include "perf/worker.h"

namespace postern::perf {

struct options {
    std::string target_text;
    endpoint target;
    perf::plan plan;
    limits bounds;
    std::size_t connections = 64;
    std::size_t threads = 1;
    std::uint64_t count = 0;  ///< 0: by duration
    double rate = 0;          ///< RCPTs a second; 0: as fast as replies come
    bool open_loop = false;
    std::uint64_t seed = 1;
    std::string json;  ///< file for the report; empty: none; "-": standard output
    std::string csv;   ///< likewise, a line a second
    std::string plot;  ///< likewise, as SVG
    bool quiet = false;
    std::optional<swap_windows> windows;
    std::optional<port_plan> port;  ///< nothing: over the kernel's sockets

    bool to_stdout() const { return json == "-" || csv == "-" || plot == "-"; }
};

/// Reads the command line and the files it names. Nothing: the program ends with `exit_status` (help, version, or a
/// mistake, which has been told on stderr).
std::optional<options> read_options(int argc, char** argv, int& exit_status);

/// `HOST:PORT`, `[V6]:PORT`. Anything but loopback is refused unless `remote`.
process::result<endpoint> resolve_target(const std::string& text, bool remote);

/// A message of `octets` octets at most (at least its header): lines of 76 characters with CRLF, dot-stuffed.
std::string make_body(std::size_t octets);

}  // namespace postern::perf
