#include "dataplane/port/sleeper.h"

#include <poll.h>
#include <rte_epoll.h>
#include <rte_ethdev.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>

namespace postern::port {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

timespec timespec_of(shard::instant span) noexcept {
    const auto whole = std::chrono::duration_cast<seconds>(span);
    return {static_cast<time_t>(whole.count()), static_cast<long>((span - whole).count())};
}

/// rte_epoll_wait counts in milliseconds; a timer must not fire early, and -1 waits for ever.
int milliseconds_of(shard::instant span) noexcept {
    constexpr shard::instant most = std::chrono::hours(1);
    return static_cast<int>(std::chrono::ceil<milliseconds>(std::min(span, most)).count());
}

}  // namespace

void sleeper::begin() noexcept {
    if (!_at.interrupts || !_at.queue) {
        return;
    }
    _bell.epdata.event = EPOLLIN;
    _bell.epdata.data = this;
    if (rte_epoll_ctl(RTE_EPOLL_PER_THREAD, EPOLL_CTL_ADD, _waker.descriptor(), &_bell) != 0) {
        return;
    }
    _by_interrupts =
        rte_eth_dev_rx_intr_ctl_q(_at.port, *_at.queue, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD, nullptr) == 0;
    if (!_by_interrupts) {
        rte_epoll_ctl(RTE_EPOLL_PER_THREAD, EPOLL_CTL_DEL, _waker.descriptor(), &_bell);
    }
}

void sleeper::end() noexcept {
    if (_by_interrupts) {
        rte_eth_dev_rx_intr_ctl_q(_at.port, *_at.queue, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_DEL, nullptr);
        rte_epoll_ctl(RTE_EPOLL_PER_THREAD, EPOLL_CTL_DEL, _waker.descriptor(), &_bell);
        _by_interrupts = false;
    }
}

void sleeper::arm() noexcept {
    if (_by_interrupts) {
        rte_eth_dev_rx_intr_enable(_at.port, *_at.queue);  // where there is nothing to enable, they are always on
    }
}

void sleeper::disarm() noexcept {
    if (_by_interrupts) {
        rte_eth_dev_rx_intr_disable(_at.port, *_at.queue);
    }
}

void sleeper::sleep(shard::instant most) noexcept {
    if (_by_interrupts) {
        std::array<rte_epoll_event, 2> events{};
        const int n =
            rte_epoll_wait(RTE_EPOLL_PER_THREAD, events.data(), static_cast<int>(events.size()), milliseconds_of(most));
        for (int i = 0; i < n; ++i) {
            if (events[static_cast<std::size_t>(i)].epdata.data == this) {
                _waker.hush();
            }
        }
        return;
    }
    const shard::instant bound = _at.queue ? longest_poll : std::chrono::hours(1);
    const timespec span = timespec_of(std::min(most, bound));
    pollfd bell{_waker.descriptor(), POLLIN, 0};
    if (::ppoll(&bell, 1, &span, nullptr) > 0) {
        _waker.hush();
    }
}

}  // namespace postern::port
