// One question to an edge over its socket (docs/edge-socket.md), for what the API shows of the edges: `show counters`,
// `explain ADDRESS`. Publishing has its own, lasting connection.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <string>
#include <tl/expected.hpp>

namespace postern::api {

/// Sends `command` and reads the one JSON line of the answer. The error says what was wrong; `"ok": false` is one.
tl::expected<boost::json::object, std::string> ask_edge(const std::string& socket, const std::string& command,
                                                        std::chrono::milliseconds patience);

}  // namespace postern::api
