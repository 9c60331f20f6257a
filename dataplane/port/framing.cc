#include "dataplane/port/framing.h"

#include <algorithm>

#include "dataplane/net/checksum.h"
#include "dataplane/port/plain_frame.h"
#include "dataplane/tcp/header.h"

namespace postern::port {
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
        _queue.put(headers + written, layers);
    } else {
        _queue.put(headers + written);
    }
    return true;
}

/// Over IPv4 without a VLAN and with checksums of our own, the frame is written eight octets at a time; anything else
/// goes the long way.
bool framing::send_reply(const tcp::plain_reply& r) noexcept {
    using namespace plain_frame;  // offsets and what stands there
    constexpr std::uint32_t offset_and_flags = header_words << 12U | tcp::flag::ack | tcp::flag::psh;
    const std::uint64_t own = _interface->untagged_link();
    if (own == 0 || r.link == 0 || !r.has_timestamps || !net::is_ipv4(r.peer.address) || _queue.fills_checksums()) {
        return segment_sink::send_reply(r);
    }
    const std::span<std::uint8_t> room = _queue.frame();
    const std::size_t size = payload_at + r.payload.size();
    if (room.size() < size) {
        return false;
    }
    // In the order of the wire: what is written is what is summed.
    const std::uint64_t packet_size = size - ip_at;
    const std::uint64_t segment_size = size - tcp_at;
    const std::uint64_t version_size_fragment =
        std::uint64_t{net::ipv4_first_word} << 48U | packet_size << 32U | net::do_not_fragment;
    const std::uint64_t ends = std::uint64_t{net::read32(r.local.address.data() + shard::ipv4_at)} << 32U |
                               net::read32(r.peer.address.data() + shard::ipv4_at);
    const std::uint64_t ports_seq = std::uint64_t{r.local.port} << 48U | std::uint64_t{r.peer.port} << 32U | r.seq;
    const std::uint64_t ack_flags_window = std::uint64_t{r.ack} << 32U | offset_and_flags << 16U | r.window;
    const std::uint64_t timestamps = std::uint64_t{r.timestamp} << 32U | r.timestamp_echo;
    constexpr std::uint32_t ttl_and_protocol = std::uint32_t{net::own_hop_limit} << 8U | net::protocol::tcp;

    net::checksum_sum ip;
    ip.add64(version_size_fragment).add64(ttl_and_protocol).add64(ends);
    net::checksum_sum segment;
    segment.add64(ends).add64(net::protocol::tcp + segment_size).add64(ports_seq).add64(ack_flags_window);
    segment.add64(tcp::timestamps_head).add64(timestamps);

    std::uint8_t* const at = room.data();
    net::write64(at, r.link << 16U);
    net::write64(at + 6, own << 16U | net::ether_type::ipv4);
    net::write64(at + ip_at, version_size_fragment);
    net::write32(at + ip_at + 8, ttl_and_protocol << 16U | ip.complement());
    net::write64(at + ip_at + 12, ends);
    net::write64(at + tcp_at, ports_seq);
    net::write64(at + tcp_at + 8, ack_flags_window);
    net::write64(at + timestamps_at + 4, timestamps);
    segment.add_copy(at + payload_at, r.payload.data(), r.payload.size());
    net::write64(at + tcp_at + 16, std::uint64_t{segment.complement()} << 48U | tcp::timestamps_head);
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
