// A mail server on loopback that does what a test's script says: each accepted connection runs the script on a thread
// of its own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace postern::relay::test {

/// One connection as its script sees it. Calls fail quietly once the peer or the test is gone.
class dialogue {
public:
    dialogue(int fd, const std::atomic<bool>& over) : _fd(fd), _over(over) {}
    dialogue(const dialogue&) = delete;
    dialogue& operator=(const dialogue&) = delete;
    ~dialogue() { close(); }

    bool say(std::string_view text) {
        while (!text.empty() && _fd >= 0) {
            const ssize_t n = ::send(_fd, text.data(), text.size(), MSG_NOSIGNAL);
            if (n <= 0) {
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(n));
        }
        return _fd >= 0;
    }
    /// The next line without CRLF; empty at the end (a script does not ask for empty lines outside of content).
    std::string line() {
        while (true) {
            const std::size_t end = _buffer.find("\r\n");
            if (end != std::string::npos) {
                std::string out = _buffer.substr(0, end);
                _buffer.erase(0, end + 2);
                return out;
            }
            if (!fill()) {
                return {};
            }
        }
    }
    /// The content as sent, up to its final dot; `ended` tells whether that came.
    std::string content(bool& ended) {
        std::size_t searched = 0;
        while (true) {
            const bool empty = _buffer.starts_with(".\r\n");
            const std::size_t end = empty ? 0 : _buffer.find("\r\n.\r\n", searched);
            searched = _buffer.size() < 4 ? 0 : _buffer.size() - 4;
            if (end != std::string::npos) {
                std::string out = _buffer.substr(0, empty ? 0 : end + 2);
                _buffer.erase(0, end + (empty ? 3 : 5));
                ended = true;
                return out;
            }
            if (!fill()) {
                ended = false;
                return std::exchange(_buffer, {});
            }
        }
    }
    /// Waits until the peer closes; what it still sends is dropped.
    void until_closed() {
        while (fill()) {
            _buffer.clear();
        }
    }
    void close() {
        if (_fd >= 0) {
            ::close(_fd);
            _fd = -1;
        }
    }
    void reset() {
        const linger now{1, 0};
        ::setsockopt(_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }
    bool over() const { return _over.load(); }

private:
    bool fill() {
        while (_fd >= 0 && !_over.load()) {
            pollfd one{_fd, POLLIN, 0};
            if (::poll(&one, 1, 20) <= 0) {
                continue;
            }
            std::array<char, 65536> octets;
            const ssize_t n = ::recv(_fd, octets.data(), octets.size(), 0);
            if (n <= 0) {
                return false;
            }
            _buffer.append(octets.data(), static_cast<std::size_t>(n));
            return true;
        }
        return false;
    }

    int _fd;
    const std::atomic<bool>& _over;
    std::string _buffer;
};

struct delivered_message {
    std::string from;
    std::vector<std::string> to;
    std::string content;  ///< as sent, dots still stuffed
};

class scripted_server {
public:
    using script = std::function<void(dialogue&, int connection)>;

    explicit scripted_server(script what) : _script(std::move(what)) {
        _fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        if (::bind(_fd, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(_fd, 128) != 0 ||
            ::getsockname(_fd, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
            throw std::runtime_error("cannot listen on loopback");
        }
        _port = ntohs(at.sin_port);
        _thread = std::thread([this] { accept_all(); });
    }
    ~scripted_server() {
        _over = true;
        _thread.join();
        for (std::thread& one : _dialogues) {
            one.join();
        }
        ::close(_fd);
    }
    scripted_server(const scripted_server&) = delete;
    scripted_server& operator=(const scripted_server&) = delete;

    std::uint16_t port() const { return _port; }
    int connections() const { return _accepted.load(); }

private:
    void accept_all() {
        while (!_over.load()) {
            pollfd one{_fd, POLLIN, 0};
            if (::poll(&one, 1, 20) <= 0) {
                continue;
            }
            const int fd = ::accept4(_fd, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) {
                continue;
            }
            // Pipelined replies are sent one by one here: none is to wait for the acknowledgement of another.
            const int yes = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            const int number = _accepted++;
            _dialogues.emplace_back([this, fd, number] {
                dialogue talk(fd, _over);
                _script(talk, number);
            });
        }
    }

    script _script;
    int _fd = -1;
    std::uint16_t _port = 0;
    std::atomic<bool> _over{false};
    std::atomic<int> _accepted{0};
    std::thread _thread;
    std::vector<std::thread> _dialogues;
};

/// A well-behaved server that keeps what it accepts.
class mailbox {
public:
    /// Replies to one RCPT, and to the end of data.
    std::function<std::string(const std::string& path)> on_rcpt = [](const std::string&) { return "250 2.1.5 ok"; };
    std::function<std::string()> on_end = [] { return "250 2.0.0 queued"; };
    std::string ehlo =
        "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n";

    void serve(dialogue& talk) {
        talk.say("220 mx.test ESMTP\r\n");
        delivered_message message;
        while (true) {
            const std::string line = talk.line();
            if (line.empty()) {
                return;
            }
            if (line.starts_with("EHLO ")) {
                talk.say(ehlo);
            } else if (line.starts_with("MAIL FROM:")) {
                message = {};
                message.from = line.substr(10);
                talk.say("250 2.1.0 ok\r\n");
            } else if (line.starts_with("RCPT TO:<")) {
                const std::string path = line.substr(9, line.size() - 10);
                const std::string answer = on_rcpt(path);
                if (answer.starts_with("2")) {
                    message.to.push_back(path);
                }
                talk.say(answer + "\r\n");
            } else if (line == "DATA") {
                talk.say("354 go\r\n");
                bool ended = false;
                message.content = talk.content(ended);
                if (!ended) {
                    ++_unended;
                    return;
                }
                const std::string answer = on_end();
                if (answer.starts_with("2")) {
                    const std::lock_guard lock(_mutex);
                    _messages.push_back(message);
                }
                talk.say(answer + "\r\n");
            } else if (line == "RSET") {
                talk.say("250 2.0.0 ok\r\n");
            } else if (line == "QUIT") {
                talk.say("221 2.0.0 bye\r\n");
                return;
            } else {
                talk.say("502 5.5.2 what\r\n");
            }
        }
    }

    std::vector<delivered_message> messages() const {
        const std::lock_guard lock(_mutex);
        return _messages;
    }
    int unended() const { return _unended.load(); }

private:
    mutable std::mutex _mutex;
    std::vector<delivered_message> _messages;
    std::atomic<int> _unended{0};
};

}  // namespace postern::relay::test
