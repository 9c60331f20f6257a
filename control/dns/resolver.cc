#include "control/dns/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <span>

namespace postern::dns {

namespace {

using octets = std::span<const unsigned char>;

/// c-ares itself, once in the process.
int library() {
    static const int made = ::ares_library_init(ARES_LIB_INIT_ALL);
    return made;
}

class channel {
public:
    channel() = default;
    ~channel() {
        if (_made) {
            ::ares_destroy(_channel);
        }
    }
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    int open(const resolver_options& with) {
        if (const int status = library(); status != ARES_SUCCESS) {
            return status;
        }
        ares_options options{};
        options.timeout = static_cast<int>(with.timeout.count());
        options.tries = static_cast<int>(with.tries);
        if (const int status = ::ares_init_options(&_channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
            status != ARES_SUCCESS) {
            return status;
        }
        _made = true;
        std::string list;
        for (const std::string& each : with.servers) {
            list += (list.empty() ? "" : ",") + each;
        }
        return list.empty() ? ARES_SUCCESS : ::ares_set_servers_ports_csv(_channel, list.c_str());
    }

    /// Works until the question is answered or the deadline is over.
    void wait(const bool& done, std::chrono::steady_clock::time_point deadline) {
        while (!done) {
            const auto left =
                std::chrono::duration_cast<std::chrono::microseconds>(deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0) {
                ::ares_cancel(_channel);
                return;
            }
            timeval most{left.count() / 1'000'000, left.count() % 1'000'000};
            timeval next{};
            ::ares_timeout(_channel, &most, &next);
            step(static_cast<int>(next.tv_sec * 1000 + next.tv_usec / 1000 + 1));
        }
    }

    ares_channel get() const noexcept { return _channel; }

private:
    void step(int milliseconds) {
        std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
        const auto wanted = static_cast<unsigned>(::ares_getsock(_channel, sockets.data(), ARES_GETSOCK_MAXNUM));
        std::array<pollfd, ARES_GETSOCK_MAXNUM> polled{};
        nfds_t count = 0;
        for (unsigned at = 0; at < ARES_GETSOCK_MAXNUM; ++at) {
            short events = 0;
            if ((wanted & (1U << at)) != 0) {
                events |= POLLIN;
            }
            if ((wanted & (1U << (at + ARES_GETSOCK_MAXNUM))) != 0) {
                events |= POLLOUT;
            }
            if (events != 0) {
                polled[count++] = {sockets[at], events, 0};
            }
        }
        ::poll(polled.data(), count, milliseconds);
        bool nothing = true;
        for (nfds_t at = 0; at < count; ++at) {
            const short got = polled[at].revents;
            if (got != 0) {
                nothing = false;
                ::ares_process_fd(_channel, (got & ~POLLOUT) != 0 ? polled[at].fd : ARES_SOCKET_BAD,
                                  (got & POLLOUT) != 0 ? polled[at].fd : ARES_SOCKET_BAD);
            }
        }
        if (nothing) {
            ::ares_process_fd(_channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // time-outs
        }
    }

    ares_channel _channel{};
    bool _made = false;
};

struct reply {
    bool done = false;
    int status = ARES_ETIMEOUT;
    std::vector<unsigned char> octets;
};

void take_reply(void* to, int status, int /*timeouts*/, unsigned char* data, int size) {
    auto* const into = static_cast<reply*>(to);
    into->done = true;
    into->status = status;
    if (data != nullptr && size > 0) {
        into->octets.assign(data, data + size);
    }
}

lookup_error problem(int status, std::string_view type, const std::string& name) {
    const std::string what = std::string(type) + " of " + name;
    if (status == ARES_ENODATA || status == ARES_ENOTFOUND) {
        return {true, "there is no " + what};
    }
    if (status == ARES_ECANCELLED) {
        status = ARES_ETIMEOUT;
    }
    return {false, "DNS could not be asked for " + what + ": " + ::ares_strerror(status)};
}

answer<std::vector<unsigned char>> ask(const resolver_options& with, const std::string& name, int type,
                                       std::string_view word) {
    channel on;
    if (const int status = on.open(with); status != ARES_SUCCESS) {
        return tl::unexpected(problem(status, word, name));
    }
    reply got;
    const auto deadline = std::chrono::steady_clock::now() + with.deadline;
    ::ares_query(on.get(), name.c_str(), C_IN, type, take_reply, &got);
    on.wait(got.done, deadline);
    if (got.status != ARES_SUCCESS) {
        return tl::unexpected(problem(got.status, word, name));
    }
    return std::move(got.octets);
}

std::string host_text(std::string_view name) {
    std::string out(name.substr(0, 255));
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (out.ends_with('.')) {
        out.pop_back();
    }
    return out;
}

/// Appends the reply's addresses of one family.
template <int Family, class Ttl, auto Parse>
int add_addresses(octets of, std::vector<std::string>& to) {
    std::array<Ttl, most_records> found{};
    int count = most_records;
    const int status = Parse(of.data(), static_cast<int>(of.size()), nullptr, found.data(), &count);
    for (int at = 0; status == ARES_SUCCESS && at < count; ++at) {
        std::array<char, INET6_ADDRSTRLEN> text{};
        if constexpr (Family == AF_INET) {
            ::inet_ntop(Family, &found.at(static_cast<std::size_t>(at)).ipaddr, text.data(), text.size());
        } else {
            ::inet_ntop(Family, &found.at(static_cast<std::size_t>(at)).ip6addr, text.data(), text.size());
        }
        to.emplace_back(text.data());
    }
    return status;
}

}  // namespace

answer<std::vector<std::string>> resolver::txt(const std::string& name) const {
    const auto got = ask(_options, name, ns_t_txt, "TXT record");
    if (!got) {
        return tl::unexpected(got.error());
    }
    ares_txt_ext* first = nullptr;
    const int status = ::ares_parse_txt_reply_ext(got->data(), static_cast<int>(got->size()), &first);
    const std::unique_ptr<ares_txt_ext, decltype(&::ares_free_data)> owned(first, &::ares_free_data);
    if (status != ARES_SUCCESS) {
        return tl::unexpected(problem(status, "TXT record", name));
    }
    std::vector<std::string> out;
    for (const ares_txt_ext* each = first; each != nullptr; each = each->next) {
        if (each->record_start != 0) {
            if (out.size() == most_records) {
                break;
            }
            out.emplace_back();
        }
        const std::size_t room = longest_text - std::min(longest_text, out.back().size());
        out.back().append(reinterpret_cast<const char*>(each->txt), std::min(room, each->length));
    }
    return out;
}

answer<std::vector<mx_record>> resolver::mx(const std::string& name) const {
    const auto got = ask(_options, name, ns_t_mx, "MX record");
    if (!got) {
        return tl::unexpected(got.error());
    }
    ares_mx_reply* first = nullptr;
    const int status = ::ares_parse_mx_reply(got->data(), static_cast<int>(got->size()), &first);
    const std::unique_ptr<ares_mx_reply, decltype(&::ares_free_data)> owned(first, &::ares_free_data);
    if (status != ARES_SUCCESS) {
        return tl::unexpected(problem(status, "MX record", name));
    }
    std::vector<mx_record> out;
    for (const ares_mx_reply* each = first; each != nullptr && out.size() < most_records; each = each->next) {
        out.push_back({each->priority, host_text(each->host)});
    }
    std::ranges::stable_sort(out, {}, &mx_record::preference);
    return out;
}

answer<std::vector<std::string>> resolver::addresses(const std::string& name) const {
    std::vector<std::string> out;
    const auto four = ask(_options, name, ns_t_a, "address");
    if (four) {
        add_addresses<AF_INET, ares_addrttl, ::ares_parse_a_reply>(*four, out);
    } else if (!four.error().absent) {
        return tl::unexpected(four.error());
    }
    const auto six = ask(_options, name, ns_t_aaaa, "address");
    if (six) {
        add_addresses<AF_INET6, ares_addr6ttl, ::ares_parse_aaaa_reply>(*six, out);
    } else if (!six.error().absent && out.empty()) {
        return tl::unexpected(six.error());
    }
    if (out.empty()) {
        return tl::unexpected(lookup_error{true, "there is no address of " + name});
    }
    return out;
}

bool is_server(const std::string& text) {
    channel on;
    resolver_options with;
    with.servers = {text};
    return !text.empty() && text.find(',') == std::string::npos && on.open(with) == ARES_SUCCESS;
}

}  // namespace postern::dns
