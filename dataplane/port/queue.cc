#include "dataplane/port/queue.h"

#include <algorithm>

#include "dataplane/port/capture.h"

namespace postern::port {
namespace {

/// Ethernet's header with a tag, IPv6's or IPv4's with options, TCP's with options.
constexpr std::uint32_t longest_headers = 18 + 60 + 60;

}  // namespace

void queue::show(rte_mbuf* const* frames, std::uint16_t n) noexcept {
    for (std::uint16_t i = 0; _watcher != nullptr && i < n; ++i) {
        _watcher->see(_watcher_ring, {rte_pktmbuf_mtod(frames[i], const std::uint8_t*), frames[i]->data_len}, true);
    }
}

std::span<const std::uint8_t> queue::join(const rte_mbuf& m, std::uint16_t slot) noexcept {
    _counts.chained.add();
    if (m.pkt_len > _at.longest_frame || m.data_len < std::min(m.pkt_len, longest_headers)) {
        _counts.chained_dropped.add();
        return {};
    }
    std::uint8_t* const begin = _joined.get() + std::size_t{slot} * _at.longest_frame;
    std::uint32_t size = 0;
    for (const rte_mbuf* part = &m; part != nullptr; part = part->next) {
        const std::uint32_t n = std::min<std::uint32_t>(part->data_len, m.pkt_len - size);
        std::copy_n(rte_pktmbuf_mtod(part, const std::uint8_t*), n, begin + size);
        size += n;
    }
    return {begin, size};
}

}  // namespace postern::port
