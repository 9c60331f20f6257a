#include "control/publish/edge_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>

namespace postern::publish {

namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t longest_reply = 16U << 20U;
constexpr milliseconds slice{100};  // how long a stop may go unseen

tl::unexpected<client_error> lost(std::string text) {
    return tl::unexpected<client_error>(client_error{false, std::move(text)});
}

/// The reply as an object with "ok": true; a refusal carries the edge's words.
client_result<json::object> read_reply(const std::string& line) {
    boost::system::error_code code;
    json::value parsed = json::parse(line, code);
    json::object* reply = code ? nullptr : parsed.if_object();
    const json::value* ok = reply == nullptr ? nullptr : reply->if_contains("ok");
    if (ok == nullptr || !ok->is_bool()) {
        return lost("the edge answered something that is not its protocol: " + line.substr(0, 200));
    }
    if (!ok->get_bool()) {
        const json::value* text = reply->if_contains("error");
        return tl::unexpected<client_error>(client_error{
            true, text != nullptr && text->is_string() ? std::string(text->get_string()) : "the edge gave no reason"});
    }
    return std::move(*reply);
}

/// A file's name: the text itself, or the member "file" of an object.
std::string file_name(const json::object& in, std::string_view member) {
    const json::value* value = in.if_contains(member);
    if (value != nullptr && value->is_object()) {
        value = value->get_object().if_contains("file");
    }
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t number(const json::object& in, std::string_view member) {
    const json::value* value = in.if_contains(member);
    boost::system::error_code code;
    const auto out = value == nullptr ? 0 : value->to_number<std::uint64_t>(code);
    return code ? 0 : out;
}

}  // namespace

client_result<edge_client> edge_client::connect(const std::string& path, milliseconds timeout,
                                                const std::atomic<bool>& stop) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return lost("the edge socket's path " + path + " is longer than " +
                    std::to_string(sizeof address.sun_path - 1) + " octets; choose a shorter one");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    process::descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return lost(process::errno_text("make a socket for", path, errno));
    }
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return lost(process::errno_text("reach the edge at", path, errno) + "; is postern-edge running?");
    }
    return edge_client(std::move(socket), timeout, stop);
}

client_result<void> edge_client::wait_for(short events, steady_clock::time_point deadline) const {
    for (;;) {
        if (_stop->load()) {
            return lost("stopped");
        }
        const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
        if (left.count() <= 0) {
            return lost("the edge did not answer within " + std::to_string(_timeout.count()) + " ms");
        }
        pollfd watched{_socket.get(), events, 0};
        const int ready = ::poll(&watched, 1, static_cast<int>(std::min(left, slice).count()));
        if (ready > 0) {
            return {};
        }
        if (ready < 0 && errno != EINTR) {
            return lost(std::string("poll failed: ") + std::strerror(errno));
        }
    }
}

client_result<boost::json::object> edge_client::ask(const std::string& line) {
    return exchange(line).and_then(read_reply);
}

client_result<std::string> edge_client::exchange(const std::string& line) {
    const auto deadline = steady_clock::now() + _timeout;
    const std::string out = line + '\n';
    for (std::size_t sent = 0; sent < out.size();) {
        const ssize_t count = ::send(_socket.get(), out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
        if (count >= 0) {
            sent += static_cast<std::size_t>(count);
        } else if (errno == EAGAIN) {
            if (auto waited = wait_for(POLLOUT, deadline); !waited) {
                return tl::unexpected(waited.error());
            }
        } else if (errno != EINTR) {
            return lost(std::string("the edge hung up: ") + std::strerror(errno));
        }
    }
    for (std::size_t searched = 0;;) {
        const std::size_t end = _received.find('\n', searched);
        if (end != std::string::npos) {
            std::string reply = _received.substr(0, end);
            _received.erase(0, end + 1);
            return reply;
        }
        searched = _received.size();
        if (searched > longest_reply) {
            return lost("the edge's answer has no end within " + std::to_string(longest_reply) + " octets");
        }
        std::array<char, 16384> piece;
        const ssize_t count = ::recv(_socket.get(), piece.data(), piece.size(), 0);
        if (count > 0) {
            _received.append(piece.data(), static_cast<std::size_t>(count));
        } else if (count == 0) {
            return lost("the edge hung up");
        } else if (errno == EAGAIN) {
            if (auto waited = wait_for(POLLIN, deadline); !waited) {
                return tl::unexpected(waited.error());
            }
        } else if (errno != EINTR) {
            return lost(std::string("the edge hung up: ") + std::strerror(errno));
        }
    }
}

client_result<edge_table> edge_client::show_table() {
    const auto reply = ask("show table");
    if (!reply) {
        return tl::unexpected(reply.error());
    }
    edge_table out;
    out.generation = number(*reply, "generation");
    out.base = file_name(*reply, "base");
    out.overlay = file_name(*reply, "overlay");
    out.names.insert({out.base, out.overlay});
    for (const std::string_view list : {"manifest", "kept"}) {
        const json::value* pairs = reply->if_contains(list);
        if (pairs == nullptr || !pairs->is_array()) {
            continue;
        }
        for (const json::value& pair : pairs->get_array()) {
            if (pair.is_object()) {
                out.names.insert({file_name(pair.get_object(), "base"), file_name(pair.get_object(), "overlay")});
            }
        }
    }
    const json::value* prepared = reply->if_contains("prepared");
    if (prepared != nullptr && prepared->is_object()) {
        out.names.insert({file_name(prepared->get_object(), "base"), file_name(prepared->get_object(), "overlay")});
    }
    out.names.erase(std::string());
    return out;
}

client_result<void> edge_client::prepare(const std::string& base, const std::string& overlay) {
    const std::string line =
        "table prepare " + (base.empty() ? std::string("-") : base) + (overlay.empty() ? "" : " " + overlay);
    const auto reply = ask(line);
    return reply ? client_result<void>() : tl::unexpected(reply.error());
}

client_result<void> edge_client::commit(std::uint64_t generation) {
    const auto reply = ask("table commit " + std::to_string(generation));
    return reply ? client_result<void>() : tl::unexpected(reply.error());
}

bool edge_client::alive() const {
    pollfd watched{_socket.get(), POLLIN, 0};
    // Between commands an edge sends nothing: what can be read is its end.
    return ::poll(&watched, 1, 0) == 0;
}

}  // namespace postern::publish
