#include "control/probe/prober.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include "board/process/egress.h"
#include "board/process/files.h"

namespace postern::probe {
namespace {

using clock = std::chrono::steady_clock;
using octets16 = std::array<std::uint8_t, 16>;

/// IPv4 in mapped form, so that one comparison serves both families.
octets16 octets_of(const sockaddr* address) {
    octets16 out{};
    if (address->sa_family == AF_INET) {
        sockaddr_in four{};
        std::memcpy(&four, address, sizeof four);
        out[10] = out[11] = 0xFF;
        std::memcpy(out.data() + 12, &four.sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        sockaddr_in6 six{};
        std::memcpy(&six, address, sizeof six);
        std::memcpy(out.data(), &six.sin6_addr, 16);
    }
    return out;
}

std::optional<octets16> parse_address(const std::string& text) {
    octets16 out{};
    in_addr four{};
    if (::inet_pton(AF_INET, text.c_str(), &four) == 1) {
        out[10] = out[11] = 0xFF;
        std::memcpy(out.data() + 12, &four, 4);
        return out;
    }
    if (::inet_pton(AF_INET6, text.c_str(), out.data()) == 1) {
        return out;
    }
    return std::nullopt;
}

std::string address_text(const sockaddr* address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const octets16 octets = octets_of(address);
    if (address->sa_family == AF_INET) {
        ::inet_ntop(AF_INET, octets.data() + 12, text.data(), text.size());
    } else {
        ::inet_ntop(AF_INET6, octets.data(), text.data(), text.size());
    }
    return text.data();
}

bool is_this_machine(const octets16& address) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return false;
    }
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(list, &::freeifaddrs);
    for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
        if (each->ifa_addr != nullptr &&
            (each->ifa_addr->sa_family == AF_INET || each->ifa_addr->sa_family == AF_INET6) &&
            octets_of(each->ifa_addr) == address) {
            return true;
        }
    }
    // Every address of 127.0.0.0/8 is this machine, whatever the interface lists.
    return address[12] == 127 && address[10] == 0xFF && address[11] == 0xFF &&
           std::all_of(address.begin(), address.begin() + 10, [](std::uint8_t octet) { return octet == 0; });
}

bool is_wildcard(const octets16& address) {
    const auto zero = [](std::uint8_t octet) { return octet == 0; };
    const bool six = std::all_of(address.begin(), address.end(), zero);
    const bool four = std::all_of(address.begin(), address.begin() + 10, zero) && address[10] == 0xFF &&
                      address[11] == 0xFF && std::all_of(address.begin() + 12, address.end(), zero);
    return six || four;
}

bool is_own(const std::vector<own_listener>& own, const octets16& address, std::uint16_t port) {
    return std::any_of(own.begin(), own.end(), [&](const own_listener& each) {
        const auto listens = parse_address(each.address);
        return listens && each.port == port &&
               (*listens == address || (is_wildcard(*listens) && (is_this_machine(address) || is_wildcard(address))));
    });
}

std::string random_recipient(const std::string& domain) {
    std::array<unsigned char, 15> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
        random.fill(7);
    }
    std::string local = "postern-probe-";
    for (const unsigned char octet : random) {
        local += "abcdefghijklmnopqrstuvwxyz234567"[octet & 31U];
    }
    return local + "@" + domain;
}

/// A time, and perhaps a flag that makes it come sooner.
struct deadline {
    clock::time_point at;
    const std::atomic<bool>* stop = nullptr;
    bool stopped() const { return stop != nullptr && stop->load(); }
};

/// Waits for the events until `until`; false at the deadline.
bool wait_for(int fd, short events, const deadline& until) {
    const long long slice = until.stop == nullptr ? 60'000 : 200;
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until.at - clock::now()).count();
        if (left <= 0 || until.stopped()) {
            return false;
        }
        pollfd waited{fd, events, 0};
        const int ready = ::poll(&waited, 1, static_cast<int>(std::min<long long>(left, slice)));
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            return true;  // the next call on the descriptor tells what is wrong
        }
    }
}

tl::expected<process::descriptor, std::string> connect_to(const addrinfo& to, const deadline& until) {
    process::descriptor socket(::socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return tl::unexpected(std::generic_category().message(errno));
    }
    if (::connect(socket.get(), to.ai_addr, to.ai_addrlen) != 0) {
        if (errno != EINPROGRESS) {
            return tl::unexpected(std::generic_category().message(errno));
        }
        if (!wait_for(socket.get(), POLLOUT, until)) {
            return tl::unexpected(std::string("no answer in time"));
        }
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            return tl::unexpected(std::generic_category().message(error));
        }
    }
    return socket;
}

