// The do-nothing SMTP server: what a server over kernel sockets can reach at most, one core, no table, no mail.
// One recv and one send per readiness; each command line gets a fixed reply that fits. Addresses whose local part
// begins with --listed are accepted. With --lie N every N-th RCPT gets the other answer (to test who checks replies).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using std::string_view;

std::uint64_t lie = 0;
std::uint64_t rcpts = 0;
string_view listed_prefix = "\n";  // no local part begins so: nothing is listed

struct connection {
    std::size_t held = 0;  ///< octets of a line that is not whole yet
    bool in_data = false;
    std::array<char, 16384> octets;
};

bool answer_rcpt(string_view line) {
    const std::size_t at = line.find('<');
    const bool listed = at != string_view::npos && line.substr(at + 1).starts_with(listed_prefix);
    return listed != (lie != 0 && ++rcpts % lie == 0);
}

/// Appends the reply; false after QUIT.
bool answer(connection& from, string_view line, std::string& out) {
    if (from.in_data) {
        from.in_data = line != ".\r\n";
        out += from.in_data ? "" : "250 2.0.0 Ok\r\n";
        return true;
    }
    switch (line[0] & ~0x20) {
        case 'R':
            if ((line[1] & ~0x20) == 'C' && !answer_rcpt(line)) {
                out += "550 5.1.1 Invalid recipient\r\n";
                return true;
            }
            break;
        case 'E':
            out +=
                "250-null.invalid\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 52428800\r\n250 "
                "ENHANCEDSTATUSCODES\r\n";
            return true;
        case 'D':
            from.in_data = true;
            out += "354 End data with <CR><LF>.<CR><LF>\r\n";
            return true;
        case 'Q':
            out += "221 2.0.0 Bye\r\n";
            return false;
    }
    out += "250 2.1.0 Ok\r\n";
    return true;
}

/// One recv, one send. False when the connection is over.
bool serve(int fd, connection& from, std::string& out) {
    const ssize_t size = ::recv(fd, from.octets.data() + from.held, from.octets.size() - from.held, 0);
    if (size <= 0) {
        return size < 0 && errno == EAGAIN;
    }
    string_view left(from.octets.data(), from.held + static_cast<std::size_t>(size));
    out.clear();
    bool open = true;
    for (std::size_t end = 0; open && (end = left.find('\n')) != string_view::npos; left.remove_prefix(end + 1)) {
        open = answer(from, left.substr(0, end + 1), out);
    }
    from.held = left.size();
    std::memmove(from.octets.data(), left.data(), left.size());
    const bool sent = out.empty() || ::send(fd, out.data(), out.size(), MSG_NOSIGNAL) == ssize_t(out.size());
    return open && sent && from.held < from.octets.size();
}

int listen_on(const char* address, unsigned long port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in at{AF_INET, htons(std::uint16_t(port)), {}, {}};
    ::inet_pton(AF_INET, address, &at.sin_addr);
    socklen_t size = sizeof at;
    if (::bind(fd, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(fd, 4096) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
        std::perror("postern-null-server: cannot listen");
        return -1;
    }
    ::dprintf(STDOUT_FILENO, "listening on %s:%u\n", address, unsigned{ntohs(at.sin_port)});
    return fd;
}

}  // namespace

int main(int argc, char** argv) {
    const char* address = "127.0.0.1";
    unsigned long port = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        const string_view name = argv[i];
        address = name == "--address" ? argv[i + 1] : address;
        listed_prefix = name == "--listed" ? argv[i + 1] : listed_prefix;
        port = name == "--port" ? std::strtoul(argv[i + 1], nullptr, 10) : port;
        lie = name == "--lie" ? std::strtoul(argv[i + 1], nullptr, 10) : lie;
    }
    const int listener = listen_on(address, port);
    const int poll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{EPOLLIN, {.fd = listener}};
    if (listener < 0 || poll < 0 || ::epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) != 0) {
        return 1;
    }
    std::vector<std::unique_ptr<connection>> connections(1U << 20U);  // by descriptor
    std::array<epoll_event, 512> events{};
    std::string out;
    while (true) {
        const int count = ::epoll_wait(poll, events.data(), int(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int fd = events[std::size_t(i)].data.fd;
            if (fd != listener) {
                if (!serve(fd, *connections[std::size_t(fd)], out)) {
                    connections[std::size_t(fd)].reset();
                    ::close(fd);
                }
                continue;
            }
            const int fresh = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            const int on = 1;
            event = {EPOLLIN, {.fd = fresh}};
            if (fresh >= 0) {
                connections[std::size_t(fresh)] = std::make_unique_for_overwrite<connection>();
                ::setsockopt(fresh, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                ::send(fresh, "220 null.invalid ESMTP\r\n", 24, MSG_NOSIGNAL);
                ::epoll_ctl(poll, EPOLL_CTL_ADD, fresh, &event);
            }
        }
    }
}
