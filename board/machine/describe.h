// A machine told to people, and to programs.
#pragma once

#include <string>

#include "board/machine/machine.h"

namespace postern::machine {

/// Lines for people, each ended by a line feed.
std::string as_text(const machine& of);

/// One JSON object, as postern-board(8) describes it, ended by a line feed.
std::string as_json(const machine& of);

/// "0 of 512 free" and so on for one node: "2 MiB: 512, 510 free; 1 GiB: none".
std::string pages_text(const node& of);

/// "1af4:1041".
std::string id_text(const pci_nic& of);

}  // namespace postern::machine
