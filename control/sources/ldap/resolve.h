// Names to addresses with a deadline: the system's resolver asks in a thread that is left behind if it does not come
// back, and a process has a bounded number of those.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace postern::sources::ldap {

struct resolved {
    sockaddr_storage address{};
    socklen_t size = 0;
    std::string text;  ///< "192.0.2.1"
};

/// The error is a sentence without the name. A name that is an address is not asked for.
tl::expected<std::vector<resolved>, std::string> resolve(const std::string& host, std::uint16_t port,
                                                         std::chrono::steady_clock::time_point until,
                                                         const std::atomic<bool>& stop);

}  // namespace postern::sources::ldap
