#include "board/process/pauses.h"

#include <ctime>
#include <thread>

namespace postern::process {
namespace {

std::chrono::nanoseconds used_by_thread() noexcept {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

pauses::pauses(unsigned share) noexcept
    : _share(share), _since(share == 0 ? std::chrono::nanoseconds(0) : used_by_thread()) {}

void pauses::rest() noexcept {
    if (_share == 0) {
        return;
    }
    if (const auto pause = due(used_by_thread()); pause.count() != 0) {
        std::this_thread::sleep_for(pause);
    }
}

std::chrono::nanoseconds pauses::due(std::chrono::nanoseconds used) noexcept {
    const std::chrono::nanoseconds worked = used - _since;
    if (_share == 0 || worked < piece) {
        return std::chrono::nanoseconds(0);
    }
    _since = used;
    ++_taken;
    return worked * _share;
}

}  // namespace postern::process
