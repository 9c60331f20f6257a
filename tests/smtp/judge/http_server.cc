#include "tests/smtp/judge/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace postern::judge::test {

http_server::http_server(script says) : _says(std::move(says)), _listener(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(_listener, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(_listener, 64) != 0 ||
        ::getsockname(_listener, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
        throw std::runtime_error("no loopback port");
    }
    _port = ntohs(at.sin_port);
    _accepting = std::thread([this] { accept_all(); });
}

http_server::~http_server() {
    ::shutdown(_listener, SHUT_RDWR);
    _accepting.join();
    {
        const std::lock_guard hold(_mutex);
        for (const int each : _open) {
            ::shutdown(each, SHUT_RDWR);
        }
    }
    for (std::thread& each : _threads) {
        each.join();
    }
    for (const int each : _open) {
        ::close(each);
    }
    ::close(_listener);
}

void http_server::accept_all() {
    for (int one = ::accept(_listener, nullptr, nullptr); one >= 0; one = ::accept(_listener, nullptr, nullptr)) {
        const std::lock_guard hold(_mutex);
        _open.push_back(one);
        _threads.emplace_back([this, one] { serve(one); });
    }
}

void http_server::serve(int connection) {
    std::string in;
    std::array<char, 16'384> room{};
    while (true) {
        const auto head = in.find("\r\n\r\n");
        std::size_t whole = std::string::npos;
        if (head != std::string::npos) {
            const auto length = in.find("Content-Length: ");
            whole = head + 4 + (length < head ? std::stoul(in.substr(length + 16)) : 0);
        }
        if (whole == std::string::npos || in.size() < whole) {
            const ssize_t got = ::recv(connection, room.data(), room.size(), 0);
            if (got <= 0) {
                return;
            }
            in.append(room.data(), static_cast<std::size_t>(got));
            continue;
        }
        const std::string request = in.substr(0, whole);
        in.erase(0, whole);
        {
            const std::lock_guard hold(_mutex);
            _requests.push_back(request);
        }
        _changed.notify_all();
        const std::string out = _says(request);
        (void)::send(connection, out.data(), out.size(), MSG_NOSIGNAL);
    }
}

std::vector<std::string> http_server::requests(std::size_t count) {
    std::unique_lock hold(_mutex);
    _changed.wait_for(hold, std::chrono::seconds(30), [&] { return _requests.size() >= count; });
    return _requests;
}

std::string http_server::ok(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

}  // namespace postern::judge::test
