#include "smtp/recipients/domains.h"

#include <cstddef>

namespace postern::recipients {

bool network::contains(const std::array<std::uint8_t, 16>& host) const noexcept {
    const std::size_t whole = length / 8U;
    for (std::size_t i = 0; i < whole && i < address.size(); ++i) {
        if (host[i] != address[i]) {
            return false;
        }
    }
    const unsigned rest = length % 8U;
    if (rest == 0 || whole >= address.size()) {
        return true;
    }
    return ((host[whole] ^ address[whole]) >> (8U - rest)) == 0;
}

}  // namespace postern::recipients
