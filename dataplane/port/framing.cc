#include "dataplane/port/framing.h"

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
        _queue.put(headers + written, &layers);
    } else {
        _queue.put(headers + written);
    }
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
