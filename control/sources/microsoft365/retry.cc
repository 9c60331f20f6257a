#include "control/sources/microsoft365/retry.h"

#include <algorithm>
#include <cmath>

namespace postern::sources::microsoft365 {

using std::chrono::milliseconds;

std::optional<milliseconds> pause_before_retry(unsigned tries, std::optional<std::chrono::seconds> retry_after,
                                               double random) {
    if (tries >= most_tries || (retry_after && *retry_after > longest_pause)) {
        return std::nullopt;
    }
    // 1, 2, 4 … seconds, and up to half as much again.
    const std::chrono::seconds doubled(1LL << std::min(tries - 1, 16U));
    milliseconds pause = std::min<milliseconds>(doubled, longest_back_off);
    if (retry_after && retry_after->count() > 0) {
        pause = *retry_after;
    }
    return pause + milliseconds(std::llround(
                       static_cast<double>(std::min(pause, milliseconds(longest_back_off)).count()) * random / 2));
}

}  // namespace postern::sources::microsoft365
