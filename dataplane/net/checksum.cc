#include "dataplane/net/checksum.h"

namespace postern::net {

checksum_sum& checksum_sum::add(octets some) noexcept {
    std::size_t at = 0;
    // 32 bits at a time: the sum of two halves is the same, and 2^32 additions fit in 64 bits.
    for (; at + 4 <= some.size(); at += 4) {
        _sum += read32(some.data() + at);
    }
    if (at + 2 <= some.size()) {
        _sum += read16(some.data() + at);
        at += 2;
    }
    if (at < some.size()) {
        _sum += static_cast<std::uint64_t>(some[at]) << 8U;
    }
    return *this;
}

checksum_sum& checksum_sum::add_pseudo(const ip_address& from, const ip_address& to, std::uint8_t protocol,
                                       std::size_t length) noexcept {
    const std::size_t skip = is_ipv4(from) ? 12 : 0;
    add(octets(from).subspan(skip)).add(octets(to).subspan(skip));
    _sum += protocol;
    _sum += length;
    return *this;
}

std::uint16_t checksum_sum::complement() const noexcept {
    std::uint64_t folded = _sum;
    while (folded > 0xffff) {
        folded = (folded & 0xffffU) + (folded >> 16U);
    }
    return static_cast<std::uint16_t>(~folded);
}

}  // namespace postern::net
