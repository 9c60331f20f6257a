// What is wrong on this machine for the DPDK transport of an edge.toml, and the exact command that mends it.
//
// The rules look at recorded facts (board/machine) and at what is wanted (board/profiles) alone: they change nothing.
// Each command is one for a root shell, and does what its finding asks for, so that the next look is content.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "board/machine/machine.h"
#include "board/profiles/edge_part.h"
#include "board/profiles/profile.h"

namespace postern::doctor {

enum class severity : std::uint8_t {
    error,    ///< the transport does not start, or takes the machine off the network
    warning,  ///< it works, but slower or less safe than it could
    note,
};
const char* word_of(severity of) noexcept;

struct finding {
    severity how = severity::note;
    std::string about;     ///< one word for programs: "huge_pages"
    std::string what;      ///< a sentence for people
    std::string where;     ///< a key of edge.toml, a device or a file
    std::string command;   ///< mends it now; empty: no command can
    std::string for_good;  ///< makes it last over a restart; empty: `command` does
};

/// What is looked for.
struct wishes {
    profiles::edge_part edge;
    std::vector<profiles::profile> known;  ///< for the drivers that a NIC is best bound to
};

/// Everything that is wrong, the worst first.
std::vector<finding> examine(const machine::machine& on, const wishes& want);

/// The command that takes a PCI device from its driver and gives it to another.
std::string bind_command(const machine::machine& on, const std::string& bus, const std::string& driver);

/// Whether there is an error among them.
bool any_error(const std::vector<finding>& findings);

std::string as_text(const std::vector<finding>& findings);
/// {"findings": […], "errors": 1, "warnings": 0}
std::string as_json(const std::vector<finding>& findings);

}  // namespace postern::doctor