/// Moves octets between the socket and the dialogue until it is done.
void converse(int fd, dialogue& with, const deadline& until) {
    std::array<char, 4096> block{};
    while (!with.done()) {
        std::string out = with.take_output();
        while (!out.empty()) {
            if (!wait_for(fd, POLLOUT, until)) {
                with.timed_out();
                return;
            }
            const ssize_t n = ::send(fd, out.data(), out.size(), MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN && errno != EINTR) {
                with.closed();
                return;
            }
            out.erase(0, n < 0 ? 0 : static_cast<std::size_t>(n));
        }
        if (!wait_for(fd, POLLIN, until)) {
            with.timed_out();
            return;
        }
        const ssize_t n = ::recv(fd, block.data(), block.size(), 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            with.closed();
            return;
        }
        if (n > 0) {
            with.received({block.data(), static_cast<std::size_t>(n)});
        }
    }
    const std::string last = with.take_output();
    if (!last.empty()) {
        ::send(fd, last.data(), last.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

}  // namespace

tl::expected<own_listener, std::string> parse_listener(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    std::string address = text.substr(0, colon);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
        address = address.substr(1, address.size() - 2);
    } else if (address.find(':') != std::string::npos) {
        address.clear();  // an IPv6 address without brackets
    }
    unsigned port = 0;
    const char* const end = text.data() + text.size();
    const char* const begin = colon == std::string::npos ? end : text.data() + colon + 1;
    const auto parsed = std::from_chars(begin, end, port);
    if (!parse_address(address) || parsed.ec != std::errc() || parsed.ptr != end || port == 0 || port > 65535) {
        return tl::unexpected("\"" + text +
                              "\" is not ADDRESS:PORT; write it as \"192.0.2.1:25\" or \"[2001:db8::1]:25\"");
    }
    return own_listener{address, static_cast<std::uint16_t>(port)};
}

prober::prober(prober_options options) : _options(std::move(options)) {}

host_finding prober::run_host(const recipients::mail_host& host, const question& asked) const {
    const deadline until{clock::now() + _options.host_timeout, asked.stop};
    host_finding out;
    out.host = host;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    std::string name = host.host;
    if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
        name = name.substr(1, name.size() - 2);
    }
    const int failed = ::getaddrinfo(name.c_str(), std::to_string(host.port).c_str(), &hints, &list);
    if (failed != 0) {
        out.steps.push_back({"name", outcome::bad, host.host + " does not resolve: " + ::gai_strerror(failed)});
        return out;
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(list, &::freeaddrinfo);
    std::string addresses;
    for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
        const std::string text = address_text(each->ai_addr);
        addresses += (addresses.empty() ? "" : ", ") + text;
        if (is_own(_options.own_listeners, octets_of(each->ai_addr), host.port)) {
            out.loops = true;
            out.steps.push_back({"name", outcome::bad,
                                 host.host + " is " + text + " port " + std::to_string(host.port) +
                                     ", where an edge of ours listens: mail would go round in a loop; give the mail "
                                     "server behind us"});
            return out;
        }
    }
    out.steps.push_back({"name", outcome::good, host.host + " is " + addresses});

    process::descriptor socket;
    std::string error;
    for (const addrinfo* each = list; each != nullptr && !socket; each = each->ai_next) {
        const std::string address = address_text(each->ai_addr);
        if (_options.may_reach && !_options.may_reach(address)) {
            error += (error.empty() ? "" : "; ") + process::egress_refusal(address);
            continue;
        }
        auto connected = connect_to(*each, {std::min(until.at, clock::now() + _options.connect_timeout), asked.stop});
        const std::string where = address + " port " + std::to_string(host.port);
        if (connected) {
            socket = std::move(*connected);
            out.steps.push_back({"connect", outcome::good, "connected to " + where});
        } else {
            error += (error.empty() ? "" : "; ") + where + ": " + connected.error();
        }
    }
    if (!socket) {
        out.steps.push_back({"connect", outcome::bad, error});
        return out;
    }
    dialogue_options questions{_options.helo, asked.recipient, _options.own_names, {}, {}};
    const std::string domain = asked.recipient.substr(asked.recipient.rfind('@'));
    if (asked.must_work && !domain.ends_with(".invalid")) {
        questions.postmaster = "postmaster" + domain;
        questions.abuse = "abuse" + domain;
    }
    dialogue talk(std::move(questions));
    converse(socket.get(), talk, until);
    out.steps.insert(out.steps.end(), talk.steps().begin(), talk.steps().end());
    out.extensions = talk.extensions();
    out.catch_all = talk.catch_all();
    out.postmaster = talk.postmaster();
    out.abuse = talk.abuse();
    out.loops = talk.greets_with_own_name();
    out.usable = talk.usable();
    return out;
}

finding prober::run(const std::vector<recipients::mail_host>& hosts, const std::string& domain) const {
    finding out;
    out.recipient = random_recipient(domain);
    for (const recipients::mail_host& host : hosts) {
        host_finding found = run_host(host, {out.recipient});
        out.usable = out.usable || found.usable;
        out.loops = out.loops || found.loops;
        out.catch_all = out.catch_all || found.catch_all.value_or(false);
        out.hosts.push_back(std::move(found));
    }
    out.usable = out.usable && !out.loops;
    return out;
}

recipient_finding prober::ask(const std::vector<recipients::mail_host>& hosts, const std::string& recipient,
                              const std::atomic<bool>& stop) const {
    recipient_finding out;
    out.recipient = recipient;
    for (const recipients::mail_host& host : hosts) {
        const host_finding found = run_host(host, {recipient, false, &stop});
        out.loops = out.loops || found.loops;
        out.accepted = out.accepted || found.catch_all == true;
        out.refused = out.refused || found.catch_all == false;
        if (!found.catch_all && out.trouble.empty() && !found.steps.empty()) {
            out.trouble = found.steps.back().name + ": " + found.steps.back().detail;
        }
    }
    return out;
}

recipient_finding prober::ask_random(const std::vector<recipients::mail_host>& hosts, const std::string& domain,
                                     const std::atomic<bool>& stop) const {
    return ask(hosts, random_recipient(domain), stop);
}

}  // namespace postern::probe
