#include "dataplane/port/framing.h"

#include <bit>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/tcp/header.h"

namespace postern::port {
namespace {

// Offsets in a frame of Ethernet, IPv4 and TCP with timestamps, RFC 7323 appendix A.
constexpr std::size_t ip_at = 14;
constexpr std::size_t tcp_at = 34;
constexpr std::size_t timestamps_at = 54;
constexpr std::size_t payload_at = 66;
constexpr std::uint32_t timestamps_head = 0x0101080a;
constexpr std::uint32_t offset_and_flags = 0x8000 | tcp::flag::ack | tcp::flag::psh;

void store64(std::uint8_t* at, std::uint64_t value) noexcept {
    static_assert(std::endian::native == std::endian::little);
    value = __builtin_bswap64(value);
    std::memcpy(at, &value, sizeof value);
}

}  // namespace

bool framing::send(const tcp::outgoing& s) noexcept {
    const std::span<std::uint8_t> room = _queue.frame();
    const bool nic = _queue.fills_checksums();
    const std::size_t size = tcp::header_size(s) + s.payload_size;
    const std::size_t headers =
        _interface->write_headers(room, s.local.address, s.peer.address, s.link, net::protocol::tcp, size, !nic);
    if (headers == 0) {
        return false;  // no buffer, or nobody is known to send to
    }
    const std::size_t written =
        tcp::write_segment(s, room.subspan(headers), nic ? tcp::checksum_by::nic : tcp::checksum_by::software);
    if (written == 0) {
        return false;
    }
    if (nic) {
        frame_layers layers;
        layers.network = static_cast<std::uint16_t>(net::ip_header_size(s.peer.address));
        layers.link = static_cast<std::uint16_t>(headers - layers.network);
        layers.ipv4 = net::is_ipv4(s.peer.address);
        _queue.put(headers + written, &layers);
    } else {
        _queue.put(headers + written);
    }
    return true;
}

/// Over IPv4 without a VLAN and with checksums of our own, the frame is written from front to back, eight octets at a
/// time; anything else goes the long way.
bool framing::send_reply(const tcp::plain_reply& r) noexcept {
    const std::uint64_t own = _interface->untagged_link();
    if (own == 0 || r.link == 0 || !r.has_timestamps || !net::is_ipv4(r.peer.address) || _queue.fills_checksums()) {
        return segment_sink::send_reply(r);
    }
    const std::span<std::uint8_t> room = _queue.frame();
    const std::size_t size = payload_at + r.payload.size();
    if (room.size() < size) {
        return false;
    }
    const std::uint32_t from = net::read32(r.local.address.data() + 12);
    const std::uint32_t to = net::read32(r.peer.address.data() + 12);
    const std::uint64_t ends = std::uint64_t{from} << 32U | to;
    const std::uint64_t ports = std::uint64_t{r.local.port} << 16U | r.peer.port;
    const std::uint64_t packet_size = size - ip_at;
    const std::uint64_t segment_size = size - tcp_at;
    constexpr std::uint64_t ttl_and_protocol = std::uint64_t{net::own_hop_limit} << 8U | net::protocol::tcp;

    net::checksum_sum ip;
    ip.add64(ends).add64(net::ipv4_first_word + packet_size + net::do_not_fragment + ttl_and_protocol);
    net::checksum_sum tcp;
    tcp.add64(ends).add64(net::protocol::tcp + segment_size + ports + offset_and_flags + r.window);
    tcp.add64(std::uint64_t{r.seq} + r.ack + timestamps_head + r.timestamp + r.timestamp_echo);

    std::uint8_t* const at = room.data();
    tcp.add_copy(at + payload_at, r.payload.data(), r.payload.size());
    store64(at, r.link << 16U | own >> 32U);
    store64(at + 8, own << 32U | std::uint64_t{net::ether_type::ipv4} << 16U | net::ipv4_first_word);
    store64(at + 16, packet_size << 48U | std::uint64_t{net::do_not_fragment} << 16U | ttl_and_protocol);
    store64(at + 24, std::uint64_t{ip.complement()} << 48U | ends >> 16U);
    store64(at + 32, ends << 48U | ports << 16U | r.seq >> 16U);
    store64(at + 40, std::uint64_t{r.seq} << 48U | std::uint64_t{r.ack} << 16U | offset_and_flags);
    store64(at + 48, std::uint64_t{r.window} << 48U | std::uint64_t{tcp.complement()} << 32U | timestamps_head >> 16U);
    net::write16(at + timestamps_at + 2, timestamps_head & 0xffffU);
    store64(at + timestamps_at + 4, std::uint64_t{r.timestamp} << 32U | r.timestamp_echo);
    _queue.put(size);
    return true;
}

void framing::send(net::octets frame) noexcept {
    const std::span<std::uint8_t> room = _queue.frame();
    if (room.size() >= frame.size()) {
        std::copy(frame.begin(), frame.end(), room.begin());
        _queue.put(frame.size());
    }
}

}  // namespace postern::port
