// What replacing a source's list by a file would take away, in the numbers that a guard judges by, and who judges.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "control/directory/store.h"

namespace postern::sources {

struct replacement {
    std::uint64_t staged = 0;           ///< usable addresses in the file
    std::uint64_t asserted = 0;         ///< by the source, before
    std::uint64_t added = 0;            ///< that the source did not assert
    std::uint64_t removed = 0;          ///< that the source asserted and the file lacks
    std::uint64_t removed_earlier = 0;  ///< by imports of the source within 24 hours, and still not asserted
    std::uint64_t oldest = 0;           ///< addresses that the source asserted when those began
};

struct replacement_verdict {
    enum class end : std::uint8_t {
        pass,
        hold,    ///< what is new is applied, removals wait for a person
        refuse,  ///< nothing is applied
    };
    replacement_verdict::end end = end::pass;
    std::string text;       ///< why, for a person
    bool approved = false;  ///< a person let it, whatever the limits say
};

/// Asked within the transaction, after comparing.
using replacement_guard = std::function<replacement_verdict(const replacement&)>;

/// After `staging::compare`, within a transaction. The window is the last 24 hours, or since a person last approved or
/// confirmed a replacement of the source's.
directory::result<replacement> weigh(const directory::reader& in, std::uint32_t source, directory::timestamp now);

}  // namespace postern::sources
