// What a test tells a relay while it runs: one line of words, one line of JSON back.
//
//     path lost=100 duplicated=0 reordered=0 corrupted=0 delay_ms=1 rate=0     shares of 1000; what is not named is 0
//     drop N WHAT    duplicate N WHAT    corrupt N WHAT    hold N MILLISECONDS WHAT
//         WHAT: near, far or both (where the frame comes from), then syn, syn-ack, fin, rst, ack (nothing else), data
//         or any
//     clear          no rules, and a path that does nothing
//     counts
#pragma once

#include <string>
#include <string_view>

#include "tests/wire/relay.h"

namespace postern::wire {

/// Does what the line says; the answer, without an end of line.
std::string obey(relay& r, std::string_view line);

}  // namespace postern::wire
