#include "control/sync/digest.h"

#include <xxhash.h>

namespace postern::sync {

std::int64_t digest(std::string_view octets) noexcept {
    const auto out = static_cast<std::int64_t>(XXH3_64bits(octets.data(), octets.size()));
    return out == 0 ? 1 : out;
}

}  // namespace postern::sync
