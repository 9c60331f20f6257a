// What an agent remembers between rounds: the number of the list that Postern has from it, and where its directory was
// then. Changed in one step; anything in doubt is forgotten, and then the next list is a whole one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "board/process/files.h"

namespace postern::agent {

struct memory {
    std::string of;              ///< which source, directory and settings; others' memory is none
    std::uint64_t sequence = 0;  ///< 0: nothing is known
    std::string cookie;          ///< the directory's, at that list
    friend bool operator==(const memory&, const memory&) = default;
};

/// Empty if there is none, or it is of other settings, or can't be read.
memory recall(const std::string& folder, const std::string& of);
process::result<void> keep(const std::string& folder, const memory& what);
memory parse_memory(std::string_view text, const std::string& of);

}  // namespace postern::agent
