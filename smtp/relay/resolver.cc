#include "smtp/relay/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace postern::relay {

namespace {

constexpr unsigned most_helpers = 4;
constexpr std::size_t most_names = 4096;

shard::endpoint mapped(const in_addr& v4) {
    shard::endpoint out;
    out.address[10] = out.address[11] = 0xff;
    std::memcpy(out.address.data() + 12, &v4, sizeof v4);
    return out;
}

}  // namespace

bool parse_literal(std::string host, shard::endpoint& out) {
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    in_addr v4{};
    in6_addr v6{};
    if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
        out = mapped(v4);
        return true;
    }
    if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) {
        out = {};
        std::memcpy(out.address.data(), &v6, sizeof v6);
        return true;
    }
    return false;
}

resolved look_up_name(const std::string& host) {
    resolved out;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* all = nullptr;
    const int error = getaddrinfo(host.c_str(), nullptr, &hints, &all);
    if (error != 0) {
        out.error = "cannot resolve " + host + ": " + gai_strerror(error);
        return out;
    }
    for (const addrinfo* one = all; one != nullptr; one = one->ai_next) {
        shard::endpoint address;
        if (one->ai_family == AF_INET) {
            sockaddr_in v4{};
            std::memcpy(&v4, one->ai_addr, sizeof v4);
            address = mapped(v4.sin_addr);
        } else if (one->ai_family == AF_INET6) {
            sockaddr_in6 v6{};
            std::memcpy(&v6, one->ai_addr, sizeof v6);
            std::memcpy(address.address.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
        } else {
            continue;
        }
        if (std::find(out.addresses.begin(), out.addresses.end(), address) == out.addresses.end()) {
            out.addresses.push_back(address);
        }
    }
    freeaddrinfo(all);
    if (out.addresses.empty()) {
        out.error = "cannot resolve " + host + ": no addresses";
    }
    return out;
}

struct resolver::state {
    struct name {
        resolved answer;
        shard::instant fresh_until{};
        shard::instant stale_until{};
        bool asked = false;  ///< a helper is at it
        std::vector<std::function<void(const resolved&)>> askers;
    };

    std::mutex mutex;
    std::condition_variable work;
    std::map<std::string, name> names;
    std::deque<std::string> queue;
    unsigned helpers = 0;
    unsigned idle = 0;
    bool over = false;
    clock now;
    lookup look_up;
    milliseconds kept{};
    milliseconds stale_kept{};

    void make_room();
    static void help(const std::shared_ptr<state>& shared);
};

/// Names that nobody waits for and that are too old go when there are many.
void resolver::state::make_room() {
    if (names.size() < most_names) {
        return;
    }
    const shard::instant at = now();
    std::erase_if(names, [at](const auto& one) { return !one.second.asked && one.second.fresh_until <= at; });
}

void resolver::state::help(const std::shared_ptr<state>& shared) {
    std::unique_lock lock(shared->mutex);
    while (true) {
        ++shared->idle;
        shared->work.wait(lock, [&shared] { return shared->over || !shared->queue.empty(); });
        --shared->idle;
        if (shared->over) {
            return;
        }
        const std::string host = std::move(shared->queue.front());
        shared->queue.pop_front();
        lock.unlock();
        resolved answer = shared->look_up(host);
        lock.lock();
        if (shared->over) {
            return;
        }
        name& known = shared->names[host];
        const shard::instant at = shared->now();
        known.asked = false;
        if (!answer.addresses.empty()) {
            known.answer = std::move(answer);
            known.fresh_until = at + shared->kept;
            known.stale_until = at + shared->stale_kept;
        } else if (at >= known.stale_until) {
            known.answer = std::move(answer);
            known.fresh_until = at;  // an error is not kept
        } else {
            // The old addresses serve on; the name is asked for again, but not by every message.
            known.fresh_until = at + std::min<shard::instant>(shared->kept, std::chrono::seconds(5));
        }
        // Called with the lock held, so that none is called after destruction began.
        const auto askers = std::exchange(known.askers, {});
        const resolved answer_now = known.answer;
        for (const auto& done : askers) {
            done(answer_now);
        }
    }
}

resolver::resolver(milliseconds kept, milliseconds stale_kept, clock now, lookup look_up)
    : _state(std::make_shared<state>()) {
    _state->kept = kept;
    _state->stale_kept = stale_kept;
    _state->now = std::move(now);
    _state->look_up = std::move(look_up);
}

resolver::~resolver() {
    const std::lock_guard lock(_state->mutex);
    _state->over = true;
    _state->names.clear();
    _state->work.notify_all();
}

void resolver::resolve(const std::string& host, std::function<void(const resolved&)> done) {
    resolved at_once;
    if (shard::endpoint literal; parse_literal(host, literal)) {
        at_once.addresses.push_back(literal);
        done(at_once);
        return;
    }
    {
        const std::lock_guard lock(_state->mutex);
        _state->make_room();
        state::name& known = _state->names[host];
        const shard::instant at = _state->now();
        const bool fresh = !known.answer.addresses.empty() && at < known.fresh_until;
        const bool stale = !known.answer.addresses.empty() && at < known.stale_until;
        if (!fresh && !known.asked) {
            known.asked = true;
            _state->queue.push_back(host);
            if (_state->idle < _state->queue.size() && _state->helpers < most_helpers) {
                ++_state->helpers;
                std::thread([shared = _state] { state::help(shared); }).detach();
            }
            _state->work.notify_one();
        }
        if (!fresh && !stale) {
            known.askers.push_back(std::move(done));
            return;
        }
        at_once = known.answer;
    }
    done(at_once);
}

}  // namespace postern::relay
