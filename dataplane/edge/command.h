// The edge socket's command lines (docs/edge-socket.md): a line of words in, a command or a sentence for people out.
//
// Pure; nothing is looked up or opened here. What names a file is checked to be a name and never a path.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "dataplane/net/address.h"

namespace postern::edge {

/// Longest command line, without its LF.
inline constexpr std::size_t longest_command = 4096;
/// Longest name of a table file.
inline constexpr std::size_t longest_file_name = 255;

enum class verb : std::uint8_t {
    table_prepare,
    table_diff,
    table_commit,
    table_rollback,
    table_discard,
    show_table,
    show_counters,
    show_sessions,
    show_listeners,
    show_version,
    explain,
    show_port,
    show_capture,
    capture_start,
    capture_stop,
    events,
    events_acknowledge,
    drain,
    help,
    quit,
};

struct command {
    verb what = verb::help;
    std::string base;                     ///< table prepare; empty: the base in force stays (`-`)
    std::string overlay;                  ///< table prepare; empty: none
    std::optional<std::uint64_t> number;  ///< table commit's generation, table rollback's N, events ack's N
    std::uint64_t since = 0;              ///< events: those after it
    std::optional<std::uint64_t> most;    ///< events: MAX
    std::string address;                  ///< explain
    std::string file;                     ///< capture start
    net::ip_address network{};            ///< capture start: whose frames
    std::uint8_t prefix = 0;              ///< leading bits: of 32 for IPv4, of 128 for IPv6
    std::uint32_t seconds = 60;           ///< capture start
    std::uint32_t mib = 64;               ///< capture start: the file's most
};

/// `line` without its LF (a CR before it may be there).
tl::expected<command, std::string> parse_command(std::string_view line);

/// True for what may name a file of the tables folder: letters, digits, `.`, `_`, `-`, not beginning with `.` or `-`.
bool is_file_name(std::string_view text) noexcept;

/// Every command with its arguments, for `help`.
const std::array<std::string_view, 20>& command_forms() noexcept;

}  // namespace postern::edge
