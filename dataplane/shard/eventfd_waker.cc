#include "dataplane/shard/eventfd_waker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace postern::shard {

eventfd_waker::eventfd_waker() : _event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!_event) {
        throw std::system_error(errno, std::generic_category(), "cannot create an eventfd");
    }
}

void eventfd_waker::hush() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(_event.get(), &count, sizeof count);
}

void eventfd_waker::ring() noexcept {
    const std::uint64_t one = 1;
    while (::write(_event.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
}

}  // namespace postern::shard
