#include "control/api/edge_query.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "board/process/files.h"

namespace postern::api {
namespace {

using clock = std::chrono::steady_clock;
constexpr std::size_t max_answer = 1UL << 20U;

bool wait_for(int fd, short events, clock::time_point until) {
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
        if (left <= 0) {
            return false;
        }
        pollfd waited{fd, events, 0};
        const int ready = ::poll(&waited, 1, static_cast<int>(left));
        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return true;
        }
    }
}

}  // namespace

tl::expected<boost::json::object, std::string> ask_edge(const std::string& socket, const std::string& command,
                                                        std::chrono::milliseconds patience) {
    const clock::time_point until = clock::now() + patience;
    if (command.find_first_of("\r\n") != std::string::npos) {
        return tl::unexpected(std::string("a command to an edge is one line"));
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.size() >= sizeof address.sun_path) {
        return tl::unexpected("the socket's path is too long: " + socket);
    }
    std::memcpy(address.sun_path, socket.c_str(), socket.size() + 1);
    const process::descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return tl::unexpected(process::errno_text("reach the edge at", socket, errno));
    }
    const std::string line = command + "\n";
    if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
        return tl::unexpected(process::errno_text("speak to the edge at", socket, errno));
    }
    std::string answer;
    std::array<char, 16384> block{};
    while (answer.find('\n') == std::string::npos) {
        if (!wait_for(fd.get(), POLLIN, until)) {
            return tl::unexpected("the edge at " + socket + " did not answer in time");
        }
        const ssize_t n = ::recv(fd.get(), block.data(), block.size(), 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return tl::unexpected("the edge at " + socket + " closed the connection");
        }
        answer.append(block.data(), n < 0 ? 0 : static_cast<std::size_t>(n));
        if (answer.size() > max_answer) {
            return tl::unexpected("the edge at " + socket + " answers without end");
        }
    }
    boost::json::error_code error;
    boost::json::value parsed = boost::json::parse(answer.substr(0, answer.find('\n')), error);
    if (error || !parsed.is_object()) {
        return tl::unexpected("the edge at " + socket + " does not answer in JSON");
    }
    boost::json::object& object = parsed.get_object();
    const boost::json::value* const ok = object.if_contains("ok");
    if (ok == nullptr || !ok->is_bool() || !ok->get_bool()) {
        const boost::json::value* const why = object.if_contains("error");
        return tl::unexpected(why != nullptr && why->is_string() ? std::string(why->get_string())
                                                                 : std::string("the edge refuses without a reason"));
    }
    return std::move(object);
}

}  // namespace postern::api
