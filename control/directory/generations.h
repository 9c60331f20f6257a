// The publisher's memory: numbers handed out and generations made.
#pragma once

#include <optional>

#include "control/directory/store.h"

namespace postern::directory {

struct generation {
    std::uint64_t number = 0;
    std::string base;            ///< file name in the tables folder
    std::uint64_t base_seq = 0;  ///< the base holds all changes up to it
    std::string overlay;         ///< file name; empty: none
    std::uint64_t seq = 0;       ///< base and overlay together hold all changes up to it
    std::uint64_t addresses = 0;
    std::uint64_t added = 0;    ///< in the overlay
    std::uint64_t removed = 0;  ///< in the overlay
    timestamp made = 0;
    timestamp published = 0;  ///< in force at the first edge; 0: at none that is known
};

/// Hands out `count` numbers that were never handed out, all over `floor`; the first of them. Durable with the commit.
result<std::uint64_t> reserve_generations(writer& in, std::uint64_t floor, std::uint64_t count);
/// Keeps the last thousand.
result<void> record_generation(writer& in, const generation& made);
result<std::optional<generation>> last_generation(const reader& in);
/// Newest first.
result<page<generation>> list_generations(const reader& in, const page_request& at);

}  // namespace postern::directory
