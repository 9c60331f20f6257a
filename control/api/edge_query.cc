#include "control/api/edge_query.h"

#include <atomic>
#include <utility>

#include "control/publish/edge_client.h"

namespace postern::api {

tl::expected<boost::json::object, std::string> ask_edge(const std::string& socket, const std::string& command,
                                                        std::chrono::milliseconds patience) {
    static const std::atomic<bool> never_stopped{false};
    if (command.find_first_of("\r\n") != std::string::npos) {
        return tl::unexpected(std::string("a command to an edge is one line"));
    }
    auto edge = publish::edge_client::connect(socket, patience, never_stopped);
    if (!edge) {
        return tl::unexpected(edge.error().text);
    }
    auto answer = edge->ask(command);
    if (!answer) {
        return tl::unexpected(answer.error().text);
    }
    return *std::move(answer);
}

}  // namespace postern::api
