#include "dataplane/sockets/ready_set.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

namespace postern::sockets {
namespace {

/// Entries that are no connection: their upper half, a connection's serial, is 0. The lower is a listener's index or:
constexpr std::uint32_t waker_index = UINT32_MAX;

process::descriptor make_epoll_set() {
    process::descriptor set(::epoll_create1(EPOLL_CLOEXEC));
    if (!set) {
        throw std::system_error(errno, std::generic_category(), "cannot create an epoll set");
    }
    return set;
}

void watch(int set, int fd, std::uint32_t index) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    if (::epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0) {
        throw std::system_error(errno, std::generic_category(), "cannot wait for a descriptor");
    }
}

}  // namespace

ready_set::ready_set(std::vector<int> listeners, shard::eventfd_waker& waker)
    : _listeners(std::move(listeners)), _waker(waker), _set(make_epoll_set()) {
    _acceptable.reserve(_listeners.size());
    watch(_set.get(), waker.descriptor(), waker_index);
    for (std::uint32_t i = 0; i < _listeners.size(); ++i) {
        watch(_set.get(), _listeners[i], i);
    }
    // A look says nothing of errors, so whether the kernel has the call (Linux 5.11) is asked once, here.
    const timespec at_once{};
    if (::epoll_pwait2(_set.get(), _events.data(), 1, &at_once, nullptr) < 0 && errno != EINTR) {
        throw std::system_error(errno, std::generic_category(), "cannot wait by epoll_pwait2");
    }
}

bool ready_set::add(int fd, shard::connection c) noexcept {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u64 = std::uint64_t{c.serial} << 32 | c.slot;
    return ::epoll_ctl(_set.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

std::span<const epoll_event> ready_set::look(shard::instant most) noexcept {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(most);
    const timespec patience{seconds.count(), (most - seconds).count()};
    const int found = ::epoll_pwait2(_set.get(), _events.data(), static_cast<int>(_events.size()),
                                     most == shard::never ? nullptr : &patience, nullptr);
    _acceptable.clear();
    const auto end = _events.begin() + std::max(found, 0);
    const auto connections_end = std::remove_if(_events.begin(), end, [this](const epoll_event& e) {
        const auto [slot, serial] = connection_of(e);
        if (serial != 0) {
            return false;
        }
        if (slot == waker_index) {
            _waker.hush();
        } else {
            _acceptable.push_back(slot);
        }
        return true;
    });
    return {_events.begin(), connections_end};
}

void ready_set::watch_listeners(bool yes) noexcept {
    for (std::uint32_t i = 0; i < _listeners.size(); ++i) {
        epoll_event event{};
        event.events = yes ? EPOLLIN : 0U;
        event.data.u64 = i;
        ::epoll_ctl(_set.get(), EPOLL_CTL_MOD, _listeners[i], &event);
    }
    if (!yes) {
        _acceptable.clear();
    }
}

}  // namespace postern::sockets
