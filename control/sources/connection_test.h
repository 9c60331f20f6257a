// What the test of a connection to a directory found, step by step; the same for every protocol.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/sources/fetch.h"

namespace postern::sources {

struct test_step {
    enum class outcome : std::uint8_t { good, bad, skipped };
    std::string server;  ///< "ldaps://dc1.example.com:636"
    std::string name;    ///< "name", "TCP", "TLS", "bind", …
    test_step::outcome outcome = outcome::good;
    std::string detail;  ///< what was found, or what failed, why, and what to do
};
constexpr std::string_view to_string(enum test_step::outcome of) noexcept {
    switch (of) {
        case test_step::outcome::good:
            return "good";
        case test_step::outcome::bad:
            return "bad";
        case test_step::outcome::skipped:
            return "skipped";
    }
    return "";
}

struct test_report {
    bool good = false;  ///< one server passed every step
    std::string server;
    std::vector<test_step> steps;          ///< in order, of each server that was tried
    std::vector<directory_entry> entries;  ///< up to five, as a sync would take them
};

}  // namespace postern::sources
