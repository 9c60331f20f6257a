#include "control/sources/ldap/resolve.h"

#include <netdb.h>
#include <netinet/in.h>

#include <array>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace postern::sources::ldap {
namespace {

using answer = tl::expected<std::vector<resolved>, std::string>;

constexpr int most_waiting = 16;  ///< resolver threads that have not come back

std::atomic<int>& waiting() {
    static std::atomic<int> count{0};
    return count;
}

answer ask(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
    if (failed != 0) {
        return tl::unexpected(std::string(::gai_strerror(failed)));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(list, &::freeaddrinfo);
    std::vector<resolved> out;
    for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
        resolved one;
        if (each->ai_addrlen > sizeof one.address) {
            continue;
        }
        std::memcpy(&one.address, each->ai_addr, each->ai_addrlen);
        one.size = each->ai_addrlen;
        std::array<char, NI_MAXHOST> text{};
        if (::getnameinfo(each->ai_addr, each->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
            one.text = text.data();
        }
        out.push_back(std::move(one));
    }
    return out;
}

struct question {
    std::mutex mutex;
    std::condition_variable answered;
    std::optional<answer> found;
};

}  // namespace

answer resolve(const std::string& host, std::uint16_t port, std::chrono::steady_clock::time_point until,
               const std::atomic<bool>& stop) {
    if (waiting().fetch_add(1) >= most_waiting) {
        waiting().fetch_sub(1);
        return tl::unexpected(
            std::string("too many names are being asked for that never get an answer; see whether "
                        "the machine's DNS servers (/etc/resolv.conf) work"));
    }
    const auto shared = std::make_shared<question>();
    try {
        std::thread([shared, host, port] {
            answer found = ask(host, std::to_string(port));
            {
                const std::lock_guard lock(shared->mutex);
                shared->found = std::move(found);
            }
            waiting().fetch_sub(1);
            shared->answered.notify_all();
        }).detach();
    } catch (const std::system_error& error) {
        waiting().fetch_sub(1);
        return tl::unexpected(std::string("cannot start a thread: ") + error.what());
    }
    std::unique_lock lock(shared->mutex);
    while (!shared->found) {
        const auto now = std::chrono::steady_clock::now();
        if (stop.load(std::memory_order_relaxed)) {
            return tl::unexpected(std::string("stopped"));
        }
        if (now >= until) {
            return tl::unexpected(std::string("no answer from the name servers in time"));
        }
        shared->answered.wait_until(lock, std::min(until, now + std::chrono::milliseconds(100)));
    }
    return std::move(*shared->found);
}

}  // namespace postern::sources::ldap
